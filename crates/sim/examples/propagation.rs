//! Prints rounds until everyone has a memory: `propagation WAY REPLICAS LOSS SEEDS`.

use chrysalis_sim::propagation::{Scenario, Way};
use chrysalis_sim::rounds::measure;

fn main() {
    let said: Vec<String> = std::env::args().collect();
    let way = [Way::Push, Way::PushPull, Way::Gossip]
        .into_iter()
        .find(|way| Some(way.name()) == said.get(1).map(String::as_str));
    let number = |place: usize, default: f64| said.get(place).and_then(|text| text.parse().ok()).unwrap_or(default);
    let replicas = number(2, 1000.0) as usize;
    let scenario = Scenario { replicas, fanout: 3, loss: number(3, 0.1), way: way.unwrap_or(Way::Gossip), seed: 1 };
    match measure(&scenario, number(4, 20.0) as u64) {
        Ok(line) => println!("{line:?}"),
        Err(refusal) => println!("{refusal}"),
    }
}
