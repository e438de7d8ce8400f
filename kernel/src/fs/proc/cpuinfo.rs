//! `cpuinfo`: the processor as CPUID describes it, under Linux's names.
use core::fmt::{Result as Written, Write};

use raw_cpuid::CpuId;
use raw_cpuid::native_cpuid::cpuid_count;

use super::text::Text;

/// Names of the feature bits of leaf 1, EDX, from bit 0; empty where Linux has none.
const LEAF_1_EDX: &str = "fpu vme de pse tsc msr pae mce cx8 apic - sep mtrr pge mca cmov pat pse36 pn clflush - dts acpi \
                          mmx fxsr sse sse2 ss ht tm ia64 pbe";
const LEAF_1_ECX: &str = "pni pclmulqdq dtes64 monitor ds_cpl vmx smx est tm2 ssse3 cid sdbg fma cx16 xtpr pdcm - pcid dca \
                          sse4_1 sse4_2 x2apic movbe popcnt tsc_deadline_timer aes xsave - avx f16c rdrand hypervisor";
const EXTENDED_EDX: &str = "- - - - - - - - - - - syscall - - - - - - - mp nx - mmxext - - fxsr_opt pdpe1gb rdtscp - lm \
                            3dnowext 3dnow";
const LEAF_7_EBX: &str = "fsgsbase tsc_adjust - bmi1 hle avx2 - smep bmi2 erms invpcid rtm - - mpx - avx512f avx512dq rdseed \
                          adx smap avx512ifma - clflushopt clwb - avx512pf avx512er avx512cd sha_ni avx512bw avx512vl";
const LEAF_7_ECX: &str = "- avx512vbmi umip pku - waitpkg - - gfni vaes vpclmulqdq - - - - - la57";

pub(super) fn write(out: &mut Text) -> Written {
    let cpuid = CpuId::new();
    let vendor = cpuid.get_vendor_info();
    let vendor = vendor.as_ref().map_or("unknown", |vendor| vendor.as_str());
    let brand = cpuid.get_processor_brand_string();
    let brand = brand.as_ref().map_or("unknown", |brand| brand.as_str());
    write!(out, "processor\t: 0\nvendor_id\t: {vendor}\n")?;
    if let Some(version) = cpuid.get_feature_info() {
        let (family, model) = (version.family_id(), version.model_id());
        write!(out, "cpu family\t: {family}\nmodel\t\t: {model}\n")?;
        writeln!(out, "model name\t: {}", brand.trim())?;
        writeln!(out, "stepping\t: {}", version.stepping_id())?;
    }
    out.write_str("physical id\t: 0\nsiblings\t: 1\ncore id\t\t: 0\ncpu cores\t: 1\n")?;
    out.write_str("fpu\t\t: yes\nfpu_exception\t: yes\nwp\t\t: yes\nflags\t\t:")?;
    flags(out)?;
    out.write_str("\nclflush size\t: 64\ncache_alignment\t: 64\n")?;
    if let Some(sizes) = cpuid.get_processor_capacity_feature_info() {
        let (physical, linear) = (sizes.physical_address_bits(), sizes.linear_address_bits());
        writeln!(
            out,
            "address sizes\t: {physical} bits physical, {linear} bits virtual"
        )?;
    }
    out.write_char('\n')
}

fn flags(out: &mut Text) -> Written {
    let (basic, more) = (cpuid_count(1, 0), cpuid_count(7, 0));
    let extended = cpuid_count(0x8000_0001, 0);
    for (word, names) in [
        (basic.edx, LEAF_1_EDX),
        (extended.edx, EXTENDED_EDX),
        (basic.ecx, LEAF_1_ECX),
        (more.ebx, LEAF_7_EBX),
        (more.ecx, LEAF_7_ECX),
    ] {
        let set = names.split_whitespace().enumerate();
        for (_, name) in set.filter(|(bit, name)| word >> bit & 1 == 1 && *name != "-") {
            write!(out, " {name}")?;
        }
    }
    Ok(())
}
