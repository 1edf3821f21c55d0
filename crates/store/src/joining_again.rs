//! Joining a space once more, by another invitation than before.
//!
//! An invitation may be taken back before anybody heard of the replica that came by it. That replica is let in nowhere,
//! and can't know it by itself. With a new token it goes on in a new epoch, whose opening stands alone so that it can be
//! admitted at the door. As soon as it hears that its earlier words are void it says them again.

use std::collections::BTreeMap;

use chrysalis_core::causality::LogNumber;
use chrysalis_core::fork::Cut;
use chrysalis_core::id::ReplicaKey;
use chrysalis_core::member::{Role, Space};
use chrysalis_core::token::Token;
use rusqlite::Connection;

use crate::belonging::opened_by;
use crate::error::StoreError;
use crate::ledger::Tables;
use crate::turn::{Turn, UsedGrant};
use crate::view::Views;

/// Logs of this replica that are void from some place on.
pub(crate) type OwnCuts = BTreeMap<LogNumber, i64>;

/// Whether a store that belongs to the token's space already joins by it once more. A token by which it came, or one
/// that would make less of it, says nothing new.
///
/// # Errors
/// [`StoreError::Refused`] with `removed` when its membership has ended, with `invitation_revoked` when the token is
/// known to be taken back, with `role_lacking` when its role could not say again what was said.
pub(crate) fn is_another_way_in(views: &Views<'_>, token: &Token, key: &ReplicaKey) -> Result<bool, StoreError> {
    let Space::Closed { founder, .. } = views.space else { return Ok(false) };
    let invitation = &token.invitation;
    if founder == key || came_by(&views.tables, key, &invitation.ephemeral)? {
        return Ok(false);
    }
    let role = present_role(views)?;
    if role.is_some_and(|role| invitation.role < role) {
        return Ok(false);
    }
    if views.is_removed(key)? {
        let what = "this replica was removed from the space for good: join with a new store".to_owned();
        return Err(StoreError::Refused("removed", what));
    }
    if views.is_removed(&invitation.ephemeral)? {
        return Err(StoreError::Refused("invitation_revoked", "the invitation was taken back".to_owned()));
    }
    if role.is_none() && invitation.role < Role::Writer && has_words(views.tables.connection, key)? {
        let what = format!(
            "this store has said things that a {} could not say again: ask for an invitation as a writer",
            invitation.role.name()
        );
        return Err(StoreError::Refused("role_lacking", what));
    }
    Ok(true)
}

/// The role by the present log, as far as this store knows; none when that log is void.
fn present_role(views: &Views<'_>) -> Result<Option<Role>, StoreError> {
    let Some((_, head)) = views.tables.own_head()? else { return Ok(None) };
    let found = views.tables.find_log(&head.log)?;
    Ok(found.filter(|(_, _, cut)| cut.is_none()).map(|(_, facts, _)| facts.role))
}

/// Whether a log of this replica was opened by this token.
fn came_by(tables: &Tables<'_>, key: &ReplicaKey, token: &ReplicaKey) -> Result<bool, StoreError> {
    let mut statement = tables.connection.prepare_cached("SELECT number FROM log WHERE replica = ?1")?;
    let numbers = statement.query_map([key.as_bytes()], |row| row.get(0))?.collect::<Result<Vec<LogNumber>, _>>()?;
    for number in numbers {
        let Some(opening) = tables.opening(number)? else { continue };
        let used = opened_by(&opening.operation).and_then(|(_, used)| used);
        if used.is_some_and(|used| used.grant.invitation.ephemeral == *token) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn has_words(connection: &Connection, key: &ReplicaKey) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM operation o JOIN log l ON l.number = o.log
               WHERE l.replica = ?1 AND o.kind <> 0 AND o.payload IS NOT NULL";
    Ok(connection.prepare_cached(sql)?.exists([key.as_bytes()])?)
}

impl Turn {
    /// Goes on by another invitation. What is known to be void already is said again at once.
    pub(crate) fn join_again(&mut self, connection: &Connection, used: &UsedGrant) -> Result<(), StoreError> {
        let key = self.shared().key.public();
        // Another process may have done it meanwhile.
        if came_by(&self.views(connection).tables, &key, &used.grant.invitation.ephemeral)? {
            return Ok(());
        }
        self.open_epoch(connection, Some(used.clone()))?;
        self.begin_losing();
        self.lose_uninvited(connection, &OwnCuts::new())?;
        self.say_lost(connection)
    }

    /// Which logs of this replica are void, and from where on.
    pub(crate) fn own_cuts(&self, connection: &Connection) -> Result<OwnCuts, StoreError> {
        let sql = "SELECT number, cut FROM log WHERE replica = ?1 AND cut IS NOT NULL";
        let mut statement = connection.prepare_cached(sql)?;
        let own = self.shared().key.public();
        let rows = statement.query_map([own.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Notes what became void of this replica's own words because an invitation does not hold any more, if it has come
    /// in by another one since. Forks have their own way: see `take_fork`.
    pub(crate) fn lose_uninvited(&mut self, connection: &Connection, before: &OwnCuts) -> Result<(), StoreError> {
        self.read_head(connection)?;
        if self.is_void() {
            return Ok(());
        }
        for (number, cut) in self.own_cuts(connection)? {
            if cut != 0 || before.get(&number) == Some(&0) {
                continue;
            }
            let (log, _) = self.views(connection).tables.log_facts(number)?;
            let said = self.said_since(connection, &Cut { log, sequence: 0 })?;
            self.lose(said);
        }
        Ok(())
    }
}
