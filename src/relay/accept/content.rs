//! What the alias's content policy forbids is not carried: words, links, length, the same text once too often.

use super::passage::Passage;
use super::{Envelope, Halt};
use crate::guard::content::ContentRefusal;
use crate::relay::Relay;
use crate::relay::phrases::Say;

impl Relay {
    /// Refuses what the policy of the alias forbids, and tells the writer that a rule of the service does.
    pub(super) fn check_content(&self, envelope: &Envelope, passage: &Passage, text: &str) -> Result<(), Halt> {
        let Some(policy) = &passage.alias.content else { return Ok(()) };
        let content = &passage.permit.terms().content;
        let refused = |rule: ContentRefusal| Halt::Refused(passage.refusal(rule.as_str()).saying(Say::Content));
        content.check(policy, text).map_err(refused)?;
        let Some(limit) = content.repeats(policy) else { return Ok(()) };
        let key: [&[u8]; 4] =
            [b"repeat", &crate::ids::bytes(&passage.alias.id), &envelope.writer.index.0, text.as_bytes()];
        let print = self.keyring.system().fingerprint(&key);
        self.repeats.once_more(print, limit, self.store.now()).map_err(refused)
    }
}
