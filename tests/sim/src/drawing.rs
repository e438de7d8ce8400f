//! The last step of a failing run as a drawn test: the areas around it before, the pages it names, and the areas after
//! it, as they are and as the oracle has them.
//!
//! ```text
//!  from page 0x400 of pid1
//!  pages   0123456789
//!  before  ....Www...
//!  munmap       -
//!  after   ....W.W...
//!  oracle  ....W.W...
//! ```
//! The letters are those of `mm`'s own drawn tests: `n` for no access, `r`, `w`, `x` for what may be done, and `s` for an
//! area that grows down; a capital begins an area.
use std::fmt::Write;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::op::{Call, Growth, Op, Pid, Rights, Span};
use crate::oracle::Area;
use crate::plan::Plan;
use crate::world::World;

/// Pages that are shown on both sides of those that the step names.
const MARGIN: u64 = 4;

/// Pages that fit into a line.
const WIDTH: u64 = 100;

/// Draws the last step of `plan`, where that step is about pages.
pub(crate) fn draw(plan: &Plan) -> Option<String> {
    let (last, before) = plan.steps.split_last()?;
    let (pid, verb, span) = subject(&last.op)?;
    let mut world = World::new(&plan.config);
    let quietly = |world: &mut World, step| {
        let step = AssertUnwindSafe(|| world.step(step).is_ok());
        catch_unwind(step).unwrap_or(false)
    };
    if !before.iter().all(|step| quietly(&mut world, step)) {
        return None;
    }
    let (_, old) = world.areas(pid)?;
    quietly(&mut world, last);
    let (got, expected) = world.areas(pid)?;
    let named = span.address >> 12..(span.address.saturating_add(span.length)).div_ceil(4096);
    let named = if span.address == 0 {
        changed(&old, &got)?
    } else {
        named
    };
    let start = named.start.saturating_sub(MARGIN);
    let shown = start..(named.end.saturating_add(MARGIN)).min(start + WIDTH);
    let digits = shown.clone().map(|page| (page - start) % 10);
    let mut drawing = format!("  from page {start:#x} of pid{pid}\n  pages   ");
    digits.for_each(|digit| write!(drawing, "{digit}").expect("strings grow"));
    let marks = shown.clone().map(|page| mark(named.contains(&page)));
    for (word, line) in [
        ("before", line(&old, &shown)),
        (verb, marks.collect()),
        ("after", line(&got, &shown)),
        ("oracle", line(&expected, &shown)),
    ] {
        write!(drawing, "\n  {word:8}{line}").expect("strings grow");
    }
    Some(drawing)
}

/// Whose pages an operation is about, its name, and the bytes that it names.
fn subject(op: &Op) -> Option<(Pid, &'static str, Span)> {
    let at = |address| Span { address, length: 1 };
    Some(match *op {
        Op::Map(pid, ref request) => (pid, "mmap", request.span),
        Op::Unmap(pid, span) => (pid, "munmap", span),
        Op::Protect(pid, span, ..) => (pid, "mprotect", span),
        Op::Brk(pid, address) => (pid, "brk", at(address)),
        Op::Touch(pid, touch, _) => (pid, "touch", at(touch.address)),
        Op::Peek(pid, span, _) => (pid, "read", span),
        Op::Poke(pid, span, ..) => (pid, "write", span),
        Op::Call(pid, ref call) => {
            let (verb, span) = subject_of(call)?;
            (pid, verb, span)
        }
        _ => return None,
    })
}

/// Of mremap the old place is shown.
fn subject_of(call: &Call) -> Option<(&'static str, Span)> {
    Some(match *call {
        Call::Lock(span, _) => ("mlock", span),
        Call::Unlock(span) => ("munlock", span),
        Call::Resident(span) => ("mincore", span),
        Call::Advise(span, _) => ("madvise", span),
        Call::Sync(span, _) => ("msync", span),
        Call::Remap(remap) => ("mremap", remap.old),
        Call::LockAll(..) | Call::UnlockAll | Call::Reclaim | Call::Expel(_) => return None,
    })
}

/// The pages of the first area that was not there before.
fn changed(before: &[Area], after: &[Area]) -> Option<Range<u64>> {
    let new = after.iter().find(|area| !before.contains(area))?;
    Some(new.start..new.end)
}

fn mark(is_named: bool) -> char {
    if is_named { '-' } else { ' ' }
}

fn line(areas: &[Area], pages: &Range<u64>) -> String {
    pages.clone().map(|page| letter(areas, page)).collect()
}

fn letter(areas: &[Area], page: u64) -> char {
    let here = areas
        .iter()
        .find(|area| area.start <= page && page < area.end);
    let Some(area) = here else {
        return '.';
    };
    let letter = match area.rights {
        _ if area.growth == Growth::Down => 's',
        Rights::NONE => 'n',
        rights if rights.has(Rights::X) => 'x',
        rights if rights.has(Rights::W) => 'w',
        _ => 'r',
    };
    if area.start == page {
        letter.to_ascii_uppercase()
    } else {
        letter
    }
}

#[cfg(test)]
mod tests {
    use super::draw;
    use crate::generate::generate;
    use crate::op::{Op, Span, Step};
    use crate::plan::program;

    #[test]
    fn no_area_is_drawn_where_it_is_not() {
        let mut plan = generate(0, 1);
        let code = program(plan.config.stack_top)[0].span.address;
        let hole = Span {
            address: code + 4096,
            length: 4096,
        };
        plan.steps.push(Step {
            cpu: 0,
            op: Op::Unmap(0, hole),
        });
        let expected = "  from page 0x3fd of pid0\n  \
             pages   012345678\n  \
             before  ...XxxWw.\n  \
             munmap      -    \n  \
             after   ...X.XWw.\n  \
             oracle  ...X.XWw.";
        assert_eq!(draw(&plan).as_deref(), Some(expected));
    }
}
