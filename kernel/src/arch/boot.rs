//! What the loader knows and the kernel keeps: written down before the loader's memory is given back.
use bootloader_api::BootInfo;
use bootloader_api::info::{FrameBuffer, FrameBufferInfo};
use mm::OutOfMemory;
use spin::Once;

use super::direct_map::pointer_to;
use super::paging::{self, Cache, ioremap};
use super::timer;

/// The loader's word, in physical addresses.
struct Facts {
    initramfs: &'static [u8],
    framebuffer: Option<(u64, FrameBufferInfo)>,
    rsdp: Option<u64>,
    /// The time-stamp counter when the loader handed over.
    entered: u64,
}

static FACTS: Once<Facts> = Once::new();

/// Writes down what `info` says; the loader's tables are still in use.
pub(super) fn init(info: &BootInfo, entered: u64) {
    let initramfs = info.ramdisk_addr.as_ref().map_or(&[][..], |&address| {
        // SAFETY: the loader put the file there in one piece; `memory` keeps these frames from everybody, and the
        // direct map shows them at the same address before and after the change of tables.
        unsafe {
            core::slice::from_raw_parts(pointer_to(physical(address)), info.ramdisk_len as usize)
        }
    });
    let framebuffer = info
        .framebuffer
        .as_ref()
        .map(|buffer| (physical(buffer.buffer().as_ptr() as u64), buffer.info()));
    FACTS.call_once(|| Facts {
        initramfs,
        framebuffer,
        rsdp: info.rsdp_addr.into_option(),
        entered,
    });
}

/// Physical address of what the loader's tables show at `address`.
fn physical(address: u64) -> u64 {
    paging::translate(paging::in_use(), address)
        .expect("the loader hands over mapped memory")
        .0
}

fn facts() -> &'static Facts {
    FACTS
        .get()
        .expect("the loader's facts are written down first")
}

/// The archive that came with the kernel; empty if none did.
pub(crate) fn initramfs() -> &'static [u8] {
    facts().initramfs
}

/// Cycles of the time-stamp counter since the loader handed over.
pub(crate) fn cycles() -> u64 {
    timer::cycles() - facts().entered
}

/// Where firmware left the pointer to ACPI's tables.
pub(super) fn rsdp() -> Option<u64> {
    facts().rsdp
}

/// The screen, mapped anew so that stores to it are gathered. Once.
pub(crate) fn framebuffer() -> Result<Option<FrameBuffer>, OutOfMemory> {
    let Some((address, info)) = facts().framebuffer else {
        return Ok(None);
    };
    let start = ioremap(address, info.byte_len as u64, Cache::WriteCombining)?;
    // SAFETY: `start` shows the whole buffer, as the loader described it, for good; nobody else has this mapping.
    Ok(Some(unsafe { FrameBuffer::new(start as u64, info) }))
}
