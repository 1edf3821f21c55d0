//! Many replicas in one process, under a seed: the machines that a hub and its agents run, over a network, clocks and
//! disks that fail as they are told to.
//!
//! Nothing here stands in for the core: replicas admit, merge and speak as they do anywhere. What is simulated is the
//! world around them.

pub mod check;
mod check_voices;
pub mod cluster;
pub mod deed;
pub mod difference;
pub mod disk;
pub mod failure;
pub mod forge;
pub mod in_memory;
pub mod liars;
pub mod lies;
pub mod machine;
pub mod mangle;
pub mod network;
pub mod plan;
pub mod planted;
pub mod population;
pub mod propagation;
pub mod random;
pub mod replica;
pub mod report;
pub mod rounds;
pub mod run;
pub mod stored;
pub mod world;
