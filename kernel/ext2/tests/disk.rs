//! A disk in memory that remembers what was written, and fails when told to.
use std::cell::RefCell;

use ext2::{Disk, Error};

/// A write, in the order in which they were made.
#[derive(Clone)]
pub(crate) struct Write {
    pub(crate) at: usize,
    pub(crate) bytes: Vec<u8>,
    /// On the medium before what follows.
    pub(crate) is_through: bool,
}

/// What the disk is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    Read,
    Write,
}

#[derive(Default)]
struct State {
    bytes: Vec<u8>,
    /// Writes since `record`, if that was called.
    log: Option<Vec<Write>>,
    writes: u64,
    /// How many requests there may still be.
    allowed: Option<u64>,
    /// Which request fails: so many from now on.
    failing: Option<(Request, u64)>,
    has_failed: bool,
}

pub(crate) struct TestDisk(RefCell<State>);

impl TestDisk {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self(RefCell::new(State {
            bytes,
            ..State::default()
        }))
    }

    pub(crate) fn length(&self) -> u64 {
        self.0.borrow().bytes.len() as u64
    }

    /// All of its bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.borrow().bytes.clone()
    }

    /// How many writes there were.
    pub(crate) fn writes(&self) -> u64 {
        self.0.borrow().writes
    }

    /// More requests than so many are a panic.
    pub(crate) fn allow(&self, requests: u64) {
        self.0.borrow_mut().allowed = Some(requests);
    }

    /// Begins to remember writes, and forgets those before.
    pub(crate) fn record(&self) {
        self.0.borrow_mut().log = Some(Vec::new());
    }

    /// The writes since `record`.
    pub(crate) fn log(&self) -> Vec<Write> {
        self.0.borrow().log.clone().unwrap_or_default()
    }

    /// Lets a request of this kind fail, once, after `count` that do not.
    pub(crate) fn fail_after(&self, which: Request, count: u64) {
        let mut state = self.0.borrow_mut();
        state.failing = Some((which, count));
        state.has_failed = false;
    }

    /// No request fails from now on; whether one has.
    pub(crate) fn heal(&self) -> bool {
        let mut state = self.0.borrow_mut();
        state.failing = None;
        state.has_failed
    }

    fn put(&self, at: u64, bytes: &[u8], is_through: bool) -> Result<(), Error> {
        let mut state = self.0.borrow_mut();
        state.request(Request::Write)?;
        let start = usize::try_from(at).map_err(|_| Error::Io)?;
        let end = start.checked_add(bytes.len()).ok_or(Error::Io)?;
        let place = state.bytes.get_mut(start..end).ok_or(Error::Io)?;
        place.copy_from_slice(bytes);
        if let Some(log) = &mut state.log {
            log.push(Write {
                at: start,
                bytes: bytes.to_vec(),
                is_through,
            });
        }
        Ok(())
    }
}

impl State {
    fn request(&mut self, kind: Request) -> Result<(), Error> {
        self.writes += u64::from(kind == Request::Write);
        if let Some(allowed) = &mut self.allowed {
            *allowed = allowed.checked_sub(1).expect("this has no end");
        }
        match &mut self.failing {
            Some((which, 0)) if *which == kind => {
                self.failing = None;
                self.has_failed = true;
                Err(Error::Io)
            }
            Some((which, left)) if *which == kind => {
                *left -= 1;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl Disk for TestDisk {
    fn read(&self, at: u64, bytes: &mut [u8]) -> Result<(), Error> {
        let mut state = self.0.borrow_mut();
        state.request(Request::Read)?;
        let start = usize::try_from(at).map_err(|_| Error::Io)?;
        let end = start.checked_add(bytes.len()).ok_or(Error::Io)?;
        bytes.copy_from_slice(state.bytes.get(start..end).ok_or(Error::Io)?);
        Ok(())
    }

    fn write(&self, at: u64, bytes: &[u8]) -> Result<(), Error> {
        self.put(at, bytes, false)
    }

    fn write_through(&self, at: u64, bytes: &[u8]) -> Result<(), Error> {
        self.put(at, bytes, true)
    }
}
