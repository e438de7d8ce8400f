//! Requests to a disk: none is lost, none is answered for another, neighbours go as one.
use std::ops::Range;

use crate::block_queue::{Answer, Extent, Queue};

const MOST_FRAMES: usize = 32;

/// A request by its sectors.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Sent(Range<u64>);

impl Extent for Sent {
    fn sectors(&self) -> Range<u64> {
        self.0.clone()
    }

    fn frames(&self) -> usize {
        (self.0.end - self.0.start).div_ceil(8) as usize
    }
}

fn queue_of(sent: &[Range<u64>]) -> Queue<Sent> {
    let mut queue = Queue::new(MOST_FRAMES);
    for sectors in sent {
        assert!(queue.push(Sent(sectors.clone())).is_ok());
    }
    queue
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
    assert_eq!(queue.joined(), 3);
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
    let mut queue = Queue::new(MOST_FRAMES);
    let mut flying = Vec::new();
    let (mut sent, mut got) = (Vec::new(), Vec::new());
    for _ in 0..20_000 {
        match draw(3) {
            0 => {
                let start = draw(40) * 8;
                let sectors = start..start + (1 + draw(3)) * 8;
                assert!(queue.push(Sent(sectors.clone())).is_ok());
                sent.push(sectors);
            }
            1 if flying.len() < 4 => {
                flying.extend(queue.first());
                queue.start_first(0);
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
    assert!(queue.joined() > 100, "{}", queue.joined());
}
