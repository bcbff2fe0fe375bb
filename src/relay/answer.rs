//! Tags, pure: how A tells apart the several people who wrote to one `ax` alias, and whom an answer of A is for.
//!
//! A body is carried unchanged. Only while two or more people who can be answered are live does `[3] ` stand before
//! it; then an answer has to name one of them, since guessing would hand one person's words to another.

use super::phrases::{self, Say};

/// Whom A's text is for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer<'a> {
    /// The sender of this tag gets this text.
    To { tag: u32, text: &'a str },
    /// Nobody, and this is what A is told.
    Nobody(Help),
}

/// Why A's text reaches nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Help {
    /// Several people could be meant.
    Untagged,
    /// Nobody of this tag can be answered any more.
    Gone,
    /// Nobody can be answered: nobody wrote lately, or only short codes and names did.
    NoSender,
    /// A tag and nothing else.
    Empty,
    /// A team, and nobody chose a member.
    NoMember,
}

impl Help {
    /// Why the message was dropped, as its event says.
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::Untagged => "untagged_reply",
            Self::Gone => "sender_gone",
            Self::NoSender => "no_sender",
            Self::Empty => "empty_reply",
            Self::NoMember => "no_member",
        }
    }

    /// What A reads, in the language of A's country. `names` are those of who can be answered: tags or extensions.
    pub(super) fn text(self, names: &[String], country: &str) -> String {
        let say = match self {
            Self::Untagged | Self::Empty if names.len() > 1 => Say::Untagged,
            Self::Untagged | Self::Empty => Say::Empty,
            Self::Gone if names.is_empty() => Say::Gone,
            Self::Gone => Say::GoneButThese,
            Self::NoSender => Say::NoSender,
            Self::NoMember => Say::NoMember,
        };
        let phrase = phrases::text(say, country);
        match say {
            Say::Untagged | Say::GoneButThese => {
                let some: Vec<&str> = names.iter().take(MAX_NAMED).map(String::as_str).collect();
                format!("{phrase} {}", some.join(" "))
            }
            _ => phrase.to_owned(),
        }
    }
}

/// Whom `text` from A is for, when the senders of `tags` are live.
pub(super) fn address<'a>(tags: &[u32], text: &'a str) -> Answer<'a> {
    let named = split_tag(text);
    match (tags, named) {
        ([], _) => Answer::Nobody(Help::NoSender),
        (_, Some((_, ""))) => Answer::Nobody(Help::Empty),
        (live, Some((tag, text))) if live.contains(&tag) => Answer::To { tag, text },
        (_, Some(_)) => Answer::Nobody(Help::Gone),
        ([only], None) => Answer::To { tag: *only, text },
        (_, None) => Answer::Nobody(Help::Untagged),
    }
}

/// What stands before a body: the sender's tag while `live` senders, this one among them, could be meant.
pub(super) fn tag(tag: u32, live: usize) -> String {
    if live < 2 { String::new() } else { format!("[{tag}] ") }
}

/// A tag for a new sender: the one after the highest that is kept, starting again from 1; none if all are. Tags of people
/// who left are among `kept` for a while, so that A's answer to one of them does not reach somebody else.
pub(super) fn next_tag(kept: &[u32]) -> Option<u32> {
    let highest = kept.iter().copied().max().unwrap_or(0);
    (highest + 1..=MAX_TAG).chain(1..=MAX_TAG).find(|tag| !kept.contains(tag))
}

/// A leading `[n]`, in any of the brackets that phones offer, and the text after it.
fn split_tag(text: &str) -> Option<(u32, &str)> {
    let inner = text.trim_start().strip_prefix(['[', '［', '【'])?;
    let (tag, rest) = inner.split_once([']', '］', '】'])?;
    let tag = tag.trim();
    let digits = (1..=3).contains(&tag.len()) && tag.bytes().all(|byte| byte.is_ascii_digit());
    Some((tag.parse().ok().filter(|_| digits)?, rest.trim_start()))
}

/// The highest tag; the number of live senders is bounded below it.
const MAX_TAG: u32 = 99;
/// How many tags a help text names.
const MAX_NAMED: usize = 9;

#[cfg(test)]
mod tests {
    use super::*;

    fn names(tags: &[u32]) -> Vec<String> {
        tags.iter().map(|tag| format!("[{tag}]")).collect()
    }

    #[test]
    fn a_single_sender_is_answered_without_a_tag() {
        assert_eq!(address(&[1], "See you at 5"), Answer::To { tag: 1, text: "See you at 5" });
        assert_eq!(address(&[4], "[4] See you"), Answer::To { tag: 4, text: "See you" });
    }

    #[test]
    fn among_several_only_a_tag_decides_and_it_is_taken_off() {
        assert_eq!(address(&[1, 3], "[3] yes\nfive"), Answer::To { tag: 3, text: "yes\nfive" });
        assert_eq!(address(&[1, 3], " 【3】yes"), Answer::To { tag: 3, text: "yes" });
        assert_eq!(address(&[1, 3], "yes"), Answer::Nobody(Help::Untagged));
        assert_eq!(address(&[1, 3], "3 yes"), Answer::Nobody(Help::Untagged));
    }

    #[test]
    fn an_answer_to_somebody_who_left_reaches_nobody_else() {
        assert_eq!(address(&[1], "[2] the key is under the mat"), Answer::Nobody(Help::Gone));
        assert_eq!(address(&[1, 3], "[2] hello"), Answer::Nobody(Help::Gone));
        assert_eq!(address(&[], "hello"), Answer::Nobody(Help::NoSender));
        assert_eq!(address(&[1, 2], "[2]  "), Answer::Nobody(Help::Empty));
    }

    #[test]
    fn brackets_around_words_are_no_tag() {
        for text in ["[hello] you", "[] you", "[1234] you", "[+1] you", "(1) you", "[1 you"] {
            assert_eq!(address(&[7], text), Answer::To { tag: 7, text }, "{text}");
        }
    }

    #[test]
    fn a_body_is_unchanged_until_two_can_be_answered() {
        assert_eq!(tag(1, 1), "");
        assert_eq!(tag(3, 2), "[3] ");
    }

    #[test]
    fn tags_grow_and_start_again_without_meeting_a_live_one() {
        assert_eq!(next_tag(&[]), Some(1));
        assert_eq!(next_tag(&[1, 2]), Some(3));
        assert_eq!(next_tag(&[7]), Some(8));
        assert_eq!(next_tag(&[1, 2, 99]), Some(3));
        assert_eq!(next_tag(&(1..=99).collect::<Vec<_>>()), None);
    }

    #[test]
    fn help_fits_a_single_message_and_names_the_live_tags() {
        let many: Vec<u32> = (50..99).collect();
        for help in [Help::Untagged, Help::Gone, Help::NoSender, Help::Empty, Help::NoMember] {
            for tags in [&[][..], &[1][..], &[1, 3][..], &many[..]] {
                let text = help.text(&names(tags), "GB");
                assert!(text.len() <= 160, "{help:?} {}", text.len());
            }
        }
        assert!(Help::Untagged.text(&names(&[1, 3]), "GB").contains("[1] [3]"));
    }
}
