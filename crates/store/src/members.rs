//! Members of the space: who may do what here, removing, and the settings that they share.

use std::collections::{BTreeMap, BTreeSet};

use chrysalis_core::id::{Fingerprint, ReplicaKey};
use chrysalis_core::limits;
use chrysalis_core::member::{Role, Space};
use chrysalis_core::operation::Kind;
use chrysalis_core::payload::{Configure, Payload, Position, Remove};
use rusqlite::Connection;

use crate::error::StoreError;
use crate::ledger::damaged;
use crate::store::Store;
use crate::turn::Turn;
use crate::view::{ROBUST, Views};

/// A replica that takes part, or took part, in the space.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// Its key.
    pub replica: ReplicaKey,
    /// The greatest role of its logs that count; of all its logs when none does.
    pub role: Role,
    /// Agents whose word is the latest on some memory, sorted.
    pub agents: Vec<String>,
    /// When it says to have joined, in ms since the Unix epoch.
    pub joined_ms: u64,
    /// Whose invitation it used; none in an open space, for the founder, and while the inviter is not known here.
    pub invited_by: Option<ReplicaKey>,
    /// The id of that invitation; none in an open space and for the founder.
    pub invitation: Option<ReplicaKey>,
    /// Whether its membership has ended.
    pub is_removed: bool,
}

impl Store {
    /// Whether the space is for members only.
    pub fn is_closed(&self) -> bool {
        matches!(self.space(), Space::Closed { .. })
    }

    pub(crate) fn must_be_closed(&self, so: &str) -> Result<(), StoreError> {
        if self.is_closed() {
            return Ok(());
        }
        let what = format!("the space {:?} is open: whoever knows its name is in it, and {so}", self.space().name());
        Err(StoreError::Refused("space_open", what))
    }

    /// What this replica may do; none when its membership has ended.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn role(&self) -> Result<Option<Role>, StoreError> {
        self.read(|connection| {
            let tables = self.tables(connection);
            let (_, head) = tables.own_head()?.ok_or_else(|| damaged("the store has no log of its own"))?;
            let is_removed = self.views(connection).is_removed(&head.facts.replica)?;
            // Its invitation may have been taken back before anybody had heard of its joining.
            let is_out = tables.find_log(&head.log)?.is_some_and(|(_, _, cut)| cut == Some(0));
            Ok(if is_removed || is_out { None } else { Some(head.facts.role) })
        })
    }

    /// Everyone who takes part or took part, in the order of joining.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn members(&self) -> Result<Vec<Member>, StoreError> {
        self.read(|connection| members_of(&self.views(connection)))
    }

    /// How many logs count here, and which replicas were removed, sorted. Whoever watches members need read them all
    /// only when one of these has changed.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn membership(&self) -> Result<(u64, Vec<ReplicaKey>), StoreError> {
        let counting = "SELECT count(*) FROM log_state WHERE count > 0";
        self.read(|connection| {
            let logs: i64 = connection.prepare_cached(counting)?.query_row([], |row| row.get(0))?;
            let mut statement = connection.prepare_cached("SELECT replica FROM removed ORDER BY replica")?;
            let rows = statement.query_map([], |row| row.get::<_, Vec<u8>>(0))?;
            let read = |row: rusqlite::Result<Vec<u8>>| {
                ReplicaKey::from_slice(&row?).map_err(|refusal| damaged(refusal.to_string()))
            };
            Ok((logs.unsigned_abs(), rows.map(read).collect::<Result<_, StoreError>>()?))
        })
    }

    /// Ends a replica's membership: what this store has of it counts, and nothing that comes later. Says whether it was
    /// a member until now.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for a key that never was a member's; [`StoreError::Invalid`] for one's own;
    /// [`StoreError::Refused`] with `role_lacking`, `removed` or `space_open`.
    pub fn remove(&self, replica: ReplicaKey) -> Result<bool, StoreError> {
        self.must_be_closed("nobody can be removed")?;
        if replica == self.replica() {
            return Err(StoreError::Invalid("a replica does not remove itself: ask another administrator".to_owned()));
        }
        let removed = self.writer.run(move |connection, turn| {
            turn.must_be(connection, Role::Administrator, "remove members")?;
            turn.remove(connection, replica)
        })?;
        self.erase_derived()?;
        Ok(removed)
    }

    /// Whether the space reads scores as trimmed means over its members, and not as maxima.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn is_robust(&self) -> Result<bool, StoreError> {
        self.read(|connection| self.views(connection).is_robust())
    }

    /// Sets how the space reads scores, for every replica.
    ///
    /// # Errors
    /// [`StoreError::Refused`] with `role_lacking`, `removed` or `space_open`; those of writing.
    pub fn set_robust(&self, robust: bool) -> Result<(), StoreError> {
        self.must_be_closed("anyone could have as many voices as he likes")?;
        self.writer.run(move |connection, turn| {
            turn.must_be(connection, Role::Administrator, "set its settings")?;
            if turn.views(connection).is_robust()? == robust {
                return Ok(());
            }
            let replaces = said_of_setting(&turn.views(connection), ROBUST)?;
            let setting = Configure { key: ROBUST.to_owned(), value: robust.to_string(), replaces };
            turn.say(connection, Payload::Configure(setting), None).map(drop)
        })
    }
}

