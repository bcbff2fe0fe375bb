//! One change in the writer's transaction: its writes in order, then its entries.

use super::log::{self, Draft};
use super::writer::Tx;
use super::{
    access, age, alias, approval, budget, call, crossing, delivery, erase, keys, leg, lookalike, message, notice,
    outbox, outreach, place, policy, pool, rebind, renumber, route, spend, suppression, sweep, tally, token, told,
    verification, webhook,
};
use crate::store::{AliasWrite, Change, Committed, Settled, StoreError, Task, Write};

/// A change whose entries are made, ready for the writer.
pub(super) struct Prepared {
    writes: Vec<Write>,
    drafts: Vec<Draft>,
}

impl Prepared {
    pub(super) fn of(change: Change) -> Result<Self, StoreError> {
        let drafts = change.events.iter().map(Draft::of).collect::<Result<_, _>>()?;
        Ok(Self { writes: change.writes, drafts })
    }

    /// About the number of rows it writes.
    pub(super) fn weight(&self) -> usize {
        self.writes.len() + self.drafts.len()
    }

    /// The names of what happened, for counting once it is durable.
    pub(super) fn actions(&self) -> Vec<String> {
        self.drafts.iter().map(|draft| draft.action().to_owned()).collect()
    }

    /// Whether every precondition is found out by the first statement: then a refusal has written nothing.
    pub(super) fn is_whole(&self) -> bool {
        match self.writes.as_slice() {
            [] => true,
            [only] => matches!(
                only,
                Write::Token(_) | Write::SpendAttempt { .. } | Write::CountFailure { .. } | Write::Spend(_)
            ),
            _ => false,
        }
    }

    /// Whether a task goes into the outbox.
    pub(super) fn enqueues(&self) -> bool {
        self.writes.iter().any(|write| matches!(write, Write::Enqueue(_)))
    }

    /// Whether something is to be forgotten, which the WAL is to forget soon too.
    pub(super) fn erases(&self) -> bool {
        let erases =
            |write: &Write| matches!(write, Write::Erase(_) | Write::ForgetMessages { .. } | Write::EraseTenant { .. });
        self.writes.iter().any(erases)
    }

    /// Writes all of it, or fails at the first precondition that does not hold.
    pub(super) fn apply(self, tx: &mut Tx<'_>) -> Result<Committed, StoreError> {
        let mut committed = Committed::default();
        let audiences = told::before(tx, &self.drafts)?;
        let (is_moved, erased) = (told::is_moved_by(&self.writes), told::erased(&self.writes));
        for write in self.writes {
            apply(tx, write, &mut committed)?;
        }
        if is_moved {
            tx.subscriptions.doubt();
        }
        (committed.index, committed.leaves) = log::append(tx, &self.drafts)?;
        let told = told::tell(tx, &self.drafts, committed.index, &audiences, &erased)?;
        committed.notified.extend(told);
        Ok(committed)
    }
}

