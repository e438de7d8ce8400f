//! A failing run as a drawn test: the areas around the pages that its last step names, and what each step made of them,
//! at last as the oracle has them.
//!
//! ```text
//!  from page 0x400 of pid1
//!  pages     0123456789
//!  mmap          ---
//!  after     ....Www...
//!  munmap         -
//!  after     ....W.W...
//!  oracle    ....W.W...
//! ```
//! The letters are those of `mm`'s own drawn tests: `n` for no access, `r`, `w`, `x` for what may be done, and `s` for an
//! area that grows down; a capital begins an area. Drawn are the steps about the last one's process and these pages, and
//! whatever else changed areas there.
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::op::{Call, Growth, Op, Pid, Rights, Span, Step};
use crate::oracle::Area;
use crate::plan::Plan;
use crate::world::World;

/// Pages that are shown on both sides of those that the step names.
const MARGIN: u64 = 4;

/// Pages that fit into a line.
const WIDTH: u64 = 100;

/// Lines that are drawn behind the digits, the last of them all.
const SHOWN: usize = 40;

/// Draws `plan`, where its last step is about pages.
pub(crate) fn draw(plan: &Plan) -> Option<String> {
    let (pid, shown) = scene(plan)?;
    let start = shown.start;
    let digits: String = shown.clone().map(|page| digit(page - start)).collect();
    let mut lines = vec![("pages", digits)];
    let mut world = World::new(&plan.config);
    let mut before = String::new();
    for (number, step) in plan.steps.iter().enumerate() {
        let is_last = number + 1 == plan.steps.len();
        let was_fine = quietly(&mut world, step);
        if !was_fine && !is_last {
            return None;
        }
        let (areas, expected) = world.areas(pid).unwrap_or_default();
        let after = line(&areas, &shown);
        let subject = subject(&step.op).filter(|&(who, ..)| who == pid);
        let marks = subject.map(|(.., span)| marks(span, &shown));
        let is_about = marks.as_ref().is_some_and(|marks| marks.contains('-'));
        if is_about || after != before || is_last {
            let verb = subject.map_or(begins(&step.op), |(_, verb, _)| verb);
            lines.push((verb, marks.unwrap_or_default()));
        }
        if after != before || is_last {
            lines.push(("after", after.clone()));
        }
        if is_last {
            lines.push(("oracle", line(&expected, &shown)));
        }
        before = after;
    }
    lines.drain(1..lines.len().saturating_sub(SHOWN).max(1));
    let mut drawing = format!("  from page {start:#x} of pid{pid}");
    for (word, line) in lines {
        let line = format!("\n  {word:10}{line}");
        drawing += line.trim_end();
    }
    Some(drawing)
}

/// The process of the last step and the pages to show: those that it names or changes, and some around.
fn scene(plan: &Plan) -> Option<(Pid, Range<u64>)> {
    let (last, before) = plan.steps.split_last()?;
    let (pid, _, span) = subject(&last.op)?;
    let named = if span.address == 0 {
        let mut world = World::new(&plan.config);
        before.iter().for_each(|step| {
            quietly(&mut world, step);
        });
        let (old, _) = world.areas(pid)?;
        quietly(&mut world, last);
        changed(&old, &world.areas(pid)?.0)?
    } else {
        pages_of(span)
    };
    let start = named.start.saturating_sub(MARGIN);
    Some((
        pid,
        start..named.end.saturating_add(MARGIN).min(start + WIDTH),
    ))
}

/// Takes a step; false where it met a contradiction.
fn quietly(world: &mut World, step: &Step) -> bool {
    let step = AssertUnwindSafe(|| world.step(step).is_ok());
    catch_unwind(step).unwrap_or(false)
}

fn pages_of(span: Span) -> Range<u64> {
    span.address >> 12..span.address.saturating_add(span.length).div_ceil(4096)
}

fn digit(number: u64) -> char {
    char::from(b'0' + (number % 10) as u8)
}

fn marks(span: Span, shown: &Range<u64>) -> String {
    let named = pages_of(span);
    let mark = |page| if named.contains(&page) { '-' } else { ' ' };
    shown.clone().map(mark).collect()
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

/// What changes areas without naming pages.
fn begins(op: &Op) -> &'static str {
    match op {
        Op::Spawn(_) | Op::Exec(_) => "exec",
        Op::Fork { .. } => "fork",
        Op::Share { .. } => "clone",
        Op::Exit(_) => "exit",
        _ => "then",
    }
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
        let page = |number: u64| Span {
            address: code + number * 4096,
            length: 4096,
        };
        plan.steps = [Op::Spawn(0), Op::Unmap(0, page(3)), Op::Unmap(0, page(1))]
            .map(|op| Step { cpu: 0, op })
            .into();
        let expected = "  from page 0x3fd of pid0\n  \
             pages     012345678\n  \
             exec\n  \
             after     ...XxxWw.\n  \
             munmap          -\n  \
             after     ...Xxx.W.\n  \
             munmap        -\n  \
             after     ...X.X.W.\n  \
             oracle    ...X.X.W.";
        assert_eq!(draw(&plan).as_deref(), Some(expected));
    }
}
