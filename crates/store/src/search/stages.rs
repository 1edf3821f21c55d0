//! What each step of a recall takes.

use std::time::{Duration, Instant};

/// The steps of one recall with their durations, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stages {
    since: Option<Instant>,
    ended: Vec<(&'static str, Duration)>,
}

impl Stages {
    /// Begins the first step.
    pub fn start() -> Self {
        Self { since: Some(Instant::now()), ended: Vec::new() }
    }

    /// Ends a step and begins the next.
    pub fn end(&mut self, name: &'static str) {
        let now = Instant::now();
        let since = self.since.replace(now).unwrap_or(now);
        self.ended.push((name, now.duration_since(since)));
    }

    /// The steps that have ended, in order.
    pub fn ended(&self) -> &[(&'static str, Duration)] {
        &self.ended
    }
}
