//! A disk that runs full, and a process that is killed in the middle of a write.

use crate::failure::Fault;

/// Which side of a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Moment {
    /// Nothing of it is on disk.
    Before,
    /// All of it is on disk, and nobody knows yet.
    After,
}

/// What goes wrong with writes.
#[derive(Clone, Copy, Default, Debug)]
pub struct Disk {
    /// Whether there is no room left.
    pub full: bool,
    /// The process is killed at the write that comes after so many others, at this moment of it.
    pub kill: Option<(u32, Moment)>,
    killed: bool,
}

impl Disk {
    /// Whether the process was killed: nothing that it did since has happened.
    pub fn was_killed(&self) -> bool {
        self.killed
    }

    /// A write comes to this moment.
    ///
    /// # Errors
    /// [`Fault::Full`], [`Fault::Killed`].
    pub fn meets(&mut self, moment: Moment) -> Result<(), Fault> {
        if self.killed {
            return Err(Fault::Killed);
        }
        if self.full && moment == Moment::Before {
            return Err(Fault::Full);
        }
        match &mut self.kill {
            Some((0, planned)) if *planned == moment => {
                self.killed = true;
                Err(Fault::Killed)
            }
            Some((writes, _)) if moment == Moment::After => {
                *writes = writes.saturating_sub(1);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_killed_at_the_planned_moment_and_stays_dead() {
        let mut disk = Disk { kill: Some((1, Moment::After)), ..Disk::default() };
        assert!(disk.meets(Moment::Before).is_ok());
        assert!(disk.meets(Moment::After).is_ok());
        assert!(disk.meets(Moment::Before).is_ok());
        assert!(matches!(disk.meets(Moment::After), Err(Fault::Killed)));
        assert!(matches!(disk.meets(Moment::Before), Err(Fault::Killed)));
        assert!(disk.was_killed());
    }

    #[test]
    fn a_full_disk_takes_nothing_until_there_is_room() {
        let mut disk = Disk { full: true, ..Disk::default() };
        assert!(matches!(disk.meets(Moment::Before), Err(Fault::Full)));
        disk.full = false;
        assert!(disk.meets(Moment::Before).is_ok());
    }
}
