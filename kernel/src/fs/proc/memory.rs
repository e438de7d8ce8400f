//! What a process's memory looks like: `mm` writes it, here it only gets its files' names.
use core::fmt::{Error, Result as Written};

use mm::report;
use mm::{AddressSpace, Page};

use super::text::Text;
use crate::arch::memory::memory;
use crate::fs::names::Names;

pub(super) fn maps(
    space: &AddressSpace,
    from: Page,
    out: &mut Text,
) -> Result<Option<Page>, Error> {
    report::maps(space, &Names, from, out)
}

pub(super) fn smaps(
    space: &AddressSpace,
    from: Page,
    out: &mut Text,
) -> Result<Option<Page>, Error> {
    report::smaps(space, memory(), &Names, from, out)
}

pub(super) fn smaps_rollup(space: &AddressSpace, out: &mut Text) -> Written {
    report::smaps_rollup(space, memory(), out)
}
