//! What the processor can do: asked once through CPUID, used where present, done without where absent.
//!
//! What the kernel can't do without is in `demands`. 5-level paging and PCID are seen and reported, not used.
use core::arch::x86_64::{__cpuid, __cpuid_count};
use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

use bitflags::bitflags;
use raw_cpuid::{CpuId, CpuIdReaderNative};
use spin::Once;
use x86_64::registers::control::{Cr0, Cr0Flags, Cr4, Cr4Flags, Efer, EferFlags};
use x86_64::registers::model_specific::Msr;

bitflags! {
    /// Features that some x86-64 processors have.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct Features: u32 {
        /// Pages that can't be executed.
        const NX = 1 << 0;
        /// The kernel can be kept from executing ring 3's pages.
        const SMEP = 1 << 1;
        /// The kernel can be kept from touching ring 3's pages, but for windows.
        const SMAP = 1 << 2;
        /// Ring 3 can be kept from reading descriptor-table addresses.
        const UMIP = 1 << 3;
        /// Translations can survive a change of CR3.
        const PGE = 1 << 4;
        /// FS and GS bases have instructions of their own.
        const FSGSBASE = 1 << 5;
        /// Pages of 1 GiB.
        const GIB_PAGES = 1 << 6;
        /// Tables of five levels.
        const LA57 = 1 << 7;
        /// Tagged translations.
        const PCID = 1 << 8;
        /// XSAVE and XRSTOR.
        const XSAVE = 1 << 9;
        /// XSAVE that skips what did not change.
        const XSAVEOPT = 1 << 10;
        /// A random number generator.
        const RDRAND = 1 << 11;
        /// A time-stamp counter of one rate, whatever the CPU does.
        const INVARIANT_TSC = 1 << 12;
        /// The local APIC can be reached through MSRs.
        const X2APIC = 1 << 13;
        /// Memory types by page.
        const PAT = 1 << 14;
        /// Machine checks arrive as exceptions.
        const MCE = 1 << 15;
        /// Registers say what a machine check was.
        const MCA = 1 << 16;
        /// The machine is made by a program.
        const HYPERVISOR = 1 << 17;
    }
}

impl fmt::Display for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        bitflags::parser::to_writer(self, f)
    }
}

/// The page attribute table: entry 1 becomes write-combining, the rest stays as at reset (write-back, write-through
/// at entry 5, uncached).
const PAT: Msr = Msr::new(0x277);
const PAT_VALUE: u64 = 0x0007_0406_0007_0106;

static FEATURES: Once<Features> = Once::new();

/// Whether user copies need a window: asked by assembly at each entry, hence a byte of its own.
pub(super) static SMAP: AtomicBool = AtomicBool::new(false);

/// What this machine has.
pub(crate) fn features() -> Features {
    FEATURES.get().copied().unwrap_or(Features::empty())
}

/// Whether this machine has all of `wanted`.
pub(crate) fn has(wanted: Features) -> bool {
    features().contains(wanted)
}

/// Asks the processor, and changes nothing yet.
pub(super) fn find() {
    FEATURES.call_once(detect);
}

/// Switches on what the calling CPU has. After [`super::demands::are_met`].
pub(super) fn init() {
    enable(features());
    SMAP.store(has(Features::SMAP), Relaxed);
}

fn detect() -> Features {
    let cpuid = CpuId::new();
    let mut found = Features::empty();
    basic(&cpuid, &mut found);
    extended(&cpuid, &mut found);
    found
}

/// Leaves 1, 7 and 0xd.
fn basic(cpuid: &CpuId<CpuIdReaderNative>, found: &mut Features) {
    if let Some(leaf) = cpuid.get_feature_info() {
        found.set(Features::PGE, leaf.has_pge());
        found.set(Features::PAT, leaf.has_pat());
        found.set(Features::MCE, leaf.has_mce());
        found.set(Features::MCA, leaf.has_mca());
        found.set(Features::PCID, leaf.has_pcid());
        found.set(Features::XSAVE, leaf.has_xsave());
        found.set(Features::RDRAND, leaf.has_rdrand());
        found.set(Features::X2APIC, leaf.has_x2apic());
        found.set(Features::HYPERVISOR, leaf.has_hypervisor());
    }
    if let Some(leaf) = cpuid.get_extended_feature_info() {
        found.set(Features::SMEP, leaf.has_smep());
        found.set(Features::SMAP, leaf.has_smap());
        found.set(Features::UMIP, leaf.has_umip());
        found.set(Features::FSGSBASE, leaf.has_fsgsbase());
        found.set(Features::LA57, leaf.has_la57());
    }
    if let Some(leaf) = cpuid
        .get_extended_state_info()
        .filter(|_| found.contains(Features::XSAVE))
    {
        found.set(Features::XSAVEOPT, leaf.has_xsaveopt());
    }
}

