//! Mistakes on purpose: whoever simulates must see that they are found.

/// A mistake that is put into a replica on purpose, to see that it is found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Planted {
    /// Some operations, always the same, are said to be stored and are not.
    LosesSome,
    /// The last write to arrive wins, whatever it knew of the others.
    LastArrivalWins,
    /// What a write replaces is not looked at.
    NothingDominates,
}
