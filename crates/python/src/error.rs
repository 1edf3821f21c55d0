//! Errors: the core's codes become the classes of `chrysalis_memory.errors`.

use chrysalis_store::StoreError;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;

static FROM_CORE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// The Python exception for a store's error.
pub(crate) fn raise(py: Python<'_>, error: StoreError) -> PyErr {
    if let StoreError::Invalid(what) = &error {
        return PyValueError::new_err(what.clone());
    }
    build(py, &error).unwrap_or_else(|failed| failed)
}

fn build(py: Python<'_>, error: &StoreError) -> PyResult<PyErr> {
    let from_core = FROM_CORE
        .get_or_try_init(py, || Ok::<_, PyErr>(py.import("chrysalis_memory.errors")?.getattr("from_core")?.unbind()))?;
    let data = PyDict::new(py);
    data.set_item("hint", error.hint())?;
    match error {
        StoreError::Corrupt { file, .. } if !file.as_os_str().is_empty() => {
            data.set_item("path", file.display().to_string())?;
        }
        StoreError::TooNew { found, supported } => {
            data.set_item("found", found)?;
            data.set_item("supported", supported)?;
        }
        _ => {}
    }
    let made = from_core.bind(py).call((error.code(), error.to_string()), Some(&data))?;
    Ok(PyErr::from_value(made))
}
