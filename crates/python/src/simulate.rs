//! Simulations of gossip and of learning together, as Python asks for them.

use chrysalis_sim::liars::{Liars, simulate_liars as simulated_liars};
use chrysalis_sim::propagation::{Progress, Scenario, Way};
use chrysalis_sim::rounds::{formula, measure_watched};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Replicas above which a run would take longer than anyone waits.
const REPLICAS_MAX: usize = 200_000;

fn within(what: &str, value: f64) -> PyResult<f64> {
    if (0.0..=1.0).contains(&value) { Ok(value) } else { Err(PyValueError::new_err(format!("{what} is 0 to 1"))) }
}

/// See the stub.
#[pyfunction]
#[pyo3(signature = (replicas, fanout=3, loss=0.0, mode="gossip", seed=1, seeds=1, watch=None))]
#[allow(clippy::too_many_arguments)]
pub fn simulate<'py>(
    py: Python<'py>,
    replicas: usize,
    fanout: usize,
    loss: f64,
    mode: &str,
    seed: u64,
    seeds: u64,
    watch: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let way = Way::ALL.into_iter().find(|way| way.name() == mode);
    let way = way.ok_or_else(|| PyValueError::new_err("mode is push, push-pull, gossip or nodes"))?;
    if !(2..=REPLICAS_MAX).contains(&replicas) || fanout == 0 {
        return Err(PyValueError::new_err(format!("replicas are 2 to {REPLICAS_MAX}, and fanout is 1 or more")));
    }
    let scenario = Scenario { replicas, fanout, loss: within("loss", loss)?, way, seed };
    let mut raised: PyResult<()> = Ok(());
    // After each round, so that a long simulation can be shown, and interrupted.
    let mut told = |run: u64, progress: Progress| {
        raised = Python::attach(|py| {
            py.check_signals()?;
            watch.as_ref().map(|watch| watch.call1(py, (run, progress.rounds, progress.share))).transpose().map(drop)
        });
        raised.is_ok()
    };
    let line = py.detach(|| measure_watched(&scenario, seeds, &mut told));
    raised?;
    let line = line.map_err(|e| PyValueError::new_err(e.to_string()))?;
    let told = PyDict::new(py);
    told.set_item("replicas", replicas)?;
    told.set_item("seeds", line.seeds)?;
    told.set_item("complete", line.complete)?;
    told.set_item("mean", line.mean)?;
    told.set_item("p99", line.p99)?;
    told.set_item("max", line.max)?;
    told.set_item("formula", formula(&scenario))?;
    told.set_item("shares", line.shares)?;
    told.set_item("copies", if way == Way::Nodes { None } else { Some(line.copies) })?;
    told.set_item("links", line.links)?;
    Ok(told)
}

/// See the stub.
#[pyfunction]
#[pyo3(signature = (agents, share, truth=0.6, tries=20, rounds=20, seed=1))]
pub fn simulate_liars(
    py: Python<'_>,
    agents: usize,
    share: f64,
    truth: f64,
    tries: u32,
    rounds: u32,
    seed: u64,
) -> PyResult<Vec<(f64, f64, f64, f64)>> {
    if !(1..=REPLICAS_MAX).contains(&agents) {
        return Err(PyValueError::new_err(format!("agents are 1 to {REPLICAS_MAX}")));
    }
    let (share, truth) = (within("share", share)?, within("truth", truth)?);
    let liars = Liars { agents, share, truth, tries, rounds, seed };
    let read = py.detach(|| simulated_liars(&liars)).map_err(|e| PyValueError::new_err(e.to_string()))?;
    Ok(read.into_iter().map(|one| (one.trimmed_mean, one.median, one.mean, one.maximum)).collect())
}
