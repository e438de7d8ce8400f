//! Requests to a disk: none is lost, none is answered for another, neighbours go as one.
use std::ops::Range;

use crate::block_queue::{Action, Answer, Command, Extent, Queue};

const MOST_PIECES: usize = 32;

/// A request by its sectors and what it wants; its memory begins where a page does.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Sent(Range<u64>, Action);

impl Extent for Sent {
    fn action(&self) -> Action {
        self.1
    }

    fn sectors(&self) -> Range<u64> {
        self.0.clone()
    }

    fn pieces(&self) -> usize {
        (self.0.end - self.0.start).div_ceil(8) as usize
    }

    fn is_aligned(&self) -> (bool, bool) {
        (true, (self.0.end - self.0.start).is_multiple_of(8))
    }
}

fn queue_of(sent: &[Range<u64>]) -> Queue<Sent> {
    let mut queue = Queue::new(MOST_PIECES);
    for sectors in sent {
        read(&mut queue, sectors.clone());
    }
    queue
}

fn read(queue: &mut Queue<Sent>, sectors: Range<u64>) {
    assert!(queue.push(Sent(sectors, Action::Read)).is_ok());
}

fn write(queue: &mut Queue<Sent>, sectors: Range<u64>) {
    assert!(queue.push(Sent(sectors, Action::Write)).is_ok());
}

fn start(queue: &mut Queue<Sent>) -> Option<Command> {
    let command = queue.first()?;
    queue.start_first(0);
    Some(command)
}

/// Starts all that is in line; the sectors of each command, and of its parts.
fn start_all(queue: &mut Queue<Sent>) -> Vec<(Range<u64>, Vec<Range<u64>>)> {
    let mut started = Vec::new();
    while let Some(command) = queue.first() {
        let parts = queue.parts(command).map(|part| part.0.clone()).collect();
        started.push((queue.sectors(command), parts));
        queue.start_first(0);
    }
    started
}

fn answers(queue: &mut Queue<Sent>) -> Vec<(Range<u64>, Answer)> {
    let popped = std::iter::from_fn(|| queue.pop_answered());
    popped.map(|(sent, answer)| (sent.0, answer)).collect()
}

#[test]
fn neighbours_never_go_apart_whichever_came_first() {
    let mut queue = queue_of(&[8..16, 16..24, 0..8, 40..48, 24..32]);
    let started = start_all(&mut queue);
    assert_eq!(
        started,
        [
            (0..32, vec![0..8, 8..16, 16..24, 24..32]),
            (40..48, std::iter::once(40..48).collect())
        ]
    );
    assert_eq!(queue.joined(), [3, 0]);
}

#[test]
fn no_command_grows_beyond_what_the_device_takes() {
    let mut queue = queue_of(&[0..200, 200..256, 256..264]);
    let started: Vec<_> = start_all(&mut queue).into_iter().map(|it| it.0).collect();
    assert_eq!(started, [0..256, 256..264]);
}

#[test]
fn nothing_follows_on_a_frame_that_is_not_full() {
    let mut queue = queue_of(&[0..13, 13..21]);
    assert_eq!(start_all(&mut queue).len(), 2);
}

#[test]
fn an_error_meets_nobody_but_whom_it_concerns() {
    let mut queue = queue_of(&[0..8, 8..16, 16..24]);
    let command = queue.first().expect("it is in line");
    queue.start_first(0);
    queue.end(command, Answer::Failed);
    assert_eq!(answers(&mut queue), []);
    while let Some(command) = queue.first() {
        let is_bad = queue.sectors(command) == (8..16);
        queue.start_first(0);
        let answer = if is_bad { Answer::Failed } else { Answer::Done };
        queue.end(command, answer);
    }
    let all = [
        (0..8, Answer::Done),
        (8..16, Answer::Failed),
        (16..24, Answer::Done),
    ];
    assert_eq!(answers(&mut queue), all);
}

#[test]
fn a_device_that_answers_twice_or_for_others_changes_nothing() {
    let mut queue = queue_of(&[0..8, 100..108]);
    let first = queue.first().expect("it is in line");
    queue.end(first, Answer::Done);
    assert_eq!(answers(&mut queue), [], "it has not begun");
    queue.start_first(0);
    queue.end(first, Answer::Done);
    queue.end(first, Answer::Failed);
    assert_eq!(answers(&mut queue), [(0..8, Answer::Done)]);
    assert_eq!(start_all(&mut queue).len(), 1);
}

