//! Plain values, there and back.

use std::collections::BTreeSet;
use std::str::FromStr;

use chrysalis_core::id::ReplicaKey;
use chrysalis_core::payload::{Change, Collection, Field, Payload, Score, Value, Write};
use chrysalis_store::search::confidence::Threshold;
use chrysalis_store::search::filter::Filter;
use chrysalis_store::search::query::Star;
use chrysalis_store::search::stages::Stages;
use chrysalis_store::{Edit, Found, Query, StoreError};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple};

use crate::error::raise;

static FROM_MS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static OF_TEXT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// A moment as an aware `datetime` in UTC.
pub(crate) fn moment<'py>(py: Python<'py>, ms: i64) -> PyResult<Bound<'py, PyAny>> {
    FROM_MS.import(py, "chrysalis_memory.records", "from_ms")?.call1((ms,))
}

pub(crate) fn optional_moment<'py>(py: Python<'py>, ms: Option<i64>) -> PyResult<Option<Bound<'py, PyAny>>> {
    ms.map(|ms| moment(py, ms)).transpose()
}

/// What JSON text of anyone says.
pub(crate) fn from_json<'py>(py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyAny>> {
    OF_TEXT.import(py, "chrysalis_memory._metadata", "of_text")?.call1((text,))
}

/// A score as people read it: four decimals tell every step of the fixed point apart from what was meant.
pub(crate) fn score(value: u16) -> f64 {
    (f64::from(value) / f64::from(u16::MAX) * 10_000.0).round() / 10_000.0
}

/// Fixed point of a score from 0 to 1.
pub(crate) fn fixed(value: f64) -> PyResult<u16> {
    if !(0.0..=1.0).contains(&value) {
        return Err(PyValueError::new_err(format!("a score lies between 0 and 1, not at {value}")));
    }
    Ok((value * f64::from(u16::MAX)).round() as u16)
}

/// Reads an edit out of a dict; the Python side has checked names and made times into milliseconds.
pub(crate) fn edit(said: &Bound<'_, PyDict>) -> PyResult<Edit> {
    let mut edit = Edit::default();
    for (key, value) in said {
        let key: String = key.extract()?;
        match key.as_str() {
            "add_tags" => edit.add_tags = texts(&value)?,
            "remove_tags" => edit.remove_tags = texts(&value)?,
            "importance" => drop(edit.scores.insert(Score::Importance, fixed(value.extract()?)?)),
            "confidence" => drop(edit.scores.insert(Score::Confidence, fixed(value.extract()?)?)),
            "metadata" => edit.metadata = value.extract()?,
            _ => place(&mut edit, &key, &value)?,
        }
    }
    Ok(edit)
}

fn place(edit: &mut Edit, key: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
    if let Some(field) = Field::ALL.into_iter().find(|field| field.name() == key) {
        edit.set(field, register(field, value)?);
        return Ok(());
    }
    let Some(collection) = Collection::ALL.into_iter().find(|collection| collection.name() == key) else {
        return Err(PyTypeError::new_err(format!("{key:?} is no field of a memory")));
    };
    let elements = texts(value)?;
    if !elements.is_empty() {
        edit.grow.insert(collection, elements);
    }
    Ok(())
}

fn register(field: Field, value: &Bound<'_, PyAny>) -> PyResult<Value> {
    Ok(match field {
        Field::OccurredAt | Field::Expiry => value.extract::<Option<i64>>()?.map_or(Value::Null, Value::Integer),
        Field::Validity => {
            let (from, until) = value.extract()?;
            Value::Span(from, until)
        }
        _ => value.extract::<Option<String>>()?.map_or(Value::Null, Value::Text),
    })
}

fn texts(value: &Bound<'_, PyAny>) -> PyResult<BTreeSet<String>> {
    value.try_iter()?.map(|text| text?.extract()).collect()
}

/// A replica's key, from hex.
pub(crate) fn replica_key(hex: &str) -> PyResult<ReplicaKey> {
    ReplicaKey::from_hex(hex).map_err(|refusal| PyValueError::new_err(refusal.to_string()))
}

/// Reads a filter out of a dict with the names of [`Filter`]'s fields; times in ms.
pub(crate) fn filter(said: &Bound<'_, PyDict>) -> PyResult<Filter> {
    let mut filter = Filter::default();
    for (key, value) in said {
        if value.is_none() {
            continue;
        }
        match key.extract::<String>()?.as_str() {
            "scope" => filter.scope = value.extract()?,
            "tier" => filter.tier = value.extract()?,
            "memory_type" => filter.memory_type = value.extract()?,
            "tags" => filter.tags = value.extract()?,
            "thread" => filter.thread = value.extract()?,
            "speaker" => filter.speaker = value.extract()?,
            "since" => filter.since = value.extract()?,
            "until" => filter.until = value.extract()?,
            "valid_at" => filter.valid_at = value.extract()?,
            "min_importance" => filter.importance_min = Some(fixed(value.extract()?)?),
            "now" => filter.now = value.extract()?,
            other => return Err(PyTypeError::new_err(format!("{other:?} is no filter"))),
        }
    }
    Ok(filter)
}

