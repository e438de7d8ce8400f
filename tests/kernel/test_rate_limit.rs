//! Lines that programs cause: no more than Linux lets through, and none is forgotten in silence.
use crate::rate_limit::RateLimit;

const SECOND: u64 = 1_000_000_000;

#[test]
fn a_flood_is_cut_and_counted() {
    let limit = RateLimit::new();
    let admitted = |now: u64, lines: u32| {
        (0..lines)
            .filter_map(|_| limit.admit(now))
            .collect::<Vec<_>>()
    };
    assert_eq!(admitted(SECOND, 4), [0; 4]);
    assert_eq!(admitted(2 * SECOND, 10), [0; 6]);
    assert_eq!(admitted(4 * SECOND, 10), []);
    assert_eq!(admitted(5 * SECOND, 1), [14]);
    assert_eq!(admitted(9 * SECOND, 100).len(), 9);
    assert_eq!(admitted(10 * SECOND, 100), [91, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn a_slow_trickle_is_never_cut() {
    let limit = RateLimit::new();
    assert!((0..100).all(|second| limit.admit(second * SECOND) == Some(0)));
}