#[test]
fn nobody_waits_for_a_device_that_is_gone() {
    let mut queue = queue_of(&[0..8, 8..16, 64..72]);
    queue.start_first(10);
    assert!(!queue.is_overdue(10) && queue.is_overdue(11));
    queue.fail_all();
    assert_eq!(queue.flying(), 0);
    assert_eq!(answers(&mut queue).len(), 3);
    assert!(queue.first().is_none() && !queue.is_overdue(u64::MAX));
}

/// Against a plain list: every request is answered once, with the answer that its own sectors deserve.
#[test]
fn no_request_is_lost_or_answered_for_another() {
    let mut random = 7_u64;
    let mut draw = |below: u64| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (random >> 33) % below
    };
    let is_bad = |sectors: &Range<u64>| (sectors.start / 8).is_multiple_of(7);
    let mut queue = Queue::new(MOST_PIECES);
    let mut flying = Vec::new();
    let (mut sent, mut got) = (Vec::new(), Vec::new());
    for _ in 0..20_000 {
        match draw(3) {
            0 => {
                let start = draw(40) * 8;
                let sectors = start..start + (1 + draw(3)) * 8;
                read(&mut queue, sectors.clone());
                sent.push(sectors);
            }
            1 if flying.len() < 4 => {
                flying.extend(start(&mut queue));
            }
            _ if !flying.is_empty() => {
                let command = flying.swap_remove(draw(flying.len() as u64) as usize);
                let bad = queue.parts(command).any(|part| is_bad(&part.0));
                let answer = if bad { Answer::Failed } else { Answer::Done };
                queue.end(command, answer);
                got.extend(answers(&mut queue));
            }
            _ => {}
        }
    }
    queue.fail_all();
    let cut_off = answers(&mut queue);
    assert!(
        got.iter()
            .all(|(sectors, answer)| is_bad(sectors) == (*answer == Answer::Failed))
    );
    assert_eq!(got.len() + cut_off.len(), sent.len());
    assert!(queue.joined()[0] > 100, "{:?}", queue.joined());
}

#[test]
fn a_read_never_joins_a_write() {
    let mut queue = queue_of(std::slice::from_ref(&(0..8)));
    write(&mut queue, 8..16);
    read(&mut queue, 16..24);
    write(&mut queue, 24..32);
    write(&mut queue, 32..40);
    let started: Vec<_> = start_all(&mut queue).into_iter().map(|it| it.0).collect();
    assert_eq!(started, [0..8, 8..16, 16..24, 24..40]);
}

#[test]
fn a_read_never_overtakes_the_write_before_it() {
    let mut queue = queue_of(&[]);
    write(&mut queue, 0..16);
    read(&mut queue, 8..24);
    read(&mut queue, 100..108);
    let first = start(&mut queue).expect("nothing is before it");
    assert!(start(&mut queue).is_none(), "both are with the device");
    queue.end(first, Answer::Done);
    assert_eq!(start_all(&mut queue).len(), 2);
}

#[test]
fn a_write_never_overtakes_the_read_before_it() {
    let mut queue = queue_of(std::slice::from_ref(&(0..8)));
    let first = start(&mut queue).expect("nothing is before it");
    write(&mut queue, 0..8);
    assert!(start(&mut queue).is_none(), "both are with the device");
    queue.end(first, Answer::Done);
    assert!(start(&mut queue).is_some());
}

/// It would stand before the read of what it overwrites.
#[test]
fn a_write_never_joins_across_what_it_conflicts_with() {
    let mut queue = queue_of(&[]);
    write(&mut queue, 0..8);
    read(&mut queue, 8..24);
    write(&mut queue, 8..16);
    let mut started = Vec::new();
    while let Some(command) = start(&mut queue) {
        started.push(queue.sectors(command));
        queue.end(command, Answer::Done);
    }
    assert_eq!(started, [0..8, 8..24, 8..16]);
}

