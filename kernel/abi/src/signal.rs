//! What a signal handler finds on its stack: Linux's `struct rt_sigframe` for x86-64 and what lies in it.
//!
//! The kernel writes it and reads it back by these offsets, programs look into it through these types. The crates that
//! are generated from Linux's headers stop short of it, because C libraries define it anew.

/// A stack for handlers: `stack_t`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stack {
    /// Its lowest address.
    pub start: u64,
    /// `SS_ONSTACK`, `SS_DISABLE` and `SS_AUTODISARM`.
    pub flags: u32,
    /// Not used, and not always 0.
    pub padding: u32,
    /// Its length in bytes.
    pub size: u64,
}

/// The interrupted registers: `struct sigcontext_64`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Registers {
    /// R8 to R15.
    pub r8_to_r15: [u64; 8],
    /// RDI.
    pub rdi: u64,
    /// RSI.
    pub rsi: u64,
    /// RBP.
    pub rbp: u64,
    /// RBX.
    pub rbx: u64,
    /// RDX.
    pub rdx: u64,
    /// RAX.
    pub rax: u64,
    /// RCX.
    pub rcx: u64,
    /// RSP.
    pub rsp: u64,
    /// RIP.
    pub rip: u64,
    /// RFLAGS.
    pub flags: u64,
    /// CS, GS, FS and SS, 16 bits each from the lowest; GS and FS are always 0.
    pub segments: u64,
    /// The error code of the last exception.
    pub error: u64,
    /// The vector of the last exception.
    pub trap: u64,
    /// The signals that were blocked, once more.
    pub old_mask: u64,
    /// The address of the last page fault.
    pub cr2: u64,
    /// Where the floating-point and vector registers lie, in XSAVE's layout.
    pub fp_state: u64,
    /// Not used.
    pub reserved: [u64; 8],
}

/// What a handler returns to: `struct ucontext`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Context {
    /// [`UC_FP_XSTATE`] and its kin.
    pub flags: u64,
    /// Always 0.
    pub link: u64,
    /// The alternate stack, as it will be set again.
    pub stack: Stack,
    /// The registers, as they will be loaded again.
    pub registers: Registers,
    /// The signals that will be blocked again.
    pub mask: u64,
}

/// The whole of it, as it lies at the handler's stack pointer.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Frame {
    /// Where the handler returns to: the code that calls `rt_sigreturn`.
    pub restorer: u64,
    /// The handler's third argument.
    pub context: Context,
    /// The handler's second argument.
    pub info: Info,
}

/// What is known of a signal: `siginfo_t`. The meaning of `fields` depends on the signal and the code.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Info {
    /// The signal.
    pub number: i32,
    /// Always 0.
    pub errno: i32,
    /// Why it came.
    pub code: i32,
    /// Not used.
    pub padding: i32,
    /// Up to four words that mean something, and Linux's reserve.
    pub fields: [u64; 14],
}

impl Info {
    /// The address of a fault.
    pub fn address(&self) -> u64 {
        self.fields[0]
    }

    /// The process that sent it, or the child that it is about.
    pub fn pid(&self) -> i32 {
        self.fields[0] as i32
    }

    /// A child's exit code or signal.
    pub fn status(&self) -> i32 {
        self.fields[1] as i32
    }

    /// What the sender gave along with it.
    pub fn value(&self) -> u64 {
        self.fields[1]
    }
}

/// The frame holds XSAVE's layout behind the legacy part.
pub const UC_FP_XSTATE: u64 = 1;
/// `segments` holds a meaningful SS.
pub const UC_SIGCONTEXT_SS: u64 = 2;
/// SS is restored as it stands there.
pub const UC_STRICT_RESTORE_SS: u64 = 4;

/// Marks, in the legacy part's bytes for software, that more follows.
pub const FP_XSTATE_MAGIC1: u32 = 0x4650_5853;
/// Marks the end of what follows.
pub const FP_XSTATE_MAGIC2: u32 = 0x4650_5845;
/// Where the bytes for software begin in the legacy part (`struct _fpx_sw_bytes`).
pub const FP_SOFTWARE_BYTES: usize = 464;

const _: () = assert!(size_of::<Registers>() == 256);
const _: () = assert!(size_of::<Context>() == 304);
const _: () = assert!(size_of::<Info>() == 128);
const _: () = assert!(size_of::<Frame>() == 440);
