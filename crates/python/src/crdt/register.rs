//! `LWWRegister`.

use chrysalis_core::limits;
use chrysalis_core::merge::LwwRegister;
use pyo3::exceptions::{PyRecursionError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyType};

use super::{Guarded, bounded, name, now_us};
use crate::convert::from_json;

static DUMPS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

const US_PER_S: f64 = 1e6;

/// Seconds up to which every µs is a number of its own in floating point: the year 2255.
const SECONDS_MAX: f64 = 9_007_199_254.0;

/// Unix seconds as µs, the unit in which registers of Python compare.
fn to_us(seconds: f64) -> PyResult<u64> {
    if !(0.0..=SECONDS_MAX).contains(&seconds) {
        let what = format!("a timestamp is in seconds since 1970, from 0 to {SECONDS_MAX}, not {seconds}");
        return Err(PyValueError::new_err(what));
    }
    Ok((seconds * US_PER_S).round() as u64)
}

/// One text for one value: keys sorted, nothing between.
pub(super) fn json_text(value: &Bound<'_, PyAny>) -> PyResult<String> {
    let py = value.py();
    let style = PyDict::new(py);
    style.set_item("ensure_ascii", false)?;
    style.set_item("allow_nan", false)?;
    style.set_item("sort_keys", true)?;
    style.set_item("separators", (",", ":"))?;
    let text = DUMPS.import(py, "json", "dumps")?.call((value,), Some(&style)).map_err(|error| {
        let too_deep = error.is_instance_of::<PyRecursionError>(py);
        if too_deep { PyValueError::new_err("the value is nested too deeply") } else { error }
    })?;
    let text: String = text.extract()?;
    bounded(py, "value (bytes of JSON)", &text, limits::PAYLOAD_BYTES_MAX)?;
    Ok(text)
}

/// See the stub.
#[pyclass(frozen, name = "LWWRegister", module = "chrysalis_memory")]
pub struct SharedLwwRegister {
    state: Guarded<LwwRegister>,
}

impl SharedLwwRegister {
    fn seconds(&self) -> f64 {
        self.state.lock().timestamp().unwrap_or(0) as f64 / US_PER_S
    }

    fn held_writer(&self) -> String {
        self.state.lock().writer().unwrap_or_default().to_owned()
    }

    /// Without a timestamp the assignment is later than what is held, however the clock was set.
    fn assign(&self, value: &str, timestamp_us: Option<u64>, writer: &str) -> bool {
        let mut state = self.state.lock();
        let after = state.timestamp().map_or(0, |held| held + 1);
        state.set(value, timestamp_us.unwrap_or_else(|| now_us().max(after)), writer)
    }
}

#[pymethods]
impl SharedLwwRegister {
    #[new]
    #[pyo3(signature = (value, timestamp=None, writer=""))]
    fn new(py: Python<'_>, value: &Bound<'_, PyAny>, timestamp: Option<f64>, writer: &str) -> PyResult<Self> {
        let register = Self { state: Guarded::new(LwwRegister::default()) };
        register.set(py, value, timestamp, writer)?;
        Ok(register)
    }

    #[pyo3(signature = (value, timestamp=None, writer=""))]
    fn set(&self, py: Python<'_>, value: &Bound<'_, PyAny>, timestamp: Option<f64>, writer: &str) -> PyResult<bool> {
        let (text, timestamp) = (json_text(value)?, timestamp.map(to_us).transpose()?);
        Ok(self.assign(&text, timestamp, name(py, writer)?))
    }

    #[getter]
    fn value<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let text = self.state.lock().value().unwrap_or("null").to_owned();
        from_json(py, &text)
    }

    #[getter]
    fn timestamp(&self) -> f64 {
        self.seconds()
    }

    #[getter]
    fn writer(&self) -> String {
        self.held_writer()
    }

    fn merge(&self, other: &Self) -> Self {
        Self { state: Guarded::new(self.state.with(&other.state, LwwRegister::merged)) }
    }

    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let held = self.copied();
        let said = PyDict::new(py);
        said.set_item("value", held.value(py)?)?;
        said.set_item("timestamp", held.seconds())?;
        said.set_item("writer", held.held_writer())?;
        Ok(said)
    }

    fn __eq__(&self, other: &Self) -> bool {
        self.state.with(&other.state, LwwRegister::eq)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let held = self.copied();
        let value = held.value(py)?.repr()?.to_string();
        let writer = super::shown(held.held_writer(), py)?;
        Ok(format!("LWWRegister({value}, {}, {writer})", super::shown(held.seconds(), py)?))
    }

    #[allow(clippy::type_complexity)]
    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyType>, (Bound<'py, PyAny>, f64, String))> {
        let held = slf.get().copied();
        Ok((slf.get_type(), (held.value(slf.py())?, held.seconds(), held.held_writer())))
    }
}

impl SharedLwwRegister {
    /// What is held at one moment, for reading several parts that belong together.
    fn copied(&self) -> Self {
        Self { state: Guarded::new(self.state.lock().clone()) }
    }
}