fn apply(tx: &Tx<'_>, write: Write, committed: &mut Committed) -> Result<(), StoreError> {
    match write {
        Write::Tenant(row) => access::add_tenant(tx, &row),
        Write::Credential(row) => access::add_credential(tx, &row),
        Write::EndCredential { tenant, id, at } => access::end_credential(tx, tenant, id, at),
        Write::Freeze { target, on } => access::freeze(tx, &target, on),
        Write::Audience { tenant, audience } => access::add_audience(tx, tenant, &audience),
        Write::FileApproval(row) => approval::file(tx, &row),
        Write::DecideApproval(decision) => approval::decide(tx, &decision),
        Write::UseApproval { tenant, id } => approval::spend(tx, tenant, id),
        Write::ExpireApproval { tenant, id } => approval::expire(tx, tenant, id),
        Write::Spend(spend) => {
            committed.spent = Some(budget::spend(tx, &spend)?);
            Ok(())
        }
        Write::TellExhausted { credential, kind, at } => budget::tell(tx, credential, kind, at),
        Write::AdoptPolicy { row, files, over } => policy::adopt(tx, &row, &files, over.as_deref()),
        Write::ProposePolicy { row, files } => policy::propose(tx, &row, &files),
        Write::ActivatePolicy { version, approver, at } => policy::activate(tx, &version, &approver, at),
        Write::WithdrawPolicy { version, at } => policy::withdraw(tx, &version, at),
        Write::SetRoutes(row) => route::set(tx, &row),
        Write::CloseRoute(row) => route::close(tx, &row),
        Write::OpenRoute { tenant, carrier, country, class } => route::open(tx, tenant, &carrier, &country, class),
        Write::Key(row) => keys::add(tx, &row),
        Write::RewrapKey { key, from } => keys::rewrap(tx, &key, &from),
        Write::RetireKey { owner, purpose, version } => keys::retire(tx, &owner, &purpose, version),
        Write::DoomKeys { owner } => keys::doom(tx, &owner),
        Write::KekDestroyed { owner } => keys::kek_destroyed(tx, &owner),
        Write::Reseal { tenant, at, from, to } => keys::reseal(tx, tenant, &at, &from, &to),
        Write::Token(row) => token::add(tx, &row),
        Write::Lookalike(row) => lookalike::add(tx, &row),
        Write::Erase(what) => {
            committed.erased = erase::erase(tx, &what)?;
            Ok(())
        }
        Write::ForgetMessages { tenant, aliases, party, limit } => {
            committed.erased.messages = erase::forget_messages(tx, tenant, &aliases, party, limit)?;
            Ok(())
        }
        Write::SetEpoch { tenant, person, epoch } => erase::set_epoch(tx, tenant, person, epoch),
        Write::Move(change) => renumber::renumber(tx, &change),
        Write::UseProof { jti, until } => erase::use_proof(tx, &jti, until),
        Write::EraseTenant { tenant, at } => access::erase_tenant(tx, tenant, at),
        Write::Age { class, keys, within } => {
            committed.aged = age::age(tx, class, &keys, within)?;
            Ok(())
        }
        Write::Clear { tenant } => age::clear(tx, tenant),
        Write::StartVerification { row, supersedes } => verification::start(tx, &row, supersedes),
        Write::SpendAttempt { tenant, id } => {
            committed.attempts_left = Some(verification::spend(tx, tenant, id)?);
            Ok(())
        }
        Write::CountSend { tenant, id, channel } => verification::count_send(tx, tenant, id, channel),
        Write::EndVerification { tenant, id, status } => verification::end(tx, tenant, id, status),
        Write::CountFailure { tenant, party, day } => verification::count_failure(tx, tenant, party, day),
        Write::Pool(row) => pool::add(tx, &row),
        Write::Number(row) => pool::add_number(tx, &row),
        Write::DrainNumber { pool, number } => pool::drain(tx, pool, number),
        Write::BindAlias { alias: row, legs } => alias::bind(tx, &row, &legs),
        Write::ExtendAlias { tenant, id, expires_at } => alias::extend(tx, tenant, id, expires_at),
        Write::EndAlias { tenant, id, status, cool_until, rest_until } => {
            alias::end(tx, tenant, id, status, &place::Kept { cool_until, rest_until })
        }
        Write::Alias(write) => arrange(tx, write),
        Write::Sender(row) => message::put_sender(tx, &row),
        Write::Message(row) => message::add(tx, &row),
        Write::NoteFailure { tenant, message, failure } => message::note_failure(tx, tenant, message, &failure),
        Write::SetProfile { tenant, profile } => outreach::set_profile(tx, tenant, &profile),
        Write::Template(row) => outreach::add_template(tx, &row),
        Write::RemoveTemplate { tenant, id } => outreach::remove_template(tx, tenant, id),
        Write::Complaint(row) => outreach::add_complaint(tx, &row),
        Write::Spending(what) => {
            committed.near.extend(spend::spend(tx, &what)?);
            Ok(())
        }
        Write::TellCap { tenant, payer, share } => spend::tell(tx, tenant, payer, share),
        Write::Suppress(row) => suppression::add(tx, &row),
        Write::Unsuppress { tenant, index, scopes } => suppression::remove(tx, tenant, index, &scopes),
        Write::Part { key, part } => message::add_part(tx, &key, &part),
        Write::TakeParts { key, count } => message::take_parts(tx, &key, count),
        Write::Call(write) => call::write(tx, write),
        Write::Crossing(write) => crossing::write(tx, write),
        Write::Enqueue(row) => outbox::enqueue(tx, &row),
        Write::Dequeue(id) => outbox::dequeue(tx, id),
        Write::PutOff { id, until, attempts } => outbox::put_off(tx, id, until, attempts),
        Write::RecordSubmission { carrier, tenant, task, ids, counted } => {
            tally::sent(tx, tenant, &carrier, ids.len(), &counted);
            let settled = delivery::submitted(tx, &carrier, tenant, task, &ids, &counted)?;
            settle(tx, settled, committed)
        }
        Write::SetDelivery { tenant, task, status } => delivery::set(tx, tenant, task, status).map(drop),
        Write::RecordReceipt(receipt) => {
            let settled = delivery::receipt(tx, &receipt)?;
            settle(tx, settled, committed)
        }
        Write::Webhook(row) => webhook::add(tx, &row),
        Write::ChangeWebhook { tenant, id, url, events } => {
            webhook::change(tx, tenant, id, url.as_deref(), events.as_deref())
        }
        Write::RotateWebhook { tenant, id, salt, until } => webhook::rotate(tx, tenant, id, &salt, until),
        Write::SwitchWebhook { tenant, id, disabled } => {
            committed.notified.push((tenant, id));
            webhook::switch(tx, tenant, id, disabled.as_deref())
        }
        Write::DeleteWebhook { tenant, id } => webhook::delete(tx, tenant, id),
        Write::NotifyAgain { tenant, id, which } => {
            committed.again = notice::again(tx, tenant, id, which)?;
            committed.notified.push((tenant, id));
            Ok(())
        }
        Write::Sweep => {
            let (settled, is_full) = sweep::sweep(tx)?;
            committed.aged = usize::from(is_full);
            settle(tx, settled, committed)
        }
    }
}

fn arrange(tx: &Tx<'_>, write: AliasWrite) -> Result<(), StoreError> {
    match write {
        AliasWrite::OpenSession(row) => leg::open_session(tx, &row),
        AliasWrite::Rebind { was, alias, legs, cool_until } => {
            rebind::rebind(tx, &was, &alias, &legs, &place::Kept { cool_until, rest_until: cool_until })
        }
        AliasWrite::Adjust { tenant, id, disclose, unknown } => alias::adjust(tx, tenant, id, disclose, unknown),
        AliasWrite::SetAside { pool, number, reason } => pool::set_aside(tx, pool, number, reason.as_deref()),
        AliasWrite::LowWater { pool, low_water } => pool::set_low_water(tx, pool, low_water),
        AliasWrite::ToldLow { pool, told } => pool::told_low(tx, pool, told),
    }
}

/// Counts what became of messages, and gives it back.
fn settle(
    tx: &Tx<'_>,
    settled: impl IntoIterator<Item = Settled>,
    committed: &mut Committed,
) -> Result<(), StoreError> {
    for settled in settled {
        tally::settled(tx, &settled)?;
        if let (Task::Message(id), Some(failure)) = (settled.task, settled.failure) {
            message::note_failure(tx, settled.tenant, id, failure.as_str())?;
        }
        committed.settled.push(settled);
    }
    Ok(())
}
