//! The node of a store as one Python object: a machine without sockets and threads. See the stub.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrysalis_core::sync::gossip::LinkId;
use chrysalis_core::sync::held::{Held, Shown};
use chrysalis_core::sync::message::Peer;
use chrysalis_core::sync::node::{Effect, LinkStatus, Node as Machine, NodeConfig, NodeEvent};
use chrysalis_core::sync::rounds::{self, Mode};
use chrysalis_core::sync::session::{Opened, Phase};
use chrysalis_store::{Speaker, Store, StoreError};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};

use crate::convert::replica_key;
use crate::error::raise;
use crate::replica::Replica;

/// See the stub.
#[pyclass(frozen, module = "chrysalis_memory._core")]
pub struct Node {
    store: Arc<Store>,
    state: Mutex<State>,
}

struct State {
    machine: Machine,
    /// What peers are shown, when a policy holds something back.
    shown: Option<Shown>,
}

impl Node {
    // The machine holds no invariant that a panic elsewhere in this file could break.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run<T: Send>(
        &self,
        py: Python<'_>,
        job: impl FnOnce(&Store, &mut State) -> Result<T, StoreError> + Send,
    ) -> PyResult<T> {
        py.detach(|| job(&self.store, &mut self.state())).map_err(|error| raise(py, error))
    }
}

#[pymethods]
impl Node {
    #[new]
    fn new(replica: &Replica, settings: &Bound<'_, PyDict>, seed: u64) -> PyResult<Self> {
        let state = State { machine: Machine::new(config(settings)?, seed), shown: None };
        Ok(Self { store: replica.store(), state: Mutex::new(state) })
    }

    #[pyo3(signature = (link, nonce, dialed, trusted, now_ms))]
    fn opened(
        &self,
        link: u64,
        nonce: [u8; 32],
        dialed: Option<String>,
        trusted: Option<&str>,
        now_ms: u64,
    ) -> PyResult<()> {
        let opened = Opened { nonce, dialed, trusted: trusted.map(replica_key).transpose()? };
        self.state().machine.opened(LinkId(link), opened, now_ms);
        Ok(())
    }

    fn closed(&self, link: u64, now_ms: u64) {
        self.state().machine.closed(LinkId(link), now_ms);
    }

    fn unreachable(&self, address: String, now_ms: u64) {
        self.state().machine.unreachable(&address, now_ms);
    }

    fn received(&self, link: u64, frame: &[u8]) {
        self.state().machine.received(LinkId(link), frame.to_vec());
    }

    #[pyo3(signature = (address, replica, now_ms))]
    fn know(&self, address: String, replica: Option<&str>, now_ms: u64) -> PyResult<()> {
        let peer = Peer { address, replica: replica.map(replica_key).transpose()? };
        self.state().machine.know(peer, now_ms);
        Ok(())
    }

    fn forget_peer(&self, address: String) {
        self.state().machine.forget_peer(&address);
    }

    /// Holds back what is written from now on.
    fn hold(&self, py: Python<'_>) -> PyResult<()> {
        self.run(py, |store, state| {
            state.shown = Some(Shown::all(&Speaker(store))?);
            Ok(())
        })
    }

    /// How many operations are held back.
    fn held(&self, py: Python<'_>) -> PyResult<u64> {
        self.run(py, |store, state| state.shown.as_ref().map_or(Ok(0), |shown| shown.held(&Speaker(store))))
    }

    /// Shows all that is there now.
    fn show(&self, py: Python<'_>, now_ms: u64) -> PyResult<()> {
        self.run(py, |store, state| {
            if let Some(shown) = &mut state.shown {
                let since = shown.position();
                *shown = Shown::all(&Speaker(store))?;
                state.machine.tell_again(since, now_ms);
            }
            Ok(())
        })
    }

    fn step<'py>(&self, py: Python<'py>, now_ms: u64) -> PyResult<Bound<'py, PyList>> {
        let effects = py.detach(|| {
            let mut speaker = Speaker(&self.store);
            let State { machine, shown } = &mut *self.state();
            match shown {
                Some(shown) => machine.step(&mut Held::new(&mut speaker, shown), now_ms),
                None => machine.step(&mut speaker, now_ms),
            }
        });
        let list = PyList::empty(py);
        let mut last = PyBytes::new(py, &[]);
        for effect in effects {
            list.append(effect_of(py, effect, &mut last)?)?;
        }
        Ok(list)
    }

    fn wake_at(&self) -> Option<u64> {
        self.state().machine.wake_at()
    }

    fn status<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let status = py.detach(|| self.state().machine.status());
        let said = PyDict::new(py);
        let links = PyList::empty(py);
        for link in &status.links {
            links.append(link_of(py, link)?)?;
        }
        said.set_item("links", links)?;
        said.set_item("inbox_bytes", status.inbox_bytes)?;
        said.set_item("waiting_bytes", status.waiting_bytes)?;
        said.set_item("waiting", status.waiting)?;
        said.set_item("fetching", status.fetching)?;
        said.set_item("searches", status.searches)?;
        Ok(said)
    }
}

