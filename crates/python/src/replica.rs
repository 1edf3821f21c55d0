//! The store as one Python object. Every call lets go of the interpreter while it works.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrysalis_core::id::ReplicaKey;
use chrysalis_core::member::Role;
use chrysalis_core::payload::Field;
use chrysalis_core::token::TOKEN_PREFIX;
use chrysalis_store::{
    ConnectionOptions, MadeVectors, MemoryRow, Order, Query, Remember, Revision, Store, StoreError, StoreOptions,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::convert;
use crate::error::raise;
use crate::keep;
use crate::members;
use crate::memory::Memory;

/// See the stub.
#[pyclass(frozen, module = "chrysalis_memory._core")]
pub struct Replica {
    store: Arc<Store>,
}

impl Replica {
    pub(crate) fn store(&self) -> Arc<Store> {
        Arc::clone(&self.store)
    }

    fn run<T: Send>(&self, py: Python<'_>, job: impl FnOnce(&Store) -> Result<T, StoreError> + Send) -> PyResult<T> {
        let store = &*self.store;
        py.detach(|| job(store)).map_err(|error| raise(py, error))
    }

    fn memory(&self, row: MemoryRow) -> Memory {
        Memory { row, store: Arc::clone(&self.store) }
    }

    fn memories<'py>(&self, py: Python<'py>, rows: Vec<MemoryRow>) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        for row in rows {
            list.append(Py::new(py, self.memory(row))?)?;
        }
        Ok(list)
    }
}

fn wanted(said: &Bound<'_, PyDict>) -> PyResult<Remember> {
    let said = said.copy()?;
    let id: Option<String> = match said.get_item("id")? {
        Some(id) => id.extract()?,
        None => None,
    };
    if said.contains("id")? {
        said.del_item("id")?;
    }
    Ok(Remember { id, edit: convert::edit(&said)? })
}

#[pymethods]
impl Replica {
    #[new]
    #[pyo3(signature = (path, *, passphrase, space, closed, invite, durability, busy_timeout_ms, cache_bytes, mmap_bytes, payload_bytes_max))]
    #[allow(clippy::too_many_arguments)]
    fn open(
        py: Python<'_>,
        path: PathBuf,
        passphrase: Option<&str>,
        space: Option<String>,
        closed: bool,
        invite: Option<String>,
        durability: &str,
        busy_timeout_ms: u64,
        cache_bytes: u64,
        mmap_bytes: u64,
        payload_bytes_max: usize,
    ) -> PyResult<Self> {
        let connection = ConnectionOptions {
            durability: durability.parse().map_err(|error| raise(py, error))?,
            busy_timeout: Duration::from_millis(busy_timeout_ms),
            mmap_size_bytes: mmap_bytes,
            cache_size_bytes: cache_bytes,
            key: None,
        };
        let options = StoreOptions {
            space,
            closed,
            invite: members::token(py, invite)?,
            passphrase: keep::given(py, passphrase)?,
            connection,
            payload_bytes_max,
            ..StoreOptions::default()
        };
        let store = py.detach(|| Store::open(&path, options)).map_err(|error| raise(py, error))?;
        Ok(Self { store: Arc::new(store) })
    }

    #[getter]
    fn public_key(&self) -> String {
        self.store.replica().to_hex()
    }

    #[getter]
    fn path(&self) -> PathBuf {
        self.store.folder().root().to_owned()
    }

    #[getter]
    fn encrypted(&self) -> bool {
        self.store.is_encrypted()
    }

    #[getter]
    fn space(&self) -> &str {
        self.store.space().name()
    }

    #[getter]
    fn closed(&self) -> bool {
        self.store.is_closed()
    }

    #[getter]
    fn brought(&self) -> usize {
        self.store.brought()
    }

