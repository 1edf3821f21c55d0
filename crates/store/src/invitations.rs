//! Invitations that this replica signed: making one, listing those that are still open, taking one back.
//!
//! An invitation is nowhere in the log: nobody needs to hear of it before it is used. What was signed here is noted
//! beside the log, without the secret, so that it can be listed and taken back by its id, the public key of its token.
//! Taking it back is a removal of that key, which every replica hears of.

use std::sync::Arc;

use chrysalis_core::id::ReplicaKey;
use chrysalis_core::member::{Invitation, Role};
use chrysalis_core::sign::SecretKey;
use chrysalis_core::token::Token;
use rusqlite::Connection;
use zeroize::Zeroizing;

use crate::error::StoreError;
use crate::ledger::damaged;
use crate::schema;
use crate::store::Store;
use crate::turn::Turn;

/// What the keys of `meta` begin with under which invitations are noted, by the hexadecimal digits of their ids.
const KEY: &str = "invitation:";

/// The first key after those of invitations.
const END: &str = "invitation;";

/// An invitation that can still be used, as far as is known here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OpenInvitation {
    /// The public key of its token.
    pub id: ReplicaKey,
    /// What whoever uses it may do.
    pub role: Role,
    /// Until when it may be used, in ms since the Unix epoch; none: for ever.
    pub expires_ms: Option<u64>,
    /// Replicas that came in by it, as far as is known here.
    pub joined: usize,
}

impl Store {
    /// Signs an invitation and returns the token, a secret, that goes with it. Until `expires_ms` any number of replicas
    /// may join by it. Nothing is written into the log, and nobody has to be online when it is used.
    ///
    /// # Errors
    /// [`StoreError::Refused`] with `role_lacking` unless this replica is an administrator, with `removed`, or with
    /// `space_open`; [`StoreError::Invalid`] for addresses that are none.
    pub fn invite(
        &self,
        role: Role,
        expires_ms: Option<u64>,
        addresses: Vec<String>,
    ) -> Result<Zeroizing<String>, StoreError> {
        self.must_be_closed("nobody can be invited")?;
        let seed = Zeroizing::new(self.shared.random::<32>()?);
        let ephemeral = SecretKey::from_seed(&seed).public();
        let shared = Arc::clone(&self.shared);
        let space = self.space().clone();
        self.writer.run(move |connection, turn| {
            turn.must_be(connection, Role::Administrator, "invite")?;
            let issuer = turn.issuer(connection)?;
            let invitation = Invitation::sign(&space.id(), role, expires_ms, ephemeral, issuer, &shared.key);
            let token = Token::new(space, invitation, *seed, addresses);
            let token = token.map_err(|refusal| StoreError::Invalid(refusal.to_string()))?;
            note(connection, &token.invitation, (shared.clock)())?;
            Ok(token.encode())
        })
    }

    /// The invitations of this replica that can still be used, those that end first at the front.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn invitations(&self) -> Result<Vec<OpenInvitation>, StoreError> {
        let now_ms = (self.shared.clock)();
        self.read(|connection| {
            let views = self.views(connection);
            let mut open = Vec::new();
            for invitation in noted(connection)? {
                let id = invitation.ephemeral;
                if has_ended(&invitation, now_ms) || views.is_removed(&id)? {
                    continue;
                }
                let (role, expires_ms) = (invitation.role, invitation.expires_ms);
                open.push(OpenInvitation { id, role, expires_ms, joined: 0 });
            }
            if !open.is_empty() {
                for invited in views.standings()?.values().filter_map(|log| log.invited) {
                    let used = open.iter_mut().find(|one| one.id == invited.token);
                    used.into_iter().for_each(|one| one.joined += 1);
                }
            }
            open.sort_by_key(|one| (one.expires_ms.unwrap_or(u64::MAX), one.id));
            Ok(open)
        })
    }

    /// Takes an invitation back, by its id: whoever joins by it from now on counts nowhere, once the others have heard.
    /// Who had come in by it, as far as is known here, stays. Says whether it had not been taken back before.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for an id that is neither that of an invitation of this replica nor of one that was
    /// used; [`StoreError::Refused`] with `role_lacking`, `removed` or `space_open`.
    pub fn revoke(&self, id: ReplicaKey) -> Result<bool, StoreError> {
        self.take_back(id, false)
    }

    /// As [`Store::revoke`], by the token itself: whichever administrator signed the invitation.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for a token that leads into another space; else as for [`Store::revoke`].
    pub fn revoke_token(&self, token: &Token) -> Result<bool, StoreError> {
        if token.space != *self.space() {
            let what = format!("the token leads into the space {:?}, which is not this one", token.space.name());
            return Err(StoreError::Invalid(what));
        }
        self.take_back(token.invitation.ephemeral, true)
    }

    fn take_back(&self, id: ReplicaKey, shown: bool) -> Result<bool, StoreError> {
        self.must_be_closed("nobody is invited")?;
        let revoked = self.writer.run(move |connection, turn| {
            turn.must_be(connection, Role::Administrator, "take back invitations")?;
            turn.revoke(connection, id, shown)
        })?;
        self.erase_derived()?;
        Ok(revoked)
    }
}

impl Turn {
    fn revoke(&mut self, connection: &Connection, id: ReplicaKey, shown: bool) -> Result<bool, StoreError> {
        let views = self.views(connection);
        let logs = views.standings()?;
        let was_used = logs.values().any(|log| log.invited.is_some_and(|invited| invited.token == id));
        let is_known = shown || was_used || schema::meta(connection, &key_of(&id))?.is_some();
        let was_revoked = views.is_removed(&id)?;
        drop(views);
        if !(is_known || was_revoked) || logs.values().any(|log| log.replica == id) {
            return Err(StoreError::NotFound(format!("an invitation with the id {id}")));
        }
        connection.execute("DELETE FROM meta WHERE key = ?1", [key_of(&id)])?;
        if !was_revoked {
            self.end_membership(connection, id, Vec::new())?;
        }
        Ok(!was_revoked)
    }
}

/// Whether an invitation is noted under this key of `meta`.
pub(crate) fn is_key(key: &str) -> bool {
    key.starts_with(KEY)
}

fn key_of(id: &ReplicaKey) -> String {
    format!("{KEY}{}", id.to_hex())
}

fn has_ended(invitation: &Invitation, now_ms: u64) -> bool {
    invitation.expires_ms.is_some_and(|expires_ms| expires_ms < now_ms)
}

/// Notes an invitation, and lets go of those that have ended.
pub(crate) fn note(connection: &Connection, invitation: &Invitation, now_ms: u64) -> Result<(), StoreError> {
    for ended in noted(connection)?.into_iter().filter(|one| has_ended(one, now_ms)) {
        connection.execute("DELETE FROM meta WHERE key = ?1", [key_of(&ended.ephemeral)])?;
    }
    schema::set_meta(connection, &key_of(&invitation.ephemeral), &invitation.encode())
}

fn noted(connection: &Connection) -> Result<Vec<Invitation>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT value FROM meta WHERE key >= ?1 AND key < ?2")?;
    let rows = statement.query_map((KEY, END), |row| row.get::<_, Vec<u8>>(0))?;
    let read = |bytes: Vec<u8>| {
        Invitation::decode(&bytes).map_err(|refusal| damaged(format!("a noted invitation: {refusal}")))
    };
    rows.map(|bytes| read(bytes?)).collect()
}
