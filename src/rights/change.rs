//! A person has another number now: aliases follow, on two proofs.

use std::time::Duration;

use super::gather::is_active;
use super::{COOLING, ROUNDS, Rights, RightsError};
use crate::access::{Permit, TokenRef};
use crate::event::What;
use crate::ids::AliasId;
use crate::keyring::SystemKeys;
use crate::store::{AliasRow, Change, Conflict, Held, Move, Party, StoreError, VerificationStatus, Write};
use crate::token::Token;
use crate::vault::{Holder, Person};
use crate::verify::Claims;

/// What is asked.
pub struct ChangeNumber {
    /// The person under the new number.
    pub new: Token,
    /// A proof of each number, in either order.
    pub proofs: [String; 2],
    /// Whether everything else of the old number goes.
    pub erase_old: bool,
}

/// What became of it.
pub struct NumberChange {
    /// The person under the new number, in the caller's audience.
    pub token: Token,
    /// The aliases that followed.
    pub aliases: Vec<AliasId>,
    /// Whether everything else of the old number is gone.
    pub old_erased: bool,
}

impl Rights {
    /// Moves the active aliases of the permit's token to `wish.new`. Both numbers were proven to this tenant within the
    /// last ten minutes, and each proof works once. The other parties keep writing to the numbers they know.
    ///
    /// # Errors
    /// [`RightsError::ProofInvalid`], [`RightsError::ProofUsed`], [`RightsError::SameParty`],
    /// [`RightsError::AliasConflict`]: then nothing moved.
    pub async fn change_number(
        &self,
        permit: &Permit<TokenRef>,
        wish: ChangeNumber,
    ) -> Result<NumberChange, RightsError> {
        let (old, new) = (self.vault.person(permit).await?, self.vault.person_of(permit, &wish.new).await?);
        if old.index == new.index {
            return Err(RightsError::SameParty);
        }
        let holder = self.vault.addressee(permit, &wish.new).await?;
        let claims = self.proven(permit, &wish.proofs, &old, &new).await?;
        let aliases = self.moved(permit, &old, &new, holder, &claims).await?;
        if wish.erase_old {
            self.erase_person(permit, &old).await?;
        }
        let token = self.vault.token_of(permit.tenant(), holder.record, permit.audience()).await?;
        Ok(NumberChange { token, aliases, old_erased: wish.erase_old })
    }

    /// One proof of each number, as fresh as asked, of verifications that this tenant had approved.
    async fn proven(
        &self,
        permit: &Permit<TokenRef>,
        proofs: &[String; 2],
        old: &Person,
        new: &Person,
    ) -> Result<Vec<Claims>, RightsError> {
        let mut read = Vec::new();
        let mut people = Vec::new();
        for proof in proofs {
            let claims = self.verify.read_proof(permit.tenant(), proof).ok_or(RightsError::ProofInvalid)?;
            let verification = claims.ver.parse().map_err(|_| RightsError::ProofInvalid)?;
            let row = self.store.verification(permit.tenant(), verification).await?;
            let row = row.filter(|row| row.status == VerificationStatus::Approved);
            people.push(row.ok_or(RightsError::ProofInvalid)?.key.party);
            let age = self.store.now().as_secs().saturating_sub(claims.iat);
            if !(0..=FRESH.as_secs().cast_signed()).contains(&age.max(0)) {
                return Err(RightsError::ProofInvalid);
            }
            read.push(claims);
        }
        if people == [old.index, new.index] || people == [new.index, old.index] {
            Ok(read)
        } else {
            Err(RightsError::ProofInvalid)
        }
    }

    async fn moved(
        &self,
        permit: &Permit<TokenRef>,
        old: &Person,
        new: &Person,
        holder: Holder,
        claims: &[Claims],
    ) -> Result<Vec<AliasId>, RightsError> {
        let tenant = permit.tenant();
        for _ in 0..ROUNDS {
            let gathered = self.gather(tenant, old, None, 0).await?;
            let moves = self.moves(&gathered.held, &gathered.places, new, holder)?;
            let aliases: Vec<_> = moves.iter().map(|(alias, ..)| alias.id).collect();
            let at = self.store.now();
            let told = What::NumberChanged { from: old.subject, to: new.subject, aliases: aliases.clone() };
            let mut change = Change::telling(permit.event(at, told));
            change.writes = used_up(&self.keyring.system(), claims);
            let change =
                change.with(Write::Move(Box::new(Move { tenant, aliases: moves, cool_until: at.plus(COOLING) })));
            match self.store.commit(change).await {
                Ok(_) => return Ok(aliases),
                Err(StoreError::Conflict(Conflict::Taken)) => return Err(RightsError::ProofUsed),
                Err(StoreError::Conflict(Conflict::LegTaken)) => return Err(RightsError::AliasConflict),
                Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(RightsError::Busy)
    }

    /// Each active alias, with who the person was and is in it.
    fn moves(
        &self,
        held: &Held,
        places: &[crate::store::BlindIndex],
        new: &Person,
        holder: Holder,
    ) -> Result<Vec<(AliasRow, Party, Party)>, RightsError> {
        let mut moves = Vec::new();
        for alias in held.aliases.iter().filter(|alias| is_active(alias)) {
            let index = self.vault.places(new, [alias.pool]).first().copied().ok_or(RightsError::NotFound)?;
            let people = alias.people();
            let old = people.iter().find(|party| places.contains(&party.index)).ok_or(RightsError::NotFound)?;
            if people.iter().any(|party| party.index == index) {
                return Err(RightsError::SameParty);
            }
            moves.push((alias.clone(), *old, Party { record: holder.record, index }));
        }
        Ok(moves)
    }
}

/// The writes after which these proofs change no number again.
fn used_up(system: &SystemKeys, claims: &[Claims]) -> Vec<Write> {
    let used = |claims: &Claims| Write::UseProof {
        jti: system.fingerprint(&[b"proof", claims.jti.as_bytes()]),
        until: crate::clock::Timestamp::from_millis(claims.exp.saturating_mul(1_000)),
    };
    claims.iter().map(used).collect()
}

/// How old a proof may be.
const FRESH: Duration = Duration::from_secs(600);