    fn role(&self, py: Python<'_>) -> PyResult<Option<&'static str>> {
        Ok(self.run(py, Store::role)?.map(Role::name))
    }

    fn invite(&self, py: Python<'_>, role: &str, expires_ms: Option<u64>, urls: Vec<String>) -> PyResult<String> {
        let role = members::role_named(role)?;
        self.run(py, |store| store.invite(role, expires_ms, urls)).map(|token| token.to_string())
    }

    fn members<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let members = self.run(py, Store::members)?;
        let you = self.store.replica();
        let list = PyList::empty(py);
        for member in &members {
            list.append(members::member(py, member, member.replica == you)?)?;
        }
        Ok(list)
    }

    fn remove(&self, py: Python<'_>, key: &str) -> PyResult<bool> {
        let key = members::key(key)?;
        self.run(py, |store| store.remove(key))
    }

    fn invitations<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        for invitation in &self.run(py, Store::invitations)? {
            list.append(members::invitation(py, invitation)?)?;
        }
        Ok(list)
    }

    fn revoke(&self, py: Python<'_>, invitation: &str) -> PyResult<bool> {
        if !invitation.starts_with(TOKEN_PREFIX) {
            let id = members::key(invitation)?;
            return self.run(py, |store| store.revoke(id));
        }
        let token = members::token(py, Some(invitation.to_owned()))?;
        token.map_or(Ok(false), |token| self.run(py, |store| store.revoke_token(&token)))
    }

    fn is_robust(&self, py: Python<'_>) -> PyResult<bool> {
        self.run(py, Store::is_robust)
    }

    fn set_robust(&self, py: Python<'_>, robust: bool) -> PyResult<()> {
        self.run(py, |store| store.set_robust(robust))
    }

    fn attest(&self, py: Python<'_>, id: &str, confidence: f64) -> PyResult<()> {
        let confidence = convert::fixed(confidence)?;
        self.run(py, |store| store.attest(id, confidence))
    }

    /// Votes as (voter, confidence, current, at in ms), and the keys of all validators.
    #[allow(clippy::type_complexity)]
    fn ballots(&self, py: Python<'_>, id: &str) -> PyResult<(Vec<(String, f64, bool, u64)>, Vec<String>)> {
        let ballots = self.run(py, |store| store.ballots(id))?;
        let votes = ballots.votes.iter().map(members::ballot).collect();
        Ok((votes, ballots.validators.iter().map(|key| key.to_hex()).collect()))
    }

    fn peers(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.run(py, Store::peers)
    }

    fn add_peer(&self, py: Python<'_>, url: &str) -> PyResult<bool> {
        self.run(py, |store| store.add_peer(url))
    }

    fn forget_peer(&self, py: Python<'_>, url: &str) -> PyResult<bool> {
        self.run(py, |store| store.forget_peer(url))
    }

    fn remember(&self, py: Python<'_>, agent: &str, said: &Bound<'_, PyDict>) -> PyResult<Memory> {
        let wanted = wanted(said)?;
        self.run(py, |store| store.remember(agent, wanted)).map(|row| self.memory(row))
    }

    fn remember_many<'py>(
        &self,
        py: Python<'py>,
        agent: &str,
        said: Vec<Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyList>> {
        let wanted = said.iter().map(wanted).collect::<PyResult<Vec<_>>>()?;
        let rows = self.run(py, |store| store.remember_many(agent, wanted))?;
        let list = PyList::empty(py);
        for (row, written) in rows {
            list.append((Py::new(py, self.memory(row))?, written))?;
        }
        Ok(list)
    }

    fn update(&self, py: Python<'_>, agent: &str, id: &str, said: &Bound<'_, PyDict>) -> PyResult<Memory> {
        let edit = convert::edit(said)?;
        self.run(py, |store| store.update(agent, id, edit)).map(|row| self.memory(row))
    }

    fn forget(&self, py: Python<'_>, id: &str, reason: &str, withdraw: bool) -> PyResult<usize> {
        Ok(self.run(py, |store| store.forget(id, reason, withdraw))?.operations)
    }

    fn get(&self, py: Python<'_>, id: &str) -> PyResult<Option<Memory>> {
        Ok(self.run(py, |store| store.get(id))?.map(|row| self.memory(row)))
    }

    fn get_many(&self, py: Python<'_>, ids: Vec<String>) -> PyResult<Vec<Option<Memory>>> {
        let rows = self.run(py, |store| store.get_many(&ids))?;
        Ok(rows.into_iter().map(|row| row.map(|row| self.memory(row))).collect())
    }

    fn list<'py>(
        &self,
        py: Python<'py>,
        filter: &Bound<'py, PyDict>,
        order: &str,
        descending: bool,
        limit: usize,
        offset: usize,
    ) -> PyResult<Bound<'py, PyList>> {
        let filter = convert::filter(filter)?;
        let order = match order {
            "created" => Order::Created,
            "updated" => Order::Updated,
            "importance" => Order::Importance,
            other => {
                let what = format!("{other:?} is no order: choose created, updated or importance");
                return Err(PyValueError::new_err(what));
            }
        };
        let rows = self.run(py, |store| store.list(&filter, order, descending, limit, offset))?;
        self.memories(py, rows)
    }

    fn recall<'py>(
        &self,
        py: Python<'py>,
        text: String,
        k: usize,
        filter: &Bound<'py, PyDict>,
        asked: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let query = Query { text, k, filter: convert::filter(filter)?, ..convert::question(py, asked)? };
        let answer = self.run(py, |store| store.recall(&query))?;
        let hits = PyList::empty(py);
        for found in answer.hits {
            let evidence = convert::evidence(py, &found)?;
            hits.append((Py::new(py, self.memory(found.row))?, found.fused.score, evidence))?;
        }
        let given = PyDict::new(py);
        given.set_item("hits", hits)?;
        given.set_item("without_vector", answer.without_vector)?;
        given.set_item("changed_since", answer.changed_since)?;
        given.set_item("batch_unseen", answer.batch_unseen)?;
        given.set_item("stages", convert::stages(py, &answer.stages)?)?;
        Ok(given)
    }

    fn count_uses(&self, ids: Vec<String>) -> usize {
        self.store.count_uses(ids.iter().map(String::as_str))
    }

    fn flush_uses(&self, py: Python<'_>) -> PyResult<()> {
        self.run(py, Store::flush_uses)
    }

    fn catch_up_text(&self, py: Python<'_>) -> PyResult<()> {
        self.run(py, Store::catch_up_text)
    }

    /// Memories whose content has no vectors of this model yet: (number, passages, digest).
    #[allow(clippy::type_complexity)]
    fn pending_vectors(&self, py: Python<'_>, model: &str, limit: usize) -> PyResult<Vec<(i64, Vec<String>, Vec<u8>)>> {
        let pending = self.run(py, |store| store.pending_vectors(model, limit))?;
        Ok(pending.into_iter().map(|one| (one.number, one.texts, one.digest.as_bytes().to_vec())).collect())
    }

    fn put_vectors(&self, py: Python<'_>, model: &str, made: Vec<MadeVectors>) -> PyResult<usize> {
        self.run(py, |store| store.put_vectors(model, made))
    }

    fn vector_state(&self, py: Python<'_>, model: &str) -> PyResult<(usize, usize)> {
        self.run(py, |store| store.vector_state(model))
    }

    /// Vectors of a model, how many of them are in cells, and how far the writing of new cells has come.
    fn vector_index(&self, py: Python<'_>, model: &str) -> PyResult<(usize, usize, Option<f64>)> {
        let index = self.run(py, |store| store.vector_index(model))?;
        Ok((index.vectors, index.in_cells, index.writing))
    }

    /// Models as (name, dimensions, memories, vectors).
    fn vector_models(&self, py: Python<'_>) -> PyResult<Vec<(String, usize, usize, usize)>> {
        let models = self.run(py, Store::vector_models)?;
        Ok(models.into_iter().map(|one| (one.name, one.dimensions, one.memories, one.passages)).collect())
    }

    fn drop_vectors(&self, py: Python<'_>, model: &str) -> PyResult<usize> {
        self.run(py, |store| store.drop_vectors(model))
    }

    fn history<'py>(&self, py: Python<'py>, id: &str) -> PyResult<Bound<'py, PyList>> {
        let revisions = self.run(py, |store| store.history(id))?;
        let list = PyList::empty(py);
        for revision in &revisions {
            list.append(revision_of(py, revision)?)?;
        }
        Ok(list)
    }

    /// Concurrent losers as (field, value, fingerprint).
    fn conflicts<'py>(&self, py: Python<'py>, id: &str) -> PyResult<Bound<'py, PyList>> {
        let document = self.run(py, |store| store.document(id))?;
        let list = PyList::empty(py);
        for field in Field::ALL {
            for loser in document.conflicts(field) {
                let value = convert::value_of(py, field, loser.value)?;
                list.append((field.name(), value, loser.fingerprint.to_hex()))?;
            }
        }
        for (key, fingerprint, json) in document.metadata_conflicts() {
            let value = json.map(|json| convert::from_json(py, json)).transpose()?;
            list.append((format!("metadata.{key}"), value, fingerprint.to_hex()))?;
        }
        Ok(list)
    }

    /// Forked logs as (replica, role, log, place, the two operations there).
    #[allow(clippy::type_complexity)]
    fn proofs(&self, py: Python<'_>) -> PyResult<Vec<(String, &'static str, String, u64, (String, String))>> {
        let proven = self.run(py, Store::proven)?;
        let told = proven.into_iter().map(|one| {
            let [left, right] = one.operations.map(|fingerprint| fingerprint.to_hex());
            (one.replica.to_hex(), one.role.name(), one.log.to_hex(), one.sequence, (left, right))
        });
        Ok(told.collect())
    }

    fn lineage(&self, py: Python<'_>, id: &str, down: bool, limit: usize) -> PyResult<Vec<String>> {
        self.run(py, |store| store.lineage(id, down, limit))
    }

    fn position(&self, py: Python<'_>) -> PyResult<(i64, i64)> {
        self.run(py, |store| Ok((store.position()?, store.log_position()?)))
    }

    /// Changes after a position of the feed as (position, id, created), and forgotten ids after a position of the log.
    #[allow(clippy::type_complexity)]
    fn changes_after(
        &self,
        py: Python<'_>,
        position: i64,
        log_position: i64,
        limit: usize,
    ) -> PyResult<(Vec<(i64, String, bool)>, Vec<(i64, String)>)> {
        let (changed, forgotten) =
            self.run(py, |store| Ok((store.changes_after(position, limit)?, store.forgotten_after(log_position)?)))?;
        Ok((changed.into_iter().map(|one| (one.position, one.id, one.created)).collect(), forgotten))
    }

    fn begin_batch(&self, py: Python<'_>) -> PyResult<()> {
        self.run(py, Store::begin_batch)
    }

    fn commit_batch(&self, py: Python<'_>) -> PyResult<()> {
        self.run(py, Store::commit_batch)
    }

    fn rollback_batch(&self, py: Python<'_>) -> PyResult<()> {
        self.run(py, Store::rollback_batch)
    }

    /// How far what this replica said of a memory has come, and how many peers have all of it.
    fn sync_state(&self, py: Python<'_>, id: &str) -> PyResult<(&'static str, usize)> {
        let sent = self.run(py, |store| store.sync_state(id))?;
        Ok((sent.state.name(), sent.peers))
    }

    fn unsent_by_peer(&self, py: Python<'_>) -> PyResult<(u64, BTreeMap<String, u64>)> {
        let (all, by_peer) = self.run(py, Store::unsent_by_peer)?;
        Ok((all, by_peer.into_iter().map(|(peer, unsent)| (peer.to_hex(), unsent)).collect()))
    }

    fn membership(&self, py: Python<'_>) -> PyResult<(u64, Vec<String>)> {
        let (logs, removed) = self.run(py, Store::membership)?;
        Ok((logs, removed.iter().map(ReplicaKey::to_hex).collect()))
    }

    #[pyo3(signature = (peer=None))]
    fn unsent(&self, py: Python<'_>, peer: Option<&str>) -> PyResult<u64> {
        let peer = peer.map(convert::replica_key).transpose()?;
        self.run(py, |store| store.unsent(peer.as_ref()))
    }

    /// Operations of this replica that are local, pending and synced.
    fn sync_counts(&self, py: Python<'_>) -> PyResult<(u64, u64, u64)> {
        let counts = self.run(py, Store::sync_counts)?;
        Ok((counts.local, counts.pending, counts.synced))
    }

    /// Replicas that are known to have erased a forgotten memory, and those that are not.
    fn forgetting(&self, py: Python<'_>, id: &str) -> PyResult<(Vec<String>, Vec<String>)> {
        let known = self.run(py, |store| store.forgetting(id))?;
        let hex = |keys: BTreeSet<ReplicaKey>| keys.iter().map(ReplicaKey::to_hex).collect();
        Ok((hex(known.acknowledged), hex(known.missing)))
    }

    fn sweep(&self, py: Python<'_>) -> PyResult<usize> {
        self.run(py, Store::sweep)
    }

    /// Ids, ends in ms, JSON text of a key of the metadata, and bytes of memories that have faded and whose words are
    /// still here.
    #[allow(clippy::type_complexity)]
    fn faded(
        &self,
        py: Python<'_>,
        memory_type: &str,
        key: &str,
        limit: usize,
    ) -> PyResult<Vec<(String, i64, Option<String>, usize)>> {
        let found = self.run(py, |store| store.faded(memory_type, key, limit))?;
        Ok(found.into_iter().map(|one| (one.id, one.expires_at, one.noted, one.bytes)).collect())
    }

    fn rebuild(&self, py: Python<'_>) -> PyResult<()> {
        self.run(py, Store::rebuild)
    }

    /// Operations and memories looked at, and what does not hold as (code, where, what).
    #[allow(clippy::type_complexity)]
    fn verify(&self, py: Python<'_>, id: Option<&str>) -> PyResult<(u64, u64, Vec<(&'static str, String, String)>)> {
        let found = self.run(py, |store| store.verify(id, |_, _| ()))?;
        let problems = found.problems.into_iter().map(|one| (one.code, one.where_, one.what)).collect();
        Ok((found.operations, found.memories, problems))
    }

    fn export(&self, py: Python<'_>, path: PathBuf) -> PyResult<usize> {
        self.run(py, |store| store.export(&path))
    }

    /// Operations read, added and known, and what was refused as (offset, code, what).
    #[allow(clippy::type_complexity)]
    fn import_bundle(
        &self,
        py: Python<'_>,
        path: PathBuf,
    ) -> PyResult<(usize, usize, usize, Vec<(u64, &'static str, String)>)> {
        let done = self.run(py, |store| store.import_bundle(&path))?;
        Ok((done.read, done.added, done.known, done.refused))
    }

    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let stats = self.run(py, Store::stats)?;
        let said = PyDict::new(py);
        for (name, number) in stats.numbers {
            said.set_item(name, number)?;
        }
        said.set_item("memory_types", stats.memory_types)?;
        said.set_item("file_bytes", stats.file_bytes)?;
        Ok(said)
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        self.run(py, Store::close)
    }
}

fn revision_of<'py>(py: Python<'py>, revision: &Revision) -> PyResult<Bound<'py, PyDict>> {
    let said = PyDict::new(py);
    let operation = &revision.stored.operation;
    let header = operation.header();
    said.set_item("fingerprint", operation.fingerprint().to_hex())?;
    said.set_item("author", revision.facts.replica.to_hex())?;
    said.set_item("at", convert::moment(py, header.hybrid_ms as i64)?)?;
    said.set_item("lamport", header.lamport)?;
    said.set_item("kind", header.kind.name())?;
    said.set_item("state", revision.stored.state.name())?;
    said.set_item("signature", operation.signature().to_hex())?;
    let agent = match &revision.payload {
        Some(chrysalis_core::payload::Payload::Write(write)) => write.agent.as_str(),
        _ => "",
    };
    said.set_item("agent_id", agent)?;
    let changes = match &revision.payload {
        Some(payload) => convert::changes(py, payload)?,
        None => PyDict::new(py),
    };
    said.set_item("changes", changes)?;
    Ok(said)
}
