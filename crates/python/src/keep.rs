//! The doctor, for stores that may not open; encrypting them.

use std::path::PathBuf;

use chrysalis_store::doctor::{self, Finding};
use chrysalis_store::{Passphrase, convert};
use pyo3::prelude::*;

use crate::error::raise;

/// Level, code, where, what, and what a repair does about it.
type Told = (&'static str, &'static str, String, String, Option<String>);

fn told(findings: Vec<Finding>) -> Vec<Told> {
    findings.into_iter().map(|one| (one.level.name(), one.code, one.where_, one.what, one.repair)).collect()
}

/// See the stub.
#[pyfunction]
pub fn diagnose(py: Python<'_>, path: PathBuf, passphrase: Option<&str>) -> PyResult<Vec<Told>> {
    let passphrase = given(py, passphrase)?;
    Ok(told(py.detach(|| doctor::diagnose(&path, passphrase.as_ref()))))
}

/// See the stub.
#[pyfunction]
pub fn repair(py: Python<'_>, path: PathBuf, passphrase: Option<&str>) -> PyResult<Vec<Told>> {
    let passphrase = given(py, passphrase)?;
    Ok(told(py.detach(|| doctor::repair(&path, passphrase.as_ref()))))
}

/// See the stub.
#[pyfunction]
pub fn encrypt(py: Python<'_>, path: PathBuf, before: Option<&str>, after: Option<&str>) -> PyResult<()> {
    let (before, after) = (given(py, before)?, given(py, after)?);
    py.detach(|| convert(&path, before.as_ref(), after.as_ref())).map_err(|error| raise(py, error))
}

/// See the stub.
#[pyfunction]
pub fn change_passphrase(py: Python<'_>, path: PathBuf, before: &str, after: &str) -> PyResult<()> {
    let secret = |text: &str| Passphrase::new(text).map_err(|error| raise(py, error));
    let (before, after) = (secret(before)?, secret(after)?);
    py.detach(|| chrysalis_store::change_passphrase(&path, &before, &after)).map_err(|error| raise(py, error))
}

/// A passphrase as the store takes it.
pub(crate) fn given(py: Python<'_>, text: Option<&str>) -> PyResult<Option<Passphrase>> {
    text.map(Passphrase::new).transpose().map_err(|error| raise(py, error))
}