#[test]
fn a_joined_write_that_failed_is_never_overtaken_when_tried_again() {
    let mut queue = queue_of(&[]);
    write(&mut queue, 0..8);
    write(&mut queue, 8..16);
    let both = start(&mut queue).expect("it is in line");
    write(&mut queue, 0..8);
    assert!(start(&mut queue).is_none());
    queue.end(both, Answer::Failed);
    let mut started = Vec::new();
    while let Some(command) = start(&mut queue) {
        started.push(queue.sectors(command));
        queue.end(command, Answer::Done);
    }
    assert_eq!(started, [0..8, 8..16, 0..8]);
}

#[test]
fn a_flush_never_joins_and_waits_for_nobody() {
    let mut queue = queue_of(&[]);
    write(&mut queue, 0..8);
    for _ in 0..2 {
        assert!(queue.push(Sent(0..0, Action::Flush)).is_ok());
    }
    assert_eq!(start_all(&mut queue).len(), 3);
}

#[test]
fn what_was_reserved_needs_no_memory() {
    let mut queue = queue_of(&[]);
    queue.reserve(3).expect("there is memory");
    for start in 0..3 {
        write(&mut queue, start * 100..start * 100 + 8);
    }
    assert_eq!(start_all(&mut queue).len(), 3);
}

/// Against a disk that carries out whatever it has in any order: what is read is what was last written before.
#[test]
fn nobody_sees_what_was_not_written_before() {
    let mut random = 11_u64;
    let mut draw = |below: u64| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (random >> 33) % below
    };
    let mut queue = Queue::new(MOST_PIECES);
    let mut flying: Vec<Command> = Vec::new();
    // Requests have numbers: the write that a sector holds, and for each request what it should find.
    let (mut disk, mut last) = ([0_u64; 12], [0_u64; 12]);
    let (mut joined_failures, mut open) = (0, 0);
    for number in 1..60_000_u64 {
        match draw(4) {
            0 | 1 if open < 16 => {
                open += 1;
                let first = draw(8);
                let sectors = first * 8..(first + 1 + draw(3)) * 8;
                let is_write = draw(2) == 0;
                let places = first as usize..sectors.end as usize / 8;
                let before = last[places.clone()].to_vec();
                if is_write {
                    last[places].fill(number);
                }
                assert!(
                    queue
                        .push(Ordered {
                            sectors,
                            is_write,
                            number,
                            before
                        })
                        .is_ok()
                );
            }
            2 if flying.len() < 4 => {
                flying.extend(queue.first());
                if flying.len() > queue.flying() {
                    queue.start_first(0);
                }
            }
            _ if !flying.is_empty() => {
                let command = flying.swap_remove(draw(flying.len() as u64) as usize);
                let fails = draw(8) == 0 && queue.parts(command).count() > 1;
                joined_failures += u64::from(fails);
                for part in queue.parts(command) {
                    if !fails || draw(2) == 0 {
                        part.carry_out(&mut disk);
                    }
                }
                queue.end(command, if fails { Answer::Failed } else { Answer::Done });
                open -= std::iter::from_fn(|| queue.pop_answered()).count();
            }
            _ => {}
        }
    }
    assert!(
        queue.joined().iter().all(|joined| *joined > 100) && joined_failures > 10,
        "{joined_failures}"
    );
}

/// A request that knows what it should find.
struct Ordered {
    sectors: Range<u64>,
    is_write: bool,
    number: u64,
    before: Vec<u64>,
}

impl Ordered {
    /// A write may be carried out again; nobody can have been there between.
    fn carry_out(&self, disk: &mut [u64; 12]) {
        let places = self.sectors.start as usize / 8..self.sectors.end as usize / 8;
        for (found, before) in disk[places].iter_mut().zip(&self.before) {
            let is_again = self.is_write && *found == self.number;
            assert!(found == before || is_again, "{found} instead of {before}");
            if self.is_write {
                *found = self.number;
            }
        }
    }
}

impl Extent for Ordered {
    fn action(&self) -> Action {
        if self.is_write {
            Action::Write
        } else {
            Action::Read
        }
    }

    fn sectors(&self) -> Range<u64> {
        self.sectors.clone()
    }

    fn pieces(&self) -> usize {
        (self.sectors.end - self.sectors.start) as usize / 8
    }

    fn is_aligned(&self) -> (bool, bool) {
        (true, true)
    }
}
