//! What a hostile machine does to the frames that it sends: it owns its socket, and may write to it what it likes.

use crate::random::{Draw, Random};

/// Frames that one frame becomes at most: the flood of a machine that has as much network as others.
const FLOOD: u64 = 30;

/// Bytes of a frame that nobody asked for; a little more than the protocol allows.
const OVERSIZE_BYTES: usize = (1 << 20) + 1;

/// How a hostile machine treats its frames; each for so many of a thousand.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Manners {
    /// Alters a byte.
    pub alters: u64,
    /// Cuts the end off.
    pub truncates: u64,
    /// Sends it twice.
    pub repeats: u64,
    /// Sends another frame first, recorded anywhere in the world: also another's handshake.
    pub replays: u64,
    /// Keeps it back.
    pub drops: u64,
    /// Sends it after the next one.
    pub delays: u64,
    /// Sends random bytes first.
    pub babbles: u64,
    /// Sends more bytes than a frame may have.
    pub oversizes: u64,
    /// Sends it very often.
    pub floods: u64,
}

impl Manners {
    /// All of them, now and then.
    pub const EVERY: Self = Self {
        alters: 30,
        truncates: 20,
        repeats: 50,
        replays: 40,
        drops: 60,
        delays: 60,
        babbles: 20,
        oversizes: 2,
        floods: 10,
    };
}

/// A machine that does so.
#[derive(Debug)]
pub struct Mangler {
    manners: Manners,
    random: Random,
    kept: Option<Vec<u8>>,
}

impl Mangler {
    /// A machine with these manners.
    pub fn new(manners: Manners, random: Random) -> Self {
        Self { manners, random, kept: None }
    }

    /// What is sent instead of this frame.
    pub fn mangle(&mut self, mut frame: Vec<u8>, recorded: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let manners = self.manners;
        let mut sent = Vec::new();
        if self.random.chance(manners.babbles) {
            sent.push(self.babble());
        }
        if self.random.chance(manners.replays) && !recorded.is_empty() {
            sent.push(recorded[self.random.index(recorded.len())].clone());
        }
        if self.random.chance(manners.oversizes) {
            sent.push(vec![0; OVERSIZE_BYTES]);
        }
        if self.random.chance(manners.alters) && !frame.is_empty() {
            let at = self.random.index(frame.len());
            frame[at] ^= 1 << self.random.below(8);
        }
        if self.random.chance(manners.truncates) {
            frame.truncate(self.random.index(frame.len()));
        }
        if self.random.chance(manners.delays) && self.kept.is_none() {
            self.kept = Some(frame);
            return sent;
        }
        if !self.random.chance(manners.drops) {
            let times = if self.random.chance(manners.floods) { FLOOD } else { 1 };
            let times = times + u64::from(self.random.chance(manners.repeats));
            sent.extend((0..times).map(|_| frame.clone()));
        }
        sent.extend(self.kept.take());
        sent
    }

    fn babble(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; self.random.index(300)];
        self.random.fill(&mut bytes);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_with_manners_sends_what_it_is_given() {
        let mut mangler = Mangler::new(Manners::default(), Random::new(1));
        assert_eq!(mangler.mangle(vec![1, 2, 3], &[vec![9]]), [vec![1, 2, 3]]);
    }

    #[test]
    fn a_machine_without_manners_sends_anything() {
        let mut mangler = Mangler::new(Manners::EVERY, Random::new(1));
        let frame = vec![7; 50];
        let sent: Vec<_> = (0..2_000).map(|_| mangler.mangle(frame.clone(), &[vec![9; 9]])).collect();
        assert!(sent.iter().any(Vec::is_empty));
        assert!(sent.iter().any(|frames| frames.len() >= FLOOD as usize));
        assert!(sent.iter().flatten().any(|one| *one == vec![9; 9]));
        assert!(sent.iter().flatten().any(|one| one.len() == OVERSIZE_BYTES));
        assert!(sent.iter().flatten().any(|one| one.len() == frame.len() && *one != frame));
        assert!(sent.iter().flatten().any(|one| one.len() < frame.len() && one[..] == frame[..one.len()]));
    }
}
