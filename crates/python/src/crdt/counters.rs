//! `GCounter` and `VectorClock`.

use chrysalis_core::merge::{CausalOrder, GCounter, VectorClock};
use chrysalis_core::{Refusal, limits};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyDict, PyType};

use super::{Guarded, name, refuse, shown, whole};

/// Calls `take` with each name and count of a dict.
fn each(counts: Option<&Bound<'_, PyAny>>, mut take: impl FnMut(&str, u64)) -> PyResult<()> {
    let Some(counts) = counts else { return Ok(()) };
    let counts = counts.cast::<PyDict>().map_err(|_| PyTypeError::new_err("counts are a dict from name to count"))?;
    for (key, count) in counts {
        take(name(counts.py(), key.extract()?)?, whole(&count)?);
    }
    Ok(())
}

fn owned<'a>(counts: impl Iterator<Item = (&'a str, u64)>) -> Vec<(String, u64)> {
    counts.map(|(name, count)| (name.to_owned(), count)).collect()
}

fn too_many(py: Python<'_>) -> PyErr {
    refuse(py, Refusal::TooLarge { what: "count", max: limits::INTEGER_MAX })
}

/// See the stub.
#[pyclass(frozen, name = "GCounter", module = "chrysalis_memory")]
pub struct SharedGCounter {
    state: Guarded<GCounter>,
}

#[pymethods]
impl SharedGCounter {
    #[new]
    #[pyo3(signature = (counts=None))]
    fn new(counts: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let mut counter = GCounter::default();
        each(counts, |name, count| counter.increment(name, count))?;
        Ok(Self { state: Guarded::new(counter) })
    }

    #[pyo3(signature = (replica, by=None))]
    fn increment(&self, py: Python<'_>, replica: &str, by: Option<&Bound<'_, PyAny>>) -> PyResult<u64> {
        let (replica, by) = (name(py, replica)?, by.map_or(Ok(1), whole)?);
        let mut state = self.state.lock();
        if by > limits::INTEGER_MAX - state.get(replica) {
            drop(state);
            return Err(too_many(py));
        }
        state.increment(replica, by);
        Ok(state.get(replica))
    }

    fn get(&self, replica: &str) -> u64 {
        self.state.lock().get(replica)
    }

    #[getter]
    fn value(&self) -> u64 {
        self.state.lock().value()
    }

    fn counts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let counts = owned(self.state.lock().counts());
        counts.into_py_dict(py)
    }

    fn merge(&self, other: &Self) -> Self {
        Self { state: Guarded::new(self.state.with(&other.state, GCounter::merged)) }
    }

    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let said = PyDict::new(py);
        said.set_item("counts", self.counts(py)?)?;
        Ok(said)
    }

    fn __eq__(&self, other: &Self) -> bool {
        self.state.with(&other.state, GCounter::eq)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("GCounter({})", shown(self.counts(py)?, py)?))
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyType>, (Bound<'py, PyDict>,))> {
        Ok((slf.get_type(), (slf.get().counts(slf.py())?,)))
    }
}

/// See the stub.
#[pyclass(frozen, name = "VectorClock", module = "chrysalis_memory")]
pub struct SharedVectorClock {
    state: Guarded<VectorClock>,
}

impl SharedVectorClock {
    fn order(&self, other: &Self) -> CausalOrder {
        self.state.with(&other.state, VectorClock::compare)
    }
}

#[pymethods]
impl SharedVectorClock {
    #[new]
    #[pyo3(signature = (counts=None))]
    fn new(counts: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let mut clock = VectorClock::default();
        each(counts, |name, count| clock.raise(name, count))?;
        Ok(Self { state: Guarded::new(clock) })
    }

    fn increment(&self, py: Python<'_>, replica: &str) -> PyResult<u64> {
        let replica = name(py, replica)?;
        let mut state = self.state.lock();
        if state.get(replica) >= limits::INTEGER_MAX {
            drop(state);
            return Err(too_many(py));
        }
        Ok(state.increment(replica))
    }

    fn get(&self, replica: &str) -> u64 {
        self.state.lock().get(replica)
    }

    fn counts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let counts = owned(self.state.lock().counts());
        counts.into_py_dict(py)
    }

    fn compare(&self, other: &Self) -> &'static str {
        match self.order(other) {
            CausalOrder::Before => "before",
            CausalOrder::After => "after",
            CausalOrder::Equal => "equal",
            CausalOrder::Concurrent => "concurrent",
        }
    }

    fn happens_before(&self, other: &Self) -> bool {
        self.order(other) == CausalOrder::Before
    }

    fn merge(&self, other: &Self) -> Self {
        Self { state: Guarded::new(self.state.with(&other.state, VectorClock::merged)) }
    }

    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let said = PyDict::new(py);
        said.set_item("counts", self.counts(py)?)?;
        Ok(said)
    }

    fn __eq__(&self, other: &Self) -> bool {
        self.state.with(&other.state, VectorClock::eq)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("VectorClock({})", shown(self.counts(py)?, py)?))
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyType>, (Bound<'py, PyDict>,))> {
        Ok((slf.get_type(), (slf.get().counts(slf.py())?,)))
    }
}
