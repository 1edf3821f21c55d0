//! How one memory reaches everyone: measured in rounds, beside the formula.
//!
//! A round is one interval of gossip, and the strictest reading of it: whatever is sent arrives at its end, so that
//! news travels one link in a round. Over real links an interval lasts half a second and a message some milliseconds,
//! so that news travels many links in a round: [`Way::Nodes`] shows that.

mod gossip;
mod nodes;
mod scenario;
mod uniform;

use chrysalis_core::Result;

pub use scenario::{Progress, Propagation, ROUNDS_MAX, Scenario, Watch, Way};

/// Lets one replica remember something and follows it until everyone has it. Each replica takes it through admission.
///
/// # Errors
/// None that is expected: what a refused operation would be.
pub fn propagate(scenario: &Scenario) -> Result<Propagation> {
    propagate_watched(scenario, &mut |_| true)
}

/// As [`propagate`], with somebody who watches it.
///
/// # Errors
/// As [`propagate`].
pub fn propagate_watched(scenario: &Scenario, watch: Watch<'_>) -> Result<Propagation> {
    match scenario.way {
        Way::Push | Way::PushPull => uniform::propagate(scenario, watch),
        Way::Gossip => gossip::propagate(scenario, watch),
        Way::Nodes => nodes::propagate(scenario, watch),
    }
}