/// Leaves 0x8000_0001 and 0x8000_0007.
fn extended(cpuid: &CpuId<CpuIdReaderNative>, found: &mut Features) {
    if let Some(leaf) = cpuid.get_extended_processor_and_feature_identifiers() {
        found.set(Features::NX, leaf.has_execute_disable());
        found.set(Features::GIB_PAGES, leaf.has_1gib_pages());
    }
    if let Some(leaf) = cpuid.get_advanced_power_mgmt_info() {
        found.set(Features::INVARIANT_TSC, leaf.has_invariant_tsc());
    }
}

fn enable(found: Features) {
    let cr4 = [
        (Features::PGE, Cr4Flags::PAGE_GLOBAL),
        (
            Features::SMEP,
            Cr4Flags::SUPERVISOR_MODE_EXECUTION_PROTECTION,
        ),
        (Features::SMAP, Cr4Flags::SUPERVISOR_MODE_ACCESS_PREVENTION),
        (Features::UMIP, Cr4Flags::USER_MODE_INSTRUCTION_PREVENTION),
        (Features::FSGSBASE, Cr4Flags::FSGSBASE),
        (Features::XSAVE, Cr4Flags::OSXSAVE),
        (Features::MCE, Cr4Flags::MACHINE_CHECK_EXCEPTION),
    ];
    let wanted = cr4
        .iter()
        .filter(|(feature, _)| found.contains(*feature))
        .map(|(_, flag)| *flag);
    let always = Cr4Flags::OSFXSR | Cr4Flags::OSXMMEXCPT_ENABLE;
    // SAFETY: each bit is one that CPUID announces; none changes how mapped kernel memory is seen.
    unsafe { Cr4::update(|flags| *flags |= wanted.fold(always, Cr4Flags::union)) };
    let cr0 = Cr0Flags::WRITE_PROTECT
        | Cr0Flags::NUMERIC_ERROR
        | Cr0Flags::MONITOR_COPROCESSOR
        | Cr0Flags::ALIGNMENT_MASK;
    // SAFETY: write protection in ring 0, plain x87 errors, alignment checks for those who ask in ring 3; the kernel
    // writes to no read-only page.
    unsafe {
        Cr0::update(|flags| {
            flags.insert(cr0);
            flags.remove(Cr0Flags::EMULATE_COPROCESSOR | Cr0Flags::TASK_SWITCHED);
        });
    }
    // SAFETY: no-execute pages and `syscall` are there (`demands`), and the latter is set up before ring 3 runs.
    unsafe {
        Efer::update(|flags| {
            flags.insert(EferFlags::NO_EXECUTE_ENABLE | EferFlags::SYSTEM_CALL_EXTENSIONS)
        })
    };
    if found.contains(Features::PAT) {
        let mut pat = PAT;
        // SAFETY: the loader's and our tables use entry 0 (write-back) and 3 (uncached) only, which stay as they were.
        unsafe { pat.write(PAT_VALUE) };
    }
}

/// What the auxiliary vector calls AT_HWCAP: the processor's own first word of features.
pub(crate) fn hwcap() -> u64 {
    u64::from(__cpuid(1).edx)
}

/// AT_HWCAP2: bit 1 says that programs may change their FS and GS bases themselves.
pub(crate) fn hwcap2() -> u64 {
    u64::from(has(Features::FSGSBASE)) << 1
}

/// AT_MINSIGSTKSZ: the least stack on which a signal handler can start, which is mostly vector registers.
pub(crate) fn signal_stack_size() -> u64 {
    const FRAME: u64 = 1024;
    const LEGACY: u64 = 512;
    let registers = if has(Features::XSAVE) {
        u64::from(__cpuid_count(0xd, 0).ebx)
    } else {
        LEGACY
    };
    (FRAME + registers).next_multiple_of(64)
}

/// A seed for random numbers: from the processor's generator, or the jitter of its clock where it has none.
pub(crate) fn entropy() -> [u8; 32] {
    let mut seed = [0; 32];
    let mut state = 0x9e37_79b9_7f4a_7c15;
    for bytes in seed.chunks_exact_mut(8) {
        // Mixed with the clock in any case: generators were seen to be stuck.
        state = mix(state ^ super::timer::cycles()) ^ random().unwrap_or_else(jitter);
        bytes.copy_from_slice(&state.to_ne_bytes());
    }
    seed
}

/// A random number; the generator may be empty for a moment, or broken for good.
fn random() -> Option<u64> {
    const TRIES: usize = 10;
    let generator = x86_64::instructions::random::RdRand::new()?;
    (0..TRIES).find_map(|_| generator.get_u64())
}

/// The low bits of many readings of the clock.
fn jitter() -> u64 {
    const READINGS: usize = 256;
    (0..READINGS).fold(0, |state: u64, _| mix(state ^ super::timer::cycles()))
}

/// The finaliser of splitmix64: every bit of the result depends on every bit of `x`.
fn mix(x: u64) -> u64 {
    let x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}
