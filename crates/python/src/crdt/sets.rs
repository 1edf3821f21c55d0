//! `GSet` and `ORSet`.

use chrysalis_core::limits;
use chrysalis_core::merge::{Dot, GSet, OrSet};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyIterator, PyList, PyString, PyType};

use super::{Guarded, bounded, random, shown};

/// An add or a removal as pickles hold it: element, copy and counter.
type Named = (String, [u8; 16], u64);

fn element<'a>(py: Python<'_>, text: &'a str) -> PyResult<&'a str> {
    bounded(py, "element (bytes)", text, limits::PAYLOAD_BYTES_DEFAULT)
}

/// Calls `add` with each; a single text is most likely a slip, and its characters are no elements.
fn each(elements: Option<&Bound<'_, PyAny>>, mut add: impl FnMut(&str) -> PyResult<()>) -> PyResult<()> {
    let Some(elements) = elements else { return Ok(()) };
    if elements.is_instance_of::<PyString>() {
        return Err(PyTypeError::new_err("elements are a collection of texts, not one text"));
    }
    elements.try_iter()?.try_for_each(|one| add(one?.extract()?))
}

/// See the stub.
#[pyclass(frozen, name = "GSet", module = "chrysalis_memory")]
pub struct SharedGSet {
    state: Guarded<GSet>,
}

#[pymethods]
impl SharedGSet {
    #[new]
    #[pyo3(signature = (elements=None))]
    fn new(py: Python<'_>, elements: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let mut set = GSet::default();
        each(elements, |one| {
            set.add(element(py, one)?);
            Ok(())
        })?;
        Ok(Self { state: Guarded::new(set) })
    }

    fn add(&self, py: Python<'_>, element: &str) -> PyResult<bool> {
        let element = self::element(py, element)?;
        Ok(self.state.lock().add(element))
    }

    fn elements<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let elements: Vec<String> = self.state.lock().elements().map(str::to_owned).collect();
        PyList::new(py, elements)
    }

    fn merge(&self, other: &Self) -> Self {
        Self { state: Guarded::new(self.state.with(&other.state, GSet::merged)) }
    }

    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let said = PyDict::new(py);
        said.set_item("elements", self.elements(py)?)?;
        Ok(said)
    }

    fn __contains__(&self, element: &Bound<'_, PyAny>) -> bool {
        element.extract::<&str>().is_ok_and(|text| self.state.lock().contains(text))
    }

    fn __len__(&self) -> usize {
        self.state.lock().len()
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        self.elements(py)?.try_iter()
    }

    fn __eq__(&self, other: &Self) -> bool {
        self.state.with(&other.state, GSet::eq)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("GSet({})", shown(self.elements(py)?, py)?))
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyType>, (Bound<'py, PyList>,))> {
        Ok((slf.get_type(), (slf.get().elements(slf.py())?,)))
    }
}

/// See the stub.
///
/// Every add draws the random part of its dot anew. So a copy, an unpickled set and a set in a forked process make
/// dots of their own, with no counter to be kept apart.
#[pyclass(frozen, name = "ORSet", module = "chrysalis_memory")]
pub struct SharedOrSet {
    state: Guarded<OrSet>,
}

fn new_dot() -> PyResult<Dot> {
    Ok(Dot { copy: random()?, counter: 0 })
}

fn named<'a>(dots: impl Iterator<Item = (&'a str, Dot)>) -> Vec<Named> {
    dots.map(|(element, dot)| (element.to_owned(), dot.copy, dot.counter)).collect()
}

fn dots(named: &[Named]) -> impl Iterator<Item = (&str, Dot)> {
    named.iter().map(|(element, copy, counter)| (&**element, Dot { copy: *copy, counter: *counter }))
}

#[pymethods]
impl SharedOrSet {
    #[new]
    #[pyo3(signature = (elements=None))]
    fn new(py: Python<'_>, elements: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let mut set = OrSet::default();
        each(elements, |one| {
            set.add(element(py, one)?, new_dot()?);
            Ok(())
        })?;
        Ok(Self { state: Guarded::new(set) })
    }

    fn add(&self, py: Python<'_>, element: &str) -> PyResult<()> {
        let (element, dot) = (self::element(py, element)?, new_dot()?);
        self.state.lock().add(element, dot);
        Ok(())
    }

    fn remove(&self, element: &str) -> bool {
        self.state.lock().remove(element)
    }

    fn elements<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let elements: Vec<String> = self.state.lock().elements().map(str::to_owned).collect();
        PyList::new(py, elements)
    }

    fn merge(&self, other: &Self) -> Self {
        Self { state: Guarded::new(self.state.with(&other.state, OrSet::merged)) }
    }

    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let said = PyDict::new(py);
        said.set_item("elements", self.elements(py)?)?;
        Ok(said)
    }

    fn __contains__(&self, element: &Bound<'_, PyAny>) -> bool {
        element.extract::<&str>().is_ok_and(|text| self.state.lock().contains(text))
    }

    fn __len__(&self) -> usize {
        self.state.lock().len()
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        self.elements(py)?.try_iter()
    }

    fn __eq__(&self, other: &Self) -> bool {
        self.state.with(&other.state, OrSet::eq)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("ORSet({})", shown(self.elements(py)?, py)?))
    }

    #[allow(clippy::type_complexity)]
    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (Vec<Named>, Vec<Named>))> {
        let state = slf.get().state.lock();
        let (adds, removals) = (named(state.adds()), named(state.removals()));
        drop(state);
        Ok((slf.get_type().getattr("_restore")?, (adds, removals)))
    }

    /// What `__reduce__` took apart.
    #[staticmethod]
    fn _restore(adds: Vec<Named>, removals: Vec<Named>) -> Self {
        Self { state: Guarded::new(OrSet::from_parts(dots(&adds), dots(&removals))) }
    }
}
