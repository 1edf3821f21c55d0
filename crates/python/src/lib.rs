//! `chrysalis_memory._core`: the store and the core, as Python sees them. Glue: it converts and decides nothing.

// PyO3 hands arguments over by value and names methods after Python's.
#![allow(clippy::needless_pass_by_value)]

mod convert;
mod crdt;
mod crypto;
mod error;
mod keep;
mod members;
mod memory;
mod node;
mod replica;
mod simulate;

use pyo3::prelude::*;

#[pymodule]
mod _core {
    #[pymodule_export]
    use crate::crdt::{SharedDocument, SharedGCounter, SharedGSet, SharedLwwRegister, SharedOrSet, SharedVectorClock};
    #[pymodule_export]
    use crate::crypto::{fingerprint, verify_signature};
    #[pymodule_export]
    use crate::keep::{change_passphrase, diagnose, encrypt, repair};
    #[pymodule_export]
    use crate::memory::{LogicalTime, Memory};
    #[pymodule_export]
    use crate::node::{Node, rounds_estimate};
    #[pymodule_export]
    use crate::replica::Replica;
    #[pymodule_export]
    use crate::simulate::{simulate, simulate_liars};

    #[pymodule_export]
    const HAS_ENCRYPTION: bool = cfg!(feature = "encryption");

    #[pymodule_export]
    const PAYLOAD_BYTES_MAX: usize = chrysalis_core::limits::PAYLOAD_BYTES_MAX;

    #[pymodule_export]
    const FRAME_BYTES_MAX: usize = chrysalis_core::limits::FRAME_BYTES_MAX;
}
