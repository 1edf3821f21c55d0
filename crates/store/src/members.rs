//! Members of the space: who may do what here, inviting and removing.

use std::sync::Arc;

use chrysalis_core::member::{Invitation, Role, Space};
use chrysalis_core::sign::SecretKey;
use chrysalis_core::token::Token;
use zeroize::Zeroizing;

use crate::error::StoreError;
use crate::ledger::damaged;
use crate::store::Store;
use crate::turn::Turn;

impl Store {
    /// Whether the space is for members only.
    pub fn is_closed(&self) -> bool {
        matches!(self.space(), Space::Closed { .. })
    }

    /// What this replica may do; none when its membership has ended.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn role(&self) -> Result<Option<Role>, StoreError> {
        self.read(|connection| {
            let tables = self.tables(connection);
            let (_, head) = tables.own_head()?.ok_or_else(|| damaged("the store has no log of its own"))?;
            let cut = tables.find_log(&head.log)?.and_then(|(_, _, cut)| cut);
            let is_removed = cut.is_some() && self.views(connection).is_removed(&head.facts.replica)?;
            Ok(if is_removed { None } else { Some(head.facts.role) })
        })
    }

    /// Signs an invitation and returns the token, a secret, that goes with it. Until `expires_ms` any number of replicas
    /// may join by it; nothing is written, and nobody has to be online when it is used.
    ///
    /// # Errors
    /// [`StoreError::Refused`] with `role_lacking` unless this replica is an administrator of a closed space, or with
    /// `removed`; [`StoreError::Invalid`] for addresses that are none.
    pub fn invite(
        &self,
        role: Role,
        expires_ms: Option<u64>,
        addresses: Vec<String>,
    ) -> Result<Zeroizing<String>, StoreError> {
        if !self.is_closed() {
            let what = format!(
                "the space {:?} is open: whoever knows its name is in it, and nobody can be invited",
                self.space().name()
            );
            return Err(StoreError::Refused("space_open", what));
        }
        let seed = Zeroizing::new(self.shared.random::<32>()?);
        let ephemeral = SecretKey::from_seed(&seed).public();
        let shared = Arc::clone(&self.shared);
        let invitation = self.writer.run(move |connection, turn| {
            turn.must_be(connection, Role::Administrator, "invite")?;
            let issuer = turn.issuer(connection)?;
            Ok(Invitation::sign(&shared.space.id(), role, expires_ms, ephemeral, issuer, &shared.key))
        })?;
        let token = Token::new(self.space().clone(), invitation, *seed, addresses);
        Ok(token.map_err(|refusal| StoreError::Invalid(refusal.to_string()))?.encode())
    }
}

impl Turn {
    /// Sees to it that the own log can be continued and has at least this role.
    fn must_be(&mut self, connection: &rusqlite::Connection, least: Role, deed: &str) -> Result<(), StoreError> {
        self.continue_log(connection)?;
        match self.head().map(|head| head.facts.role) {
            Some(role) if role >= least => Ok(()),
            role => {
                let role = role.map_or("stranger", Role::name);
                let what = format!("this replica is a {role} of the space; to {deed} takes {}", with_article(least));
                Err(StoreError::Refused("role_lacking", what))
            }
        }
    }

    /// What an invitation by this replica names as its issuer: its own opening, or nothing when it founded the space.
    fn issuer(&self, connection: &rusqlite::Connection) -> Result<Option<chrysalis_core::id::Fingerprint>, StoreError> {
        let shared = self.shared();
        if matches!(&shared.space, Space::Closed { founder, .. } if *founder == shared.key.public()) {
            return Ok(None);
        }
        let tables = self.views(connection).tables;
        let own = tables.own_head()?.map(|(own, _)| own);
        let opening = own.map(|own| tables.opening(own)).transpose()?.flatten();
        let opening = opening.ok_or_else(|| damaged("the own log has no beginning"))?;
        Ok(Some(opening.operation.fingerprint()))
    }
}

fn with_article(role: Role) -> String {
    let article = if role == Role::Administrator { "an" } else { "a" };
    format!("{article} {}", role.name())
}
