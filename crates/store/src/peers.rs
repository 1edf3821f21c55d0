//! Addresses of other replicas, kept beside the log: where a network looks for them.

use chrysalis_core::codec::{Decoder, Encoder};
use chrysalis_core::limits;
use chrysalis_core::token::check_address;
use rusqlite::Connection;

use crate::error::StoreError;
use crate::ledger::damaged;
use crate::schema;
use crate::store::Store;

/// Where `meta` keeps them.
pub(crate) const KEY: &str = "peers";

/// Addresses kept at most: more are a list that nobody keeps by hand.
const PEERS_MAX: usize = 256;

impl Store {
    /// The kept addresses, sorted.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn peers(&self) -> Result<Vec<String>, StoreError> {
        self.read(peers_of)
    }

    /// Keeps an address. Returns whether it was new.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for something that is no address, or one too many; those of writing.
    pub fn add_peer(&self, address: &str) -> Result<bool, StoreError> {
        let address = address.to_owned();
        self.writer.run(move |connection, _| keep_peers(connection, &[address]).map(|added| added > 0))
    }

    /// Drops an address. Returns whether it was kept.
    ///
    /// # Errors
    /// Those of writing.
    pub fn forget_peer(&self, address: &str) -> Result<bool, StoreError> {
        let address = address.to_owned();
        self.writer.run(move |connection, _| {
            let mut peers = peers_of(connection)?;
            let before = peers.len();
            peers.retain(|one| *one != address);
            write_peers(connection, &peers)?;
            Ok(peers.len() < before)
        })
    }
}

fn peers_of(connection: &Connection) -> Result<Vec<String>, StoreError> {
    let Some(bytes) = schema::meta(connection, KEY)? else { return Ok(Vec::new()) };
    decode(&bytes).map_err(|refusal| damaged(format!("the list of peers: {refusal}")))
}

/// The addresses in what is kept.
pub(crate) fn decode(bytes: &[u8]) -> chrysalis_core::Result<Vec<String>> {
    let mut d = Decoder::new(bytes);
    d.list(PEERS_MAX, "peers", |d| d.text(limits::ADDRESS_BYTES_MAX, "address (bytes)").map(str::to_owned))
}

fn write_peers(connection: &Connection, peers: &[String]) -> Result<(), StoreError> {
    let mut encoder = Encoder::default();
    encoder.list(peers.iter(), |e, address| {
        e.text(address);
    });
    schema::set_meta(connection, KEY, &encoder.finish())
}

/// Keeps these addresses beside those that are there. Returns how many were new.
pub(crate) fn keep_peers(connection: &Connection, addresses: &[String]) -> Result<usize, StoreError> {
    let mut peers = peers_of(connection)?;
    let before = peers.len();
    for address in addresses {
        check_address(address).map_err(|refusal| StoreError::Invalid(refusal.to_string()))?;
        if let Err(place) = peers.binary_search(address) {
            peers.insert(place, address.clone());
        }
    }
    if peers.len() > PEERS_MAX {
        return Err(StoreError::Invalid(format!("more than {PEERS_MAX} addresses: forget some first")));
    }
    if peers.len() > before {
        write_peers(connection, &peers)?;
    }
    Ok(peers.len() - before)
}
