//! `MemoryDocument`.

use chrysalis_core::id::{MemoryId, Salt};
use chrysalis_core::merge::{DirectDocument, Document, Edit, Reading};
use chrysalis_core::payload::{Collection, Score};
use chrysalis_core::{Refusal, limits};
use chrysalis_store::row::unpack;
use chrysalis_store::view::SCORE_DEFAULT;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyTuple};

use super::register::json_text;
use super::stored::{agrees, replay};
use super::{Guarded, misuse, name, now_us, random, refuse, shown, whole};
use crate::convert::{self, from_json, moment};
use crate::error::raise;
use crate::memory::Memory;

static FROM_BASE64: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// Texts shown by `repr` are cut to so many characters.
const SHOWN_MAX: usize = 60;

/// See the stub.
#[pyclass(frozen, name = "MemoryDocument", module = "chrysalis_memory")]
pub struct SharedDocument {
    state: Guarded<DirectDocument>,
    /// In whose name it is edited when a call names nobody.
    instance: String,
}

fn content_of(text: &str) -> PyResult<&str> {
    if text.trim().is_empty() {
        return Err(PyValueError::new_err("content is empty"));
    }
    Ok(text)
}

/// Tags, evidence and links are texts that say something.
fn element_of(text: &str) -> PyResult<&str> {
    if text.is_empty() {
        return Err(PyValueError::new_err("an empty text is no tag, evidence or id"));
    }
    Ok(text)
}

impl SharedDocument {
    fn of(state: DirectDocument, instance: &str) -> Self {
        Self { state: Guarded::new(state), instance: instance.to_owned() }
    }

    fn read<T>(&self, read: impl FnOnce(&Document) -> T) -> T {
        read(self.state.lock().document())
    }

    fn edit<T>(
        &self,
        py: Python<'_>,
        writer: Option<&str>,
        change: impl FnOnce(&mut DirectDocument, &Edit<'_>) -> Result<T, Refusal>,
    ) -> PyResult<T> {
        let edit = now(writer.unwrap_or(&self.instance))?;
        let outcome = change(&mut self.state.lock(), &edit);
        outcome.map_err(|refusal| misuse(py, refusal))
    }

    fn collection<'py>(&self, py: Python<'py>, which: Collection) -> PyResult<Bound<'py, PyTuple>> {
        let elements: Vec<String> = self.read(|document| document.elements(which).map(str::to_owned).collect());
        PyTuple::new(py, elements)
    }

    fn score(&self, score: Score) -> f64 {
        convert::score(self.read(|document| document.score(score, Reading::Maximum)).unwrap_or(SCORE_DEFAULT))
    }
}

fn now(writer: &str) -> PyResult<Edit<'_>> {
    Ok(Edit { writer, now_us: now_us(), salt: Salt(random()?) })
}

#[pymethods]
impl SharedDocument {
    #[new]
    #[pyo3(signature = (id, content, memory_type=None, source_instance="agent"))]
    fn new(
        py: Python<'_>,
        id: &str,
        content: &str,
        memory_type: Option<&str>,
        source_instance: &str,
    ) -> PyResult<Self> {
        let edit = now(source_instance)?;
        let content = content_of(content)?;
        let created = MemoryId::new(id).and_then(|id| DirectDocument::new(id, content, memory_type, &edit));
        Ok(Self::of(created.map_err(|refusal| misuse(py, refusal))?, source_instance))
    }

    #[getter]
    fn id(&self) -> String {
        self.state.lock().id().as_str().to_owned()
    }

    #[getter]
    fn content(&self) -> String {
        self.read(|document| document.content().unwrap_or_default().to_owned())
    }

    #[setter(content)]
    fn assign_content(&self, py: Python<'_>, content: &str) -> PyResult<()> {
        self.set_content(py, content, None)
    }

    #[pyo3(signature = (content, writer=None))]
    fn set_content(&self, py: Python<'_>, content: &str, writer: Option<&str>) -> PyResult<()> {
        let content = content_of(content)?;
        self.edit(py, writer, |document, edit| document.set_content(content, edit))
    }

    #[getter]
    fn memory_type(&self) -> String {
        self.read(|document| document.memory_type().to_owned())
    }

    #[getter]
    fn source_instance(&self) -> String {
        self.state.lock().source_instance().to_owned()
    }