fn config(settings: &Bound<'_, PyDict>) -> PyResult<NodeConfig> {
    let mut config = NodeConfig::default();
    for (name, value) in settings {
        let gossip = &mut config.gossip;
        match name.extract::<String>()?.as_str() {
            "address" => config.address = value.extract()?,
            "window_bytes" => config.window_bytes = value.extract()?,
            "handshakes_max" => config.handshakes_max = value.extract()?,
            "links_per_key_max" => config.links_per_key_max = value.extract()?,
            "idle_ms" => config.idle_ms = value.extract()?,
            "dead_ms" => config.dead_ms = value.extract()?,
            "notes_ms" => config.notes_ms = value.extract()?,
            "links_max" => config.links_max = value.extract()?,
            "gossip_links_max" => gossip.links_max = value.extract()?,
            "fanout" => match value.extract::<Option<usize>>()? {
                Some(fanout) => gossip.fanout = fanout,
                None => gossip.eager_to_all = true,
            },
            "interval_ms" => gossip.interval_ms = value.extract()?,
            "anti_entropy_ms" => gossip.anti_entropy_ms = value.extract()?,
            "revive_ms" => gossip.revive_ms = value.extract()?,
            other => return Err(PyTypeError::new_err(format!("{other:?} is no setting of a node"))),
        }
    }
    Ok(config)
}

/// `last` is the frame before: mostly all links are told the same, which is then one object.
fn effect_of<'py>(
    py: Python<'py>,
    effect: Effect<StoreError>,
    last: &mut Bound<'py, PyBytes>,
) -> PyResult<Bound<'py, PyAny>> {
    Ok(match effect {
        Effect::Send { link, frame } => {
            if last.as_bytes() != frame.as_slice() {
                *last = PyBytes::new(py, &frame);
            }
            ("send", link.0, &*last).into_pyobject(py)?.into_any()
        }
        Effect::Close { link, code, why } => ("close", link.0, code, why).into_pyobject(py)?.into_any(),
        Effect::Dial(address) => ("dial", address).into_pyobject(py)?.into_any(),
        Effect::Event(event) => {
            let (name, facts) = event_of(py, event)?;
            ("event", name, facts).into_pyobject(py)?.into_any()
        }
        Effect::Fault(error) => ("fault", raise(py, error)).into_pyobject(py)?.into_any(),
    })
}

fn event_of(py: Python<'_>, event: NodeEvent) -> PyResult<(&'static str, Bound<'_, PyDict>)> {
    let facts = PyDict::new(py);
    let name = match event {
        NodeEvent::Ready { link, key, role } => {
            facts.set_item("link", link.0)?;
            facts.set_item("key", key.to_hex())?;
            facts.set_item("role", role.map(|role| role.name()))?;
            "ready"
        }
        NodeEvent::Closed { link, key, code, why } => {
            facts.set_item("link", link.0)?;
            facts.set_item("key", key.map(|key| key.to_hex()))?;
            facts.set_item("code", code)?;
            facts.set_item("why", why)?;
            "closed"
        }
        NodeEvent::Stored { count } => {
            facts.set_item("count", count)?;
            "stored"
        }
        NodeEvent::Agreed { link } => {
            facts.set_item("link", link.0)?;
            "agreed"
        }
        NodeEvent::Refused { link, code, count } => {
            facts.set_item("link", link.0)?;
            facts.set_item("code", code)?;
            facts.set_item("count", count)?;
            "refused"
        }
        NodeEvent::Proven { log } => {
            facts.set_item("log", log.to_hex())?;
            "proven"
        }
    };
    Ok((name, facts))
}

fn link_of<'py>(py: Python<'py>, link: &LinkStatus) -> PyResult<Bound<'py, PyDict>> {
    let said = PyDict::new(py);
    said.set_item("link", link.link.0)?;
    said.set_item("key", link.key.map(|key| key.to_hex()))?;
    said.set_item("role", link.role.map(|role| role.name()))?;
    said.set_item("address", &link.address)?;
    said.set_item("dialed", link.dialed)?;
    said.set_item("ready", link.phase == Phase::Ready)?;
    said.set_item("agreed", link.agreed)?;
    said.set_item("unacknowledged_bytes", link.unacknowledged_bytes)?;
    said.set_item("ahead_logs", link.ahead_logs)?;
    said.set_item("serving_logs", link.serving_logs)?;
    let counters = &link.counters;
    for (name, count) in [
        ("frames_in", counters.frames_in),
        ("frames_out", counters.frames_out),
        ("bytes_in", counters.bytes_in),
        ("bytes_out", counters.bytes_out),
        ("stored", counters.stored),
        ("refused", counters.refused),
        ("dropped", counters.dropped),
    ] {
        said.set_item(name, count)?;
    }
    Ok(said)
}

/// See the stub.
#[pyfunction]
pub(crate) fn rounds_estimate(replicas: u64, fanout: u64, mode: &str) -> PyResult<f64> {
    match mode {
        "push" => Ok(rounds::rounds_estimate(replicas, fanout, Mode::Push)),
        "push_pull" => Ok(rounds::rounds_estimate(replicas, fanout, Mode::PushPull)),
        other => Err(PyValueError::new_err(format!("{other:?} is no mode: choose push or push_pull"))),
    }
}
