//! What a processor must have besides long mode: asked before anything of it is used, so that on a machine without it a
//! sentence stands on the screen, and not a fault's report, or nothing at all.
//!
//! The loader needs no-execute pages itself and faults without them, before anybody can say so; they are asked for all the
//! same, as another loader may be more patient.
use raw_cpuid::{CpuId, CpuIdReaderNative};

use super::apic;

/// A processor that can be asked.
type Processor = CpuId<CpuIdReaderNative>;

/// What is demanded, and whether a processor has it.
type Demand = (&'static str, fn(&Processor) -> bool);

/// Programs are compiled for SSE2, as every x86-64 one is, and call the kernel by SYSCALL.
const DEMANDS: [Demand; 6] = [
    ("no-execute pages (NX)", has_no_execute),
    ("SYSCALL", has_syscall),
    ("FXSAVE", has_fxsave),
    ("SSE", has_sse),
    ("SSE2", has_sse2),
    ("a local APIC", has_apic),
];

/// Says what this processor lacks; true where that is nothing.
pub(crate) fn are_met() -> bool {
    let processor = CpuId::new();
    let unmet = || DEMANDS.iter().filter(|(_, is_met)| !is_met(&processor));
    for (what, _) in unmet() {
        log::error!("this processor lacks {what}, which Faultline needs");
    }
    unmet().next().is_none()
}

fn has_no_execute(processor: &Processor) -> bool {
    let leaf = processor.get_extended_processor_and_feature_identifiers();
    leaf.is_some_and(|leaf| leaf.has_execute_disable())
}

fn has_syscall(processor: &Processor) -> bool {
    let leaf = processor.get_extended_processor_and_feature_identifiers();
    leaf.is_some_and(|leaf| leaf.has_syscall_sysret())
}

fn has_fxsave(processor: &Processor) -> bool {
    let leaf = processor.get_feature_info();
    leaf.is_some_and(|leaf| leaf.has_fxsave_fxstor())
}

fn has_sse(processor: &Processor) -> bool {
    let leaf = processor.get_feature_info();
    leaf.is_some_and(|leaf| leaf.has_sse())
}

fn has_sse2(processor: &Processor) -> bool {
    let leaf = processor.get_feature_info();
    leaf.is_some_and(|leaf| leaf.has_sse2())
}

/// A processor denies it while it is off, so it is switched on first.
fn has_apic(processor: &Processor) -> bool {
    apic::switch_on();
    let leaf = processor.get_feature_info();
    leaf.is_some_and(|leaf| leaf.has_apic())
}
