//! What an honest agent does with its memory.

use chrysalis_core::id::LogId;

/// One thing that an agent does. Ids and words are unique in a run, so that what is lost or left behind is noticed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Deed {
    /// Remembers something new.
    Remember {
        /// Its id.
        id: String,
        /// Its words.
        words: String,
        /// When it fades, in ms since the Unix epoch.
        expires_ms: Option<u64>,
    },
    /// Says something else of a memory. The tag is of this edit alone: by it the edit is known again.
    Update {
        /// Which.
        id: String,
        /// Its new words.
        words: String,
        /// What marks the edit.
        tag: String,
    },
    /// Takes a tag away.
    Untag {
        /// Which memory.
        id: String,
        /// The tag.
        tag: String,
    },
    /// Counts a use.
    Touch {
        /// Which memory.
        id: String,
    },
    /// Votes on a memory.
    Attest {
        /// Which.
        id: String,
        /// Fixed point: 0 is 0.0, 65,535 is 1.0.
        confidence: u16,
    },
    /// Says how sure it is of a memory.
    Rate {
        /// Which.
        id: String,
        /// Fixed point: 0 is 0.0, 65,535 is 1.0.
        confidence: u16,
    },
    /// Forgets a memory.
    Forget {
        /// Which.
        id: String,
    },
}

/// A promise, and who gave it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Given {
    /// The machine that gave it.
    pub by: usize,
    /// What must hold.
    pub promise: Promise,
    /// Log and place of the operation that was acknowledged with it.
    pub place: Option<(LogId, u64)>,
    /// Whether whoever removed its giver had seen it: then it holds nevertheless.
    pub outlasts: bool,
}

/// What an agent was told is done, and must therefore hold everywhere in the end.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Promise {
    /// The memory is there.
    Lives {
        /// Its id.
        id: String,
    },
    /// The edit that this tag marks counts.
    Tagged {
        /// The memory.
        id: String,
        /// The mark.
        tag: String,
    },
    /// The vote of its giver counts.
    Voted {
        /// The memory.
        id: String,
    },
    /// Neither the memory nor any words that were ever said of it are there.
    Gone {
        /// Its id.
        id: String,
    },
}

impl Promise {
    /// The memory that it is about.
    pub fn id(&self) -> &str {
        match self {
            Promise::Lives { id } | Promise::Tagged { id, .. } | Promise::Voted { id } | Promise::Gone { id } => id,
        }
    }
}
