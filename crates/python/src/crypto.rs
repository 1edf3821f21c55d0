//! Hash and signature, the core's own.

use chrysalis_core::id::{ReplicaKey, Signature, from_hex, sha384, to_hex};
use chrysalis_core::sign;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

/// Bytes, or text that stands for them: hexadecimal for keys and signatures.
fn bytes_of(value: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    if let Ok(text) = value.extract::<String>() {
        // What is no hexadecimal is no key and no signature, so it verifies nothing.
        return Ok(from_hex(&text).unwrap_or_default());
    }
    let bytes = value.extract::<Vec<u8>>();
    bytes.map_err(|_| PyTypeError::new_err("a key or signature is bytes or hexadecimal text"))
}

/// Bytes, or the UTF-8 of text.
fn message_of(value: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    if let Ok(text) = value.extract::<String>() {
        return Ok(text.into_bytes());
    }
    value.extract::<Vec<u8>>().map_err(|_| PyTypeError::new_err("a message is bytes or text"))
}

/// See the stub.
#[pyfunction]
pub fn verify_signature(
    py: Python<'_>,
    public_key: &Bound<'_, PyAny>,
    message: &Bound<'_, PyAny>,
    signature: &Bound<'_, PyAny>,
) -> PyResult<bool> {
    let (key, message, signature) = (bytes_of(public_key)?, message_of(message)?, bytes_of(signature)?);
    let (Ok(key), Ok(signature)) = (ReplicaKey::from_slice(&key), Signature::from_slice(&signature)) else {
        return Ok(false);
    };
    Ok(py.detach(|| sign::verify(&key, &message, &signature).is_ok()))
}

/// See the stub.
#[pyfunction]
pub fn fingerprint(py: Python<'_>, data: &Bound<'_, PyAny>) -> PyResult<String> {
    let data = message_of(data)?;
    Ok(py.detach(|| to_hex(&sha384(&data))))
}
