//! A memory as Python sees it: the row that the store read, converted field by field when a field is asked for, so
//! that reading a thousand costs little.

use std::sync::Arc;

use chrysalis_store::row::unpack;
use chrysalis_store::{MemoryRow, Store};
use pyo3::basic::CompareOp;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple};

use crate::convert::{from_json, moment, optional_moment, score};
use crate::error::raise;

static PLAIN: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// The fields that `to_dict` gives; logical time is given as its Lamport time.
const FIELDS: [&str; 27] = [
    "id",
    "content",
    "tier",
    "memory_type",
    "scope",
    "tags",
    "importance",
    "confidence",
    "access_count",
    "created_at",
    "updated_at",
    "author",
    "agent_id",
    "parents",
    "related",
    "evidence",
    "thread",
    "speaker",
    "occurred_at",
    "metadata",
    "valid_from",
    "valid_until",
    "expires_at",
    "fingerprint",
    "signature",
    "version",
    "conflicts",
];

/// See the stub.
#[pyclass(frozen, module = "chrysalis_memory")]
pub struct Memory {
    pub(crate) row: MemoryRow,
    pub(crate) store: Arc<Store>,
}

fn tuple<'py>(py: Python<'py>, packed: Option<&[u8]>) -> PyResult<Bound<'py, PyTuple>> {
    let texts = unpack(packed).map_err(|error| raise(py, error))?;
    PyTuple::new(py, texts)
}

#[pymethods]
impl Memory {
    #[getter]
    fn id(&self) -> &str {
        &self.row.id
    }

    #[getter]
    fn content(&self) -> &str {
        &self.row.content
    }

    #[getter]
    fn tier(&self) -> &str {
        &self.row.tier
    }

    #[getter]
    fn memory_type(&self) -> &str {
        &self.row.memory_type
    }

    #[getter]
    fn scope(&self) -> &str {
        &self.row.scope
    }

    #[getter]
    fn tags<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        tuple(py, self.row.tags.as_deref())
    }

    #[getter]
    fn importance(&self) -> f64 {
        score(self.row.importance)
    }

    #[getter]
    fn confidence(&self) -> f64 {
        score(self.row.confidence)
    }

    #[getter]
    fn access_count(&self) -> i64 {
        self.row.access_count
    }

    #[getter]
    fn created_at<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        moment(py, self.row.created_at)
    }

    #[getter]
    fn updated_at<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        moment(py, self.row.updated_at)
    }

    #[getter]
    fn author(&self) -> String {
        self.row.author.to_hex()
    }

    #[getter]
    fn agent_id(&self) -> &str {
        &self.row.agent
    }

    #[getter]
    fn parents<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        tuple(py, self.row.parents.as_deref())
    }

    #[getter]
    fn related<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        tuple(py, self.row.related.as_deref())
    }

    #[getter]
    fn evidence<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        tuple(py, self.row.evidence.as_deref())
    }

    #[getter]
    fn thread(&self) -> Option<&str> {
        self.row.thread.as_deref()
    }

    #[getter]
    fn speaker(&self) -> Option<&str> {
        self.row.speaker.as_deref()
    }

    #[getter]
    fn occurred_at<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        optional_moment(py, self.row.occurred_at)
    }

    #[getter]
    fn metadata<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let said = PyDict::new(py);
        let pairs = unpack(self.row.metadata.as_deref()).map_err(|error| raise(py, error))?;
        for pair in pairs.chunks_exact(2) {
            said.set_item(pair[0], from_json(py, pair[1])?)?;
        }
        Ok(said)
    }

    #[getter]
    fn valid_from<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        optional_moment(py, self.row.valid_from)
    }

    #[getter]
    fn valid_until<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        optional_moment(py, self.row.valid_until)
    }

    #[getter]
    fn expires_at<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        optional_moment(py, self.row.expires_at)
    }

    #[getter]
    fn fingerprint(&self) -> String {
        self.row.fingerprint().to_hex()
    }

    #[getter]
    fn signature(&self) -> String {
        self.row.signature.to_hex()
    }

    #[getter]
    fn logical_time(&self) -> LogicalTime {
        LogicalTime { lamport: self.row.lamport, place: self.row.place, store: Arc::clone(&self.store) }
    }

    /// As it stands now: it changes without the memory changing.
    #[getter]
    fn sync_status(&self, py: Python<'_>) -> PyResult<&'static str> {
        let sent = py.detach(|| self.store.sync_state(&self.row.id)).map_err(|error| raise(py, error))?;
        Ok(sent.state.name())
    }

    #[getter]
    fn version(&self) -> i64 {
        self.row.version
    }

    #[getter]
    fn conflicts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.row.conflict_names())
    }

    /// Every field as plain data, as `json.dumps` takes it.
    fn to_dict<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyDict>> {
        let py = slf.py();
        let plain = PLAIN.import(py, "chrysalis_memory.records", "plain")?;
        let said = PyDict::new(py);
        for name in FIELDS {
            said.set_item(name, plain.call1((slf.getattr(name)?,))?)?;
        }
        said.set_item("lamport", slf.get().row.lamport)?;
        Ok(said)
    }

    fn __richcmp__(&self, other: &Self, how: CompareOp) -> Option<bool> {
        let same = || {
            let aligned = MemoryRow { number: self.row.number, changed: self.row.changed, ..other.row.clone() };
            aligned == self.row
        };
        match how {
            CompareOp::Eq => Some(same()),
            CompareOp::Ne => Some(!same()),
            _ => None,
        }
    }

    fn __hash__(&self) -> u64 {
        self.row.signature.0[..8].iter().fold(0, |hash, byte| hash << 8 | u64::from(*byte))
    }

    fn __repr__(&self) -> String {
        let shown: String = self.row.content.chars().take(60).collect();
        let dots = if shown.len() < self.row.content.len() { "…" } else { "" };
        format!("Memory(id={:?}, content={:?})", self.row.id, shown + dots)
    }
}

/// See the stub.
#[pyclass(frozen, module = "chrysalis_memory")]
pub struct LogicalTime {
    lamport: u64,
    place: (u32, u64),
    store: Arc<Store>,
}

#[pymethods]
impl LogicalTime {
    #[getter]
    fn lamport(&self) -> u64 {
        self.lamport
    }

    #[getter]
    fn vector<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let vector = py.detach(|| self.store.vector(self.place)).map_err(|error| raise(py, error))?;
        let said = PyDict::new(py);
        for (log, known) in vector {
            said.set_item(log, known)?;
        }
        Ok(said)
    }

    fn happens_before(&self, py: Python<'_>, other: &Self) -> PyResult<bool> {
        if !Arc::ptr_eq(&self.store, &other.store) {
            let what = "two logical times are compared within one open store";
            return Err(pyo3::exceptions::PyValueError::new_err(what));
        }
        py.detach(|| self.store.happens_before(self.place, other.place)).map_err(|error| raise(py, error))
    }

    fn __repr__(&self) -> String {
        format!("LogicalTime(lamport={})", self.lamport)
    }
}
