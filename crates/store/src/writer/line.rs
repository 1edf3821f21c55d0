//! The line in which threads stand for the one writing connection.
//!
//! One thread leads at a time. Whoever comes meanwhile leaves a ticket, with work that the leader may do in the
//! same transaction or with the wish to lead. Leading passes to the first ticket, so nobody starves.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Instant;

use super::job::Job;
use crate::error::StoreError;

pub(super) type SharedJob<C> = Box<dyn Job<C> + Send>;

/// Who leads, and who waits.
pub(super) struct Line<C> {
    standing: Mutex<Standing<C>>,
}

struct Standing<C> {
    leader: Option<ThreadId>,
    /// Whether the leader holds a transaction open over many calls.
    batch: bool,
    closed: bool,
    tickets: VecDeque<Ticket<C>>,
}

/// A place in the line; with work, or to lead.
struct Ticket<C> {
    turn: Arc<Turn<C>>,
    job: Option<SharedJob<C>>,
}

/// Where a waiting thread learns what became of its ticket.
pub(super) struct Turn<C> {
    thread: ThreadId,
    news: Mutex<News<C>>,
    changed: Condvar,
}

enum News<C> {
    None,
    Finished,
    Leads(Option<SharedJob<C>>),
}

/// What a thread does that entered the line.
pub(super) enum Entry<'line, C> {
    /// It leads, and must hand over.
    Leads,
    /// It holds a batch open: its work goes in there.
    InBatch,
    /// Others lead: it may leave a ticket.
    Waits(Place<'line, C>),
}

/// The end of the line, held until a ticket is left there.
pub(super) struct Place<'line, C>(MutexGuard<'line, Standing<C>>);

/// What became of a ticket.
pub(super) enum Called<C> {
    /// Its work was done, well or badly.
    Finished,
    /// Its thread leads now, and has its own work back.
    Leads(Option<SharedJob<C>>),
}

/// A job done for another thread, which is told when it is dropped.
pub(super) struct Guest<C> {
    pub(super) job: SharedJob<C>,
    turn: Arc<Turn<C>>,
}

impl<C> Drop for Guest<C> {
    fn drop(&mut self) {
        self.turn.tell(News::Finished);
    }
}

impl<C> Turn<C> {
    fn new() -> Arc<Self> {
        Arc::new(Self { thread: thread::current().id(), news: Mutex::new(News::None), changed: Condvar::new() })
    }

    fn news(&self) -> MutexGuard<'_, News<C>> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, news: News<C>) {
        *self.news() = news;
        self.changed.notify_one();
    }

    /// Waits for news until `deadline`, or for as long as it takes.
    fn wait(&self, deadline: Option<Instant>) -> Option<Called<C>> {
        let mut news = self.news();
        loop {
            match std::mem::replace(&mut *news, News::None) {
                News::Finished => return Some(Called::Finished),
                News::Leads(job) => return Some(Called::Leads(job)),
                News::None => {}
            }
            news = match deadline {
                None => self.changed.wait(news).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return None;
                    }
                    let woken = self.changed.wait_timeout(news, left);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }
}

impl<C> Place<'_, C> {
    /// Leaves a ticket with a job, or to lead, and lets the next one come.
    pub(super) fn leave(mut self, job: Option<SharedJob<C>>) -> Arc<Turn<C>> {
        let turn = Turn::new();
        self.0.tickets.push_back(Ticket { turn: Arc::clone(&turn), job });
        turn
    }
}

impl<C> Line<C> {
    pub(super) fn new() -> Self {
        Self { standing: Mutex::new(Standing { leader: None, batch: false, closed: false, tickets: VecDeque::new() }) }
    }

    fn standing(&self) -> MutexGuard<'_, Standing<C>> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Comes to the line: leads at once when nobody else does.
    pub(super) fn enter(&self) -> Result<Entry<'_, C>, StoreError> {
        let mut standing = self.standing();
        if standing.closed {
            return Err(StoreError::Closed);
        }
        let me = thread::current().id();
        match standing.leader {
            None => {
                standing.leader = Some(me);
                Ok(Entry::Leads)
            }
            Some(leader) if leader != me => Ok(Entry::Waits(Place(standing))),
            Some(_) if standing.batch => Ok(Entry::InBatch),
            Some(_) => {
                let what = "a write was started from inside another write".to_owned();
                Err(StoreError::Invalid(what))
            }
        }
    }

    /// Waits for what becomes of a ticket; it is taken back when nobody came to it before `deadline`.
    pub(super) fn wait(&self, turn: &Arc<Turn<C>>, deadline: Instant) -> Result<Called<C>, StoreError> {
        if let Some(called) = turn.wait(Some(deadline)) {
            return Ok(called);
        }
        let mut standing = self.standing();
        let place = standing.tickets.iter().position(|ticket| Arc::ptr_eq(&ticket.turn, turn));
        if let Some(place) = place {
            drop(standing.tickets.remove(place));
            return Err(StoreError::Locked);
        }
        drop(standing);
        // A leader is at it now, and will tell.
        turn.wait(None).ok_or(StoreError::Locked)
    }

    /// The job of the first ticket, unless that one wants to lead.
    pub(super) fn next_guest(&self) -> Option<Guest<C>> {
        let mut standing = self.standing();
        standing.tickets.front()?.job.as_ref()?;
        let ticket = standing.tickets.pop_front()?;
        let (turn, job) = (ticket.turn, ticket.job?);
        Some(Guest { job, turn })
    }

    /// Passes leading to the first ticket, or to whoever comes next.
    pub(super) fn hand_over(&self) {
        let mut standing = self.standing();
        standing.batch = false;
        let next = standing.tickets.pop_front();
        standing.leader = next.as_ref().map(|ticket| ticket.turn.thread);
        drop(standing);
        if let Some(ticket) = next {
            ticket.turn.tell(News::Leads(ticket.job));
        }
    }

    /// Notes that the leader keeps its transaction open.
    pub(super) fn open_batch(&self) {
        self.standing().batch = true;
    }

    /// Tells whether the calling thread holds a batch open.
    pub(super) fn holds_batch(&self) -> bool {
        let standing = self.standing();
        standing.batch && standing.leader == Some(thread::current().id())
    }

    /// Lets nobody enter any more; those who wait still get their turn.
    pub(super) fn close(&self) {
        self.standing().closed = true;
    }
}
