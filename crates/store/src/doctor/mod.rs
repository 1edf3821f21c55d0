//! The doctor: what is wrong with a store, also with one that does not open, and what can be done about it.
//!
//! Start reading at [`diagnose`], which changes nothing, and [`repair`], which never deletes what it can't read: damaged
//! files stay beside the store under another name.

mod beside;
mod carve;
mod examine;
mod repair;
mod salvage;

use std::fmt;

pub use examine::diagnose;
pub use repair::repair;

/// How bad a finding is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Level {
    /// As it should be, or done.
    Ok,
    /// It works, and should be looked at.
    Warning,
    /// It does not work, or is not what it claims to be.
    Error,
}

impl Level {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One thing that the doctor found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// A short stable name.
    pub code: &'static str,
    /// Which file, operation, memory or table.
    pub where_: String,
    /// What was found, in plain words.
    pub what: String,
    /// What [`repair`] does about it; none when nothing is to be done, or nothing can be.
    pub repair: Option<String>,
}

impl Finding {
    fn new(level: Level, code: &'static str, where_: impl Into<String>, what: impl Into<String>) -> Self {
        Self { level, code, where_: where_.into(), what: what.into(), repair: None }
    }

    fn ok(code: &'static str, where_: impl Into<String>, what: impl Into<String>) -> Self {
        Self::new(Level::Ok, code, where_, what)
    }

    fn warning(code: &'static str, where_: impl Into<String>, what: impl Into<String>) -> Self {
        Self::new(Level::Warning, code, where_, what)
    }

    fn error(code: &'static str, where_: impl Into<String>, what: impl Into<String>) -> Self {
        Self::new(Level::Error, code, where_, what)
    }

    fn mended_by(mut self, repair: &str) -> Self {
        self.repair = Some(repair.to_owned());
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}: {} ({})", self.level.name(), self.where_, self.what, self.code)?;
        match &self.repair {
            Some(repair) => write!(out, "; repair: {repair}"),
            None => Ok(()),
        }
    }
}
