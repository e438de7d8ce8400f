//! Faultline's kernel: boot in order, a line a step.
#![no_std]
#![no_main]
#![feature(allocator_api)]
#![deny(unsafe_code)]

extern crate alloc;

mod acpi;
#[expect(
    unsafe_code,
    reason = "drives the processor; every block says why it is sound"
)]
mod arch;
mod block;
mod bugs;
mod console;
mod drivers;
mod fault;
mod fs;
mod heap;
mod lock;
mod log;
mod machine_check;
mod options;
mod process;
mod random;
mod rate_limit;
mod syscall;
mod trace;

use core::mem;

use bootloader_api::config::Mapping;
use bootloader_api::info::{FrameBuffer, Optional};
use bootloader_api::{BootInfo, BootloaderConfig, entry_point};
use bugs::Moment;

/// Where the loader puts things: all in the upper half, so that the lower one is ring 3's from the first moment.
static BOOTLOADER_CONFIG: BootloaderConfig = {
    let mut config = BootloaderConfig::new_default();
    config.kernel_stack_size = 128 * 1024;
    config.mappings.kernel_base = Mapping::FixedAddress(arch::layout::KERNEL_IMAGE);
    config.mappings.physical_memory = Some(Mapping::FixedAddress(arch::layout::DIRECT_MAP));
    config.mappings.dynamic_range_start = Some(0xffff_9000_0000_0000);
    config
};

entry_point!(kernel_main, config = &BOOTLOADER_CONFIG);

/// On the loader's tables and stack.
fn kernel_main(info: &'static mut BootInfo) -> ! {
    arch::init(info);
    options::init(fs::command_line(arch::boot::initramfs()));
    log::init();
    attach_screen(mem::replace(&mut info.framebuffer, Optional::None).into_option());
    ::log::info!(
        "Faultline {} on a processor with {}",
        env!("CARGO_PKG_VERSION"),
        arch::features::features()
    );
    options::warn_unknown();
    if !arch::demands::are_met() {
        arch::exit::refused();
    }
    arch::init_processor();
    if arch::memory::is_too_small(info) {
        arch::exit::refused();
    }
    drivers::framebuffer::detach();
    arch::memory::take_over(info, on_own_memory)
}

/// On tables, stack and memory of our own.
extern "C" fn on_own_memory() -> ! {
    arch::memory::reclaim();
    heap::switch_to(arch::memory::memory());
    attach_screen(arch::boot::framebuffer().ok().flatten());
    arch::init_devices();
    log::set_clock(arch::timer::nanoseconds);
    bugs::plant(Moment::Tables);
    ::log::info!("page tables: {}", arch::check::self_check());
    console::init();
    block::init();
    fs::init(arch::boot::initramfs());
    trace::init();
    arch::timer::start_ticking();
    arch::timer::tell_drift();
    bugs::plant(Moment::Boot);
    process::init::start()
}

/// Without a screen, or memory for its page tables, there is still the serial port.
fn attach_screen(screen: Option<FrameBuffer>) {
    if let Some(screen) = screen {
        let info = screen.info();
        drivers::framebuffer::attach(screen.into_buffer(), info);
    }
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo) -> ! {
    arch::report::panic(info)
}
