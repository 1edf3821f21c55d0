//! Belonging to a space: roles, tokens, and what Python is told of members.

use std::sync::Arc;

use chrysalis_core::member::Role;
use chrysalis_core::token::Token;
use chrysalis_store::StoreError;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::error::raise;

/// The role with this name.
pub(crate) fn role_named(name: &str) -> PyResult<Role> {
    Role::from_name(name).ok_or_else(|| {
        let what = format!("{name:?} is no role: choose relay, reader, writer, validator or administrator");
        PyValueError::new_err(what)
    })
}

/// What a token says; it must not stand in any error.
pub(crate) fn token(py: Python<'_>, text: Option<String>) -> PyResult<Option<Arc<Token>>> {
    let token = text.map(|text| Token::decode(&text)).transpose();
    token.map(|token| token.map(Arc::new)).map_err(|refusal| raise(py, StoreError::from(refusal)))
}