    #[getter]
    fn created_at<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        moment(py, self.read(|document| document.origin().map_or(0, |origin| origin.created_ms)) as i64)
    }

    #[getter]
    fn updated_at<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        moment(py, self.read(Document::updated_ms) as i64)
    }

    #[pyo3(signature = (tag, writer=None))]
    fn add_tag(&self, py: Python<'_>, tag: &str, writer: Option<&str>) -> PyResult<()> {
        let tag = element_of(tag)?;
        self.edit(py, writer, |document, edit| document.add_tag(tag, edit))
    }

    #[pyo3(signature = (tag, writer=None))]
    fn remove_tag(&self, py: Python<'_>, tag: &str, writer: Option<&str>) -> PyResult<bool> {
        self.edit(py, writer, |document, edit| document.remove_tag(tag, edit))
    }

    fn get_tags(&self) -> Vec<String> {
        self.read(|document| document.tags().map(str::to_owned).collect())
    }

    #[pyo3(signature = (value, writer=None))]
    fn set_importance(&self, py: Python<'_>, value: f64, writer: Option<&str>) -> PyResult<()> {
        let value = convert::fixed(value)?;
        self.edit(py, writer, |document, edit| document.set_importance(value, edit))
    }

    fn get_importance(&self) -> f64 {
        self.score(Score::Importance)
    }

    #[pyo3(signature = (value, writer=None))]
    fn set_confidence(&self, py: Python<'_>, value: f64, writer: Option<&str>) -> PyResult<()> {
        let value = convert::fixed(value)?;
        self.edit(py, writer, |document, edit| document.set_confidence(value, edit))
    }

    fn get_confidence(&self) -> f64 {
        self.score(Score::Confidence)
    }

    #[pyo3(signature = (evidence, writer=None))]
    fn add_evidence(&self, py: Python<'_>, evidence: &str, writer: Option<&str>) -> PyResult<()> {
        let evidence = element_of(evidence)?;
        self.edit(py, writer, |document, edit| document.add_evidence(evidence, edit))
    }

    #[getter]
    fn evidence<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        self.collection(py, Collection::Evidence)
    }

    #[pyo3(signature = (memory, writer=None))]
    fn add_related(&self, py: Python<'_>, memory: &str, writer: Option<&str>) -> PyResult<()> {
        let memory = element_of(memory)?;
        self.edit(py, writer, |document, edit| document.add_related(memory, edit))
    }

    #[getter]
    fn related<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        self.collection(py, Collection::Related)
    }

    #[pyo3(signature = (memory, writer=None))]
    fn add_parent(&self, py: Python<'_>, memory: &str, writer: Option<&str>) -> PyResult<()> {
        let memory = element_of(memory)?;
        self.edit(py, writer, |document, edit| document.add_parent(memory, edit))
    }

    #[getter]
    fn parents<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        self.collection(py, Collection::Parents)
    }

    #[pyo3(signature = (key, value, writer=None))]
    fn set_metadata(&self, py: Python<'_>, key: &str, value: &Bound<'_, PyAny>, writer: Option<&str>) -> PyResult<()> {
        let key = element_of(key)?;
        let value = if value.is_none() { None } else { Some(json_text(value)?) };
        self.edit(py, writer, |document, edit| document.set_metadata(key, value.as_deref(), edit))
    }

    #[getter]
    fn metadata<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let owned = |(key, json): (&str, &str)| (key.to_owned(), json.to_owned());
        let pairs: Vec<_> = self.read(|document| document.metadata().map(owned).collect());
        let said = PyDict::new(py);
        for (key, json) in pairs {
            said.set_item(key, from_json(py, &json)?)?;
        }
        Ok(said)
    }

    #[pyo3(signature = (writer=None, uses=None))]
    fn record_access(&self, py: Python<'_>, writer: Option<&str>, uses: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let (writer, uses) = (name(py, writer.unwrap_or(&self.instance))?, uses.map_or(Ok(1), whole)?);
        let mut state = self.state.lock();
        let full = uses > limits::INTEGER_MAX - state.uses().get(writer);
        let outcome = match full {
            true => Err(Refusal::TooLarge { what: "uses", max: limits::INTEGER_MAX }),
            false => state.record_access(writer, uses),
        };
        drop(state);
        outcome.map_err(|refusal| misuse(py, refusal))
    }

    #[getter]
    fn access_count(&self) -> u64 {
        self.state.lock().access_count()
    }

    fn merge(&self, py: Python<'_>, other: &Self) -> PyResult<Self> {
        let joined = self.state.with(&other.state, DirectDocument::merged);
        let joined = joined.map_err(|refusal| misuse(py, refusal))?;
        Ok(Self::of(joined, &self.instance))
    }

    fn to_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let bytes = self.state.lock().encode();
        PyBytes::new(py, &bytes)
    }

    #[staticmethod]
    #[pyo3(signature = (data, instance="agent"))]
    fn from_bytes(py: Python<'_>, data: &[u8], instance: &str) -> PyResult<Self> {
        let state = DirectDocument::decode(data).map_err(|refusal| refuse(py, refusal))?;
        Ok(Self::of(state, name(py, instance)?))
    }

    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        // One moment for all parts.
        let held = Self::of(self.state.lock().clone(), &self.instance);
        let plain = py.import("chrysalis_memory.records")?.getattr("plain")?;
        let said = PyDict::new(py);
        said.set_item("id", held.id())?;
        said.set_item("content", held.content())?;
        said.set_item("memory_type", held.memory_type())?;
        said.set_item("source_instance", held.source_instance())?;
        said.set_item("tags", held.get_tags())?;
        said.set_item("importance", held.get_importance())?;
        said.set_item("confidence", held.get_confidence())?;
        said.set_item("access_count", held.access_count())?;
        said.set_item("evidence", plain.call1((held.evidence(py)?,))?)?;
        said.set_item("related", plain.call1((held.related(py)?,))?)?;
        said.set_item("parents", plain.call1((held.parents(py)?,))?)?;
        said.set_item("metadata", held.metadata(py)?)?;
        said.set_item("created_at", plain.call1((held.created_at(py)?,))?)?;
        said.set_item("updated_at", plain.call1((held.updated_at(py)?,))?)?;
        Ok(said)
    }

    fn __eq__(&self, other: &Self) -> bool {
        self.state.with(&other.state, DirectDocument::eq)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let content = self.content();
        let mut cut: String = content.chars().take(SHOWN_MAX).collect();
        if cut.len() < content.len() {
            cut.push('…');
        }
        Ok(format!("MemoryDocument(id={}, content={})", shown(self.id(), py)?, shown(cut, py)?))
    }

    #[allow(clippy::type_complexity)]
    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyBytes>, String))> {
        let from_bytes = slf.get_type().getattr("from_bytes")?;
        Ok((from_bytes, (slf.get().to_bytes(slf.py()), slf.get().instance.clone())))
    }

    /// The document whose state a stored memory carries under a key of its metadata, and whether the memory says just
    /// that; none when it carries no state of this memory.
    #[staticmethod]
    fn _stored(py: Python<'_>, memory: &Memory, key: &str, instance: &str) -> PyResult<Option<(Self, bool)>> {
        let row = &memory.row;
        let pairs = unpack(row.metadata.as_deref()).map_err(|error| raise(py, error))?;
        let Some(pair) = pairs.chunks_exact(2).find(|pair| pair[0] == key) else { return Ok(None) };
        // Metadata is open to whoever writes the memory: what is no state is as good as none.
        let Ok(bytes) = FROM_BASE64.import(py, "binascii", "a2b_base64")?.call1((pair[1].trim_matches('"'),)) else {
            return Ok(None);
        };
        let Ok(state) = DirectDocument::decode(bytes.extract()?) else { return Ok(None) };
        if state.id().as_str() != row.id {
            return Ok(None);
        }
        let says = agrees(state.document(), row, &pairs, key).map_err(|error| raise(py, error))?;
        Ok(Some((Self::of(state, instance), says)))
    }

    /// A document whose first edit is named like those of `_replay`.
    #[staticmethod]
    fn _made(
        py: Python<'_>,
        id: &str,
        content: &str,
        source_instance: &str,
        instance: &str,
        now_us: u64,
        salt: [u8; 16],
    ) -> PyResult<Self> {
        let edit = Edit { writer: source_instance, now_us, salt: Salt(salt) };
        let created = MemoryId::new(id).and_then(|id| DirectDocument::new(id, content, None, &edit));
        Ok(Self::of(created.map_err(|refusal| misuse(py, refusal))?, instance))
    }

    /// Takes in what a store says beyond this document, in the terms of a store's edit. The edits are named by what
    /// they say, when and `salt` alone: made twice, they are the same edits.
    fn _replay(
        &self,
        py: Python<'_>,
        writer: &str,
        now_us: u64,
        salt: [u8; 16],
        said: &Bound<'_, PyDict>,
    ) -> PyResult<()> {
        let (edit, wanted) = (Edit { writer, now_us, salt: Salt(salt) }, convert::edit(said)?);
        let outcome = replay(&mut self.state.lock(), &edit, wanted);
        outcome.map_err(|refusal| misuse(py, refusal))
    }

    /// Raises one name's uses to at least so many.
    fn _raise_uses(&self, py: Python<'_>, writer: &str, uses: u64) -> PyResult<()> {
        let mut state = self.state.lock();
        let known = state.uses().get(writer);
        let outcome = state.record_access(writer, uses.saturating_sub(known));
        drop(state);
        outcome.map_err(|refusal| misuse(py, refusal))
    }
}
