//! Belonging to a space: roles, tokens, and what Python is told of members.

use std::sync::Arc;

use chrysalis_core::id::ReplicaKey;
use chrysalis_core::member::Role;
use chrysalis_core::token::Token;
use chrysalis_store::{Ballot, Member, OpenInvitation, StoreError};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::convert;
use crate::error::raise;

/// A replica's key, from hexadecimal.
pub(crate) fn key(hex: &str) -> PyResult<ReplicaKey> {
    ReplicaKey::from_hex(hex).map_err(|_| PyValueError::new_err("a key is 64 hexadecimal characters"))
}

/// A member with the names of the record's fields.
pub(crate) fn member<'py>(py: Python<'py>, member: &Member, you: bool) -> PyResult<Bound<'py, PyDict>> {
    let said = PyDict::new(py);
    said.set_item("key", member.replica.to_hex())?;
    said.set_item("role", member.role.name())?;
    said.set_item("agents", &member.agents)?;
    said.set_item("joined_at", convert::moment(py, member.joined_ms as i64)?)?;
    said.set_item("invited_by", member.invited_by.map(|key| key.to_hex()))?;
    said.set_item("invitation", member.invitation.map(|id| id.to_hex()))?;
    said.set_item("removed", member.is_removed)?;
    said.set_item("you", you)?;
    Ok(said)
}

/// An invitation with the names of the record's fields.
pub(crate) fn invitation<'py>(py: Python<'py>, invitation: &OpenInvitation) -> PyResult<Bound<'py, PyDict>> {
    let said = PyDict::new(py);
    said.set_item("id", invitation.id.to_hex())?;
    said.set_item("role", invitation.role.name())?;
    said.set_item("expires_at", convert::optional_moment(py, invitation.expires_ms.map(|ms| ms as i64))?)?;
    said.set_item("joined", invitation.joined)?;
    Ok(said)
}

/// A vote as (voter, confidence, current, at in ms).
pub(crate) fn ballot(ballot: &Ballot) -> (String, f64, bool, u64) {
    (ballot.voter.to_hex(), convert::score(ballot.confidence), ballot.is_current, ballot.at_ms)
}

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