/// How a question is meant.
pub(crate) fn question(py: Python<'_>, said: &Bound<'_, PyDict>) -> PyResult<Query> {
    let mut query = Query::default();
    for (key, value) in said {
        match key.extract::<String>()?.as_str() {
            "mode" => query.mode = named(py, &value)?,
            "vector" => query.vector = value.extract()?,
            "is_fitted" => query.is_fitted = value.extract()?,
            "as_of" => query.as_of = value.extract()?,
            "threshold" => query.threshold = threshold(py, &value)?,
            "reference" => query.reference = value.extract()?,
            "offset" => query.offset = value.extract()?,
            "dates" => query.dates = named(py, &value)?,
            "prefix" => query.star = if value.extract()? { Star::Meant } else { Star::Ignored },
            other => return Err(PyTypeError::new_err(format!("{other:?} is no part of a question"))),
        }
    }
    Ok(query)
}

fn named<T: FromStr<Err = StoreError>>(py: Python<'_>, value: &Bound<'_, PyAny>) -> PyResult<T> {
    value.extract::<String>()?.parse().map_err(|error| raise(py, error))
}

fn threshold(py: Python<'_>, value: &Bound<'_, PyAny>) -> PyResult<Threshold> {
    match value.extract() {
        Ok(least) => Ok(Threshold::Score(least)),
        Err(_) => named(py, value),
    }
}

/// What spoke for a memory that was found.
pub(crate) fn evidence<'py>(py: Python<'py>, found: &Found) -> PyResult<Bound<'py, PyDict>> {
    let evidence = PyDict::new(py);
    evidence.set_item("words", &found.words)?;
    evidence.set_item("nearby", &found.nearby)?;
    evidence.set_item("times", &found.times)?;
    evidence.set_item("cosine", found.fused.cosine)?;
    let parts = PyDict::new(py);
    for (name, part) in found.fused.parts.named() {
        parts.set_item(name, part)?;
    }
    evidence.set_item("parts", parts)?;
    Ok(evidence)
}

/// The seconds of each step, in order.
pub(crate) fn stages<'py>(py: Python<'py>, stages: &Stages) -> PyResult<Bound<'py, PyDict>> {
    let seconds = PyDict::new(py);
    for (name, duration) in stages.ended() {
        seconds.set_item(name, duration.as_secs_f64())?;
    }
    Ok(seconds)
}

/// What a write says, as a dict from field to value.
pub(crate) fn changes<'py>(py: Python<'py>, payload: &Payload) -> PyResult<Bound<'py, PyDict>> {
    let said = PyDict::new(py);
    match payload {
        Payload::Write(write) => write_changes(&said, write)?,
        Payload::Forget(forget) => {
            said.set_item("reason", &forget.reason)?;
            said.set_item("withdrawn", forget.withdrawal.is_some())?;
        }
        Payload::Attest(vote) => said.set_item("confidence", score(vote.confidence))?,
        _ => {}
    }
    Ok(said)
}

fn write_changes(said: &Bound<'_, PyDict>, write: &Write) -> PyResult<()> {
    let py = said.py();
    let metadata = PyDict::new(py);
    for change in &write.changes {
        match change {
            Change::Register { field, value, .. } => said.set_item(field.name(), value_of(py, *field, value)?)?,
            Change::Metadata { key, value, .. } => {
                metadata.set_item(key, value.as_deref().map(|json| from_json(py, json)).transpose()?)?;
            }
            Change::AddTags(tags) => said.set_item("add_tags", PyTuple::new(py, tags)?)?,
            Change::RemoveTag { tag, .. } => match said.get_item("remove_tags")? {
                Some(removed) => said.set_item("remove_tags", removed.add((tag,))?)?,
                None => said.set_item("remove_tags", (tag,))?,
            },
            Change::Grow { collection, elements } => {
                said.set_item(collection.name(), PyTuple::new(py, elements)?)?;
            }
            Change::Rate { score: which, value } => said.set_item(which.name(), score(*value))?,
            Change::Embed { model, .. } => said.set_item("vector", model)?,
        }
    }
    if !metadata.is_empty() {
        said.set_item("metadata", metadata)?;
    }
    Ok(())
}

/// A register's value as Python sees it: moments as datetimes.
pub(crate) fn value_of<'py>(py: Python<'py>, field: Field, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match (field, value) {
        (_, Value::Null) => py.None().into_bound(py),
        (Field::OccurredAt | Field::Expiry, Value::Integer(ms)) => moment(py, *ms)?,
        (_, Value::Integer(number)) => number.into_pyobject(py)?.into_any(),
        (_, Value::Text(text)) => text.into_pyobject(py)?.into_any(),
        (_, Value::Span(from, until)) => {
            (optional_moment(py, *from)?, optional_moment(py, *until)?).into_pyobject(py)?.into_any()
        }
    })
}