fn members_of(views: &Views<'_>) -> Result<Vec<Member>, StoreError> {
    let mut agents = agents_by_replica(views.tables.connection)?;
    let counting = views.keys_with(Role::Relay)?;
    let mut members: BTreeMap<ReplicaKey, Member> = BTreeMap::new();
    for (number, log) in views.standings()? {
        let Some(opening) = views.tables.opening(number)? else { continue };
        let (_, facts) = views.tables.log_facts(number)?;
        let joined_ms = opening.operation.header().hybrid_ms;
        let invited_by = log.invited.and_then(|invited| invited.issuer);
        let invitation = log.invited.map(|invited| invited.token);
        let member = members.entry(log.replica).or_insert_with(|| Member {
            replica: log.replica,
            role: facts.role,
            agents: agents.remove(&log.replica).unwrap_or_default().into_iter().collect(),
            joined_ms,
            invited_by,
            invitation,
            is_removed: counting.binary_search(&log.replica).is_err(),
        });
        if joined_ms < member.joined_ms {
            (member.joined_ms, member.invited_by, member.invitation) = (joined_ms, invited_by, invitation);
        }
        let cut = views.tables.find_log(&log.id)?.and_then(|(_, _, cut)| cut);
        if member.is_removed || cut != Some(0) {
            member.role = member.role.max(facts.role);
        }
    }
    let mut members: Vec<Member> = members.into_values().collect();
    members.sort_by_key(|member| (member.joined_ms, member.replica));
    Ok(members)
}

fn agents_by_replica(connection: &Connection) -> Result<BTreeMap<ReplicaKey, BTreeSet<String>>, StoreError> {
    let sql = "SELECT DISTINCT l.replica, m.agent FROM memory m JOIN operation o ON o.position = m.head
               JOIN log l ON l.number = o.log";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut agents: BTreeMap<ReplicaKey, BTreeSet<String>> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let replica = ReplicaKey::from_slice(&row.get::<_, Vec<u8>>(0)?);
        let replica = replica.map_err(|refusal| damaged(refusal.to_string()))?;
        agents.entry(replica).or_default().insert(row.get(1)?);
    }
    Ok(agents)
}

/// The operations that said something of a setting and count: what a new value replaces.
fn said_of_setting(views: &Views<'_>, key: &str) -> Result<Vec<Fingerprint>, StoreError> {
    let sql = "SELECT position FROM operation WHERE kind = 6 AND state = 0";
    let mut statement = views.tables.connection.prepare(sql)?;
    let positions = statement.query_map([], |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()?;
    let mut said = BTreeSet::new();
    for position in positions {
        let Some(stored) = views.tables.at(position)? else { continue };
        let payload = stored.operation.body().map(|body| Payload::decode(Kind::Configure, &body.payload));
        if matches!(payload, Some(Ok(Payload::Configure(setting))) if setting.key == key) {
            said.insert(stored.operation.fingerprint());
        }
    }
    Ok(said.into_iter().take(limits::REPLACES_MAX).collect())
}

impl Turn {
    /// Sees to it that the own log can be continued and has at least this role.
    pub(crate) fn must_be(&mut self, connection: &Connection, least: Role, deed: &str) -> Result<(), StoreError> {
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
    pub(crate) fn issuer(&self, connection: &Connection) -> Result<Option<Fingerprint>, StoreError> {
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

    fn remove(&mut self, connection: &Connection, replica: ReplicaKey) -> Result<bool, StoreError> {
        let views = self.views(connection);
        if views.is_removed(&replica)? {
            return Ok(false);
        }
        let mut last = Vec::new();
        let mut is_known = false;
        for (number, log) in views.standings()? {
            is_known |= log.replica == replica;
            if log.replica == replica
                && let Some(end) = views.tables.last(number)?
            {
                last.push(Position { log: log.id, sequence: end.sequence, fingerprint: end.fingerprint });
            }
        }
        if !is_known {
            return Err(StoreError::NotFound(format!("a member with the key {replica}")));
        }
        last.sort_unstable();
        drop(views);
        self.end_membership(connection, replica, last)?;
        Ok(true)
    }

    /// Says that of this key nothing counts but what stands at these places or before.
    pub(crate) fn end_membership(
        &mut self,
        connection: &Connection,
        replica: ReplicaKey,
        last: Vec<Position>,
    ) -> Result<(), StoreError> {
        self.see_all(connection)?;
        self.say(connection, Payload::Remove(Remove { replica, last }), None).map(drop)
    }

    /// Names heads until so few are left that the next operation names them all: it then shows what its author had
    /// seen.
    fn see_all(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let mut unseen = connection.prepare("SELECT count(*) FROM unseen")?;
        while unseen.query_row([], |row| row.get::<_, i64>(0))? > limits::DEPENDENCIES_MAX as i64 {
            self.say(connection, Payload::Touch(Vec::new()), None)?;
        }
        Ok(())
    }
}

fn with_article(role: Role) -> String {
    let article = if role == Role::Administrator { "an" } else { "a" };
    format!("{article} {}", role.name())
}
