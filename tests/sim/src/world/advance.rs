//! Pages that are fetched before they are touched: MAP_POPULATE, mlock, and the advice that asks for it.
use std::ops::Range;

use mm::madvise::advised_pages;
use mm::populate::Populate;
use mm::{Access, AddressSpace, Outcome, Page};

use super::calls::refusal;
use super::{Answer, World};
use crate::broken::{Broken, Sound, demand};
use crate::failing_heap::in_mm;
use crate::kernel::End;
use crate::op::{Call, Disk, Kind, Pid, Request, Signal, Span, Touch};
use crate::oracle::Refusal;

impl World {
    /// MAP_POPULATE: touches each page, and stops in silence where that fails.
    pub(super) fn populate(&mut self, pid: Pid, address: u64, request: &Request) -> Sound {
        let start = Page::containing(address);
        let pages = start..start + request.span.length.div_ceil(4096);
        self.populate_pages(pid, pages, Populate::Willing)
    }

    /// Touches pages as `mm` says, and stops in silence at the first that can't be had.
    pub(super) fn populate_pages(&mut self, pid: Pid, pages: Range<Page>, wish: Populate) -> Sound {
        self.fetch_pages(pid, pages, wish).map(drop)
    }

    /// Touches pages as `mm` says, up to the first that can't be had.
    fn fetch_pages(
        &mut self,
        pid: Pid,
        mut pages: Range<Page>,
        wish: Populate,
    ) -> Sound<Result<(), Refusal>> {
        let kernel = self.kernel.clone();
        let Some(space) = self.process(pid).map(|process| process.space.clone()) else {
            return Ok(Ok(()));
        };
        loop {
            let next = in_mm(|| space.borrow().next_to_populate(&pages, wish));
            let Ok(Some((page, access))) = next else {
                return Ok(next.map(drop).map_err(refusal));
            };
            pages.start = page;
            let address = page.address();
            let fetched = in_mm(|| space.borrow().fetch(&kernel.memory, page, access));
            let Some(outcome) = fetched else {
                pages.start = page + 1;
                continue;
            };
            self.touched(pid, page.number(), access);
            let is_served = matches!(outcome, Outcome::Resolved(_));
            let end = kernel.settle(&space, address, outcome, Disk::Prompt)?;
            if is_served {
                self.populated(pid, page.number(), access);
                pages.start = page + 1;
            }
            if let Some(end) = end {
                let refusal = self.stopped(pid, address, access, end)?;
                if wish != Populate::Willing || refusal == Refusal::ENOMEM {
                    return Ok(Err(refusal));
                }
                pages.start = end_of_area(&space.borrow(), page);
            }
        }
    }

    /// Why a page could not be fetched, should that be right.
    fn stopped(&mut self, pid: Pid, address: u64, access: Access, end: End) -> Sound<Refusal> {
        let kind = match access {
            Access::Write => Kind::Write(0),
            _ => Kind::Read,
        };
        let touch = Touch {
            address,
            kind,
            disk: Disk::Prompt,
        };
        self.judge(pid, touch, end)?;
        match end {
            End::NoMemory(_) => Ok(Refusal::ENOMEM),
            End::Signal(Signal::Bus) => Ok(Refusal::EFAULT),
            _ => Err(Broken(format!(
                "populating {address:#x} ended with {end:?}"
            ))),
        }
    }

    /// A fault had the page in hand, whatever it came to.
    fn touched(&mut self, pid: Pid, page: u64, access: Access) {
        if let Some(process) = self.process(pid) {
            process.oracle.want(page << 12);
        }
        if let Some(process) = self.process(pid).filter(|_| access == Access::Write) {
            process.touched(page);
        }
    }

    /// The page is there as after an access.
    fn populated(&mut self, pid: Pid, page: u64, access: Access) {
        if let Some(process) = self.process(pid).filter(|_| access == Access::Write) {
            process.oracle.copy_on_write(page);
        }
    }

    /// MADV_POPULATE_READ and MADV_POPULATE_WRITE.
    pub(super) fn populate_advised(
        &mut self,
        pid: Pid,
        call: &Call,
        span: Span,
        wish: Populate,
    ) -> Sound<Answer> {
        let Some(process) = self.process(pid) else {
            return Ok(Answer::Nothing);
        };
        let expected = process.oracle.call(call).map(drop);
        let got = match advised_pages(span.address, span.length) {
            Ok(pages) => self.fetch_pages(pid, pages, wish)?,
            Err(error) => Err(refusal(error)),
        };
        // What ended for lack of memory, or of a promise, was judged then.
        let is_excused = match got {
            Err(Refusal::ENOMEM) => self.kernel.frames_left() == 0,
            Err(Refusal::EFAULT) => self.promises_no_more(),
            _ => false,
        };
        demand!(
            got == expected || is_excused,
            "{call} returned {got:?}, the oracle says {expected:?}"
        );
        Ok(got.map_or_else(Answer::Refused, Into::into))
    }

    /// What the kernel does after MADV_WILLNEED, whatever came of that: pages of files are read, as far as memory goes.
    pub(super) fn read_ahead(&mut self, pid: Pid, span: Span) -> Sound {
        let kernel = self.kernel.clone();
        let Some(process) = self.process(pid) else {
            return Ok(());
        };
        let Ok(mut pages) = advised_pages(span.address, span.length) else {
            return Ok(());
        };
        let space = process.space.borrow();
        while !pages.is_empty() {
            let before = pages.clone();
            let next = in_mm(|| space.next_to_read(&kernel.memory, &mut pages));
            let is_forward = before.start < pages.start && pages.end == before.end;
            demand!(is_forward, "{span}: it goes on at {pages:x?}");
            let Some(read) = next else { continue };
            let is_read_in = read.file().is_read_in();
            demand!(is_read_in, "a page of memory is read from the disk");
            // Some come late, so that touches meet them.
            let disk = [Disk::Prompt, Disk::Late][read.index() as usize % 2];
            kernel.submit(read, disk);
        }
        let wanted = process.oracle.pages_on_disk(span);
        drop(space);
        for (file, index) in wanted {
            let is_coming = || kernel.is_reading(file as u64, index);
            let is_there = self.files[file].is_ready(&kernel.memory, index) || is_coming();
            demand!(
                is_there || kernel.frames_left() == 0,
                "page {index} of file{file} is not even on its way"
            );
        }
        Ok(())
    }
}

fn end_of_area(space: &AddressSpace, page: Page) -> Page {
    let vma = space.find_vma(page.address());
    vma.map_or(page + 1, |vma| vma.end)
}
