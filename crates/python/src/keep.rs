//! The doctor, for stores that may not open.

use std::path::PathBuf;

use chrysalis_store::doctor::{self, Finding};
use pyo3::prelude::*;

/// Level, code, where, what, and what a repair does about it.
type Told = (&'static str, &'static str, String, String, Option<String>);

fn told(findings: Vec<Finding>) -> Vec<Told> {
    findings.into_iter().map(|one| (one.level.name(), one.code, one.where_, one.what, one.repair)).collect()
}

/// See the stub.
#[pyfunction]
pub fn diagnose(py: Python<'_>, path: PathBuf) -> Vec<Told> {
    told(py.detach(|| doctor::diagnose(&path)))
}

/// See the stub.
#[pyfunction]
pub fn repair(py: Python<'_>, path: PathBuf) -> Vec<Told> {
    told(py.detach(|| doctor::repair(&path)))
}
