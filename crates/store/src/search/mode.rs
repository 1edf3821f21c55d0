//! What a recall goes by: words, meaning or both.

use std::str::FromStr;

use crate::error::StoreError;

/// What a recall goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Words and meaning, half and half, and what stands around a memory.
    #[default]
    Hybrid,
    /// Words, and what stands around a memory.
    Text,
    /// Meaning alone.
    Vector,
}

impl Mode {
    /// The name that [`Mode::from_str`] reads.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hybrid => "hybrid",
            Self::Text => "text",
            Self::Vector => "vector",
        }
    }
}

impl FromStr for Mode {
    type Err = StoreError;

    fn from_str(name: &str) -> Result<Self, StoreError> {
        [Self::Hybrid, Self::Text, Self::Vector]
            .into_iter()
            .find(|mode| mode.name() == name)
            .ok_or_else(|| StoreError::Invalid(format!("{name:?} is no mode of recall: choose hybrid, text or vector")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_modes_are_read_back() {
        for mode in [Mode::Hybrid, Mode::Text, Mode::Vector] {
            assert_eq!(mode.name().parse::<Mode>().ok(), Some(mode));
        }
        assert!("fuzzy".parse::<Mode>().is_err());
    }
}
