//! `cargo run --release -p chrysalis-sim --example propagation_speed -- 100000`: prints what one run by gossip takes.

use std::time::Instant;

use chrysalis_sim::propagation::{Scenario, Way, propagate};

fn main() -> Result<(), chrysalis_core::Refusal> {
    let replicas = std::env::args().nth(1).and_then(|number| number.parse().ok()).unwrap_or(10_000);
    let began = Instant::now();
    let run = propagate(&Scenario { replicas, fanout: 3, loss: 0.1, way: Way::Gossip, seed: 1 })?;
    let (seconds, memory) = (began.elapsed().as_secs_f64(), peak_kib().unwrap_or_default() / 1024);
    println!("{replicas} replicas: {:?} rounds, {seconds:.1} s, {memory} MiB at most", run.rounds());
    println!("sent {:.3} times, {:.3} messages, {:.3} links each", run.copies, run.messages, run.links.unwrap_or(0.0));
    println!("{:?}", run.shares);
    Ok(())
}

/// The most memory that this process has held, in KiB, where the system tells.
fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
