//! What is known of one signal: who sent it and why, in the layout of Linux's `siginfo_t`.
//!
//! Of the 128 bytes that programs see only the first 48 ever mean something, so only those are kept.
use abi::general::{
    SI_KERNEL, SI_SIGIO, SI_TIMER, SI_USER, SIGBUS, SIGCHLD, SIGFPE, SIGILL, SIGSEGV, SIGTRAP,
};

/// Bytes that programs see.
pub(crate) const SIZE: usize = 128;
/// Bytes that mean something.
pub(crate) const KEPT: usize = 48;

/// The first words of a `siginfo_t`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Info([u64; KEPT / 8]);

/// What is known of a signal beside its number and code.
enum Layout {
    Sender,
    /// Sender and value.
    Queued,
    Timer,
    Child,
    Fault,
    Poll,
}

impl Info {
    fn new(signal: u32, code: i32, fields: [u64; 4]) -> Self {
        let [a, b, c, d] = fields;
        Self([u64::from(signal), u64::from(code as u32), a, b, c, d])
    }

    /// The kernel itself sends `signal`.
    pub(crate) fn of_kernel(signal: u32) -> Self {
        Self::new(signal, SI_KERNEL as i32, [0; 4])
    }

    /// Process `pid`, a program of root's like all others, sends `signal` by the call that `code` stands for.
    pub(crate) fn of_process(signal: u32, code: i32, pid: u32) -> Self {
        Self::new(signal, code, [u64::from(pid), 0, 0, 0])
    }

    /// Nobody knows any more: there was no memory to keep it.
    pub(super) fn forgotten(signal: u32) -> Self {
        Self::new(signal, SI_USER as i32, [0; 4])
    }

    /// An instruction went wrong, at or about `address`.
    pub(crate) fn of_fault(signal: u32, code: u32, address: u64) -> Self {
        Self::new(signal, code as i32, [address, 0, 0, 0])
    }

    /// Child `pid` ended, stopped or went on, as `code` and `status` say, after so many ticks of `times`.
    pub(crate) fn of_child(signal: u32, code: u32, pid: u32, status: i32, times: [u64; 2]) -> Self {
        let status = u64::from(status as u32);
        Self::new(
            signal,
            code as i32,
            [u64::from(pid), status, times[0], times[1]],
        )
    }

    /// What a program hands over, for `signal`.
    pub(crate) fn of_program(signal: u32, bytes: &[u8; KEPT]) -> Self {
        let mut words = [0; KEPT / 8];
        for (word, bytes) in words.iter_mut().zip(bytes.as_chunks().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        words[0] = words[0] & !0xffff_ffff | u64::from(signal);
        Self(words)
    }

    pub(crate) fn signal(&self) -> u32 {
        self.0[0] as u32
    }

    pub(crate) fn code(&self) -> i32 {
        self.0[1] as i32
    }

    /// Whether anything may lie behind the bytes that are kept: Linux knows the layouts of its own codes only.
    pub(crate) fn has_known_layout(&self) -> bool {
        const LOWEST: i32 = abi::general::SI_DETHREAD;
        const ASYNC_NAME: i32 = abi::general::SI_ASYNCNL;
        const LAST: [(u32, i32); 6] = [
            (abi::general::SIGILL, 11),
            (abi::general::SIGFPE, 15),
            (abi::general::SIGSEGV, 10),
            (abi::general::SIGBUS, 5),
            (abi::general::SIGTRAP, 6),
            (abi::general::SIGCHLD, 6),
        ];
        const LAST_OF_POLL: i32 = 6;
        match self.code() {
            code if code == SI_KERNEL as i32 || code == ASYNC_NAME => true,
            code if code > 0 => {
                let last = LAST.iter().find(|(signal, _)| *signal == self.signal());
                code <= last.map_or(LAST_OF_POLL, |&(_, last)| last)
            }
            code => code >= LOWEST,
        }
    }

    /// As programs see it.
    pub(crate) fn to_bytes(self) -> [u8; SIZE] {
        let mut bytes = [0; SIZE];
        for (bytes, word) in bytes.as_chunks_mut().0.iter_mut().zip(self.0) {
            *bytes = word.to_le_bytes();
        }
        bytes
    }

    /// As a reader of signalfd(2) sees it, in a `struct signalfd_siginfo`.
    pub(crate) fn to_record(self) -> [u8; SIZE] {
        let [signal, code, a, b, c, d] = self.0;
        let low = |word: u64| word & 0xffff_ffff;
        // Words of eight bytes: number and errno, code and sender, user and descriptor, timer and band, overrun and trap,
        // status and value, pointer, two times, address.
        let mut record = [0; SIZE / 8];
        record[0] = signal;
        record[1] = low(code);
        match self.layout() {
            Layout::Fault => record[9] = a,
            Layout::Poll => (record[3], record[2]) = (a << 32, b << 32),
            Layout::Timer => {
                (record[3], record[4]) = (low(a), a >> 32);
                (record[5], record[6]) = (b << 32, b);
            }
            layout => {
                record[1] |= a << 32;
                record[2] = a >> 32;
                match layout {
                    Layout::Child => (record[5], record[7], record[8]) = (low(b), c, d),
                    Layout::Queued => (record[5], record[6]) = (b << 32, b),
                    _ => {}
                }
            }
        }
        let mut bytes = [0; SIZE];
        for (bytes, word) in bytes.as_chunks_mut().0.iter_mut().zip(record) {
            *bytes = word.to_le_bytes();
        }
        bytes
    }

    /// What the words behind the code are, as Linux decides it.
    fn layout(&self) -> Layout {
        match (self.code(), self.signal()) {
            (code, SIGCHLD) if (1..=6).contains(&code) => Layout::Child,
            (code, SIGILL | SIGFPE | SIGSEGV | SIGBUS | SIGTRAP) if (1..0x80).contains(&code) => {
                Layout::Fault
            }
            (1..=6, _) => Layout::Poll,
            (SI_TIMER, _) => Layout::Timer,
            (SI_SIGIO, _) => Layout::Poll,
            (code, _) if code < 0 => Layout::Queued,
            _ => Layout::Sender,
        }
    }

    /// As words of a frame.
    pub(super) fn words(&self) -> &[u64] {
        &self.0
    }
}
