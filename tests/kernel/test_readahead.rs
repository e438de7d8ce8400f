//! Readahead: readers in order never wait twice, others read no page in vain.
use mm::page_cache::Pattern;

use crate::readahead::Window;

/// A reader of a file none of which is in memory: reads that it waits for, reads in the background, pages read.
fn read(pages: impl IntoIterator<Item = u64>) -> (usize, usize, usize) {
    let mut window = Window::new();
    let mut present = std::collections::HashSet::new();
    let (mut waits, mut background) = (0, 0);
    for index in pages {
        let wanted = if present.contains(&index) {
            let ahead = window.hit(index).map(|plan| plan.pages);
            background += usize::from(ahead.is_some());
            ahead
        } else {
            waits += 1;
            let wanted = window.miss(index, 1).pages;
            assert!(wanted.contains(&index), "{index} is not in {wanted:?}");
            Some(wanted)
        };
        present.extend(wanted.into_iter().flatten());
    }
    (waits, background, present.len())
}

#[test]
fn a_reader_in_order_never_waits_again() {
    let (waits, background, _) = read(0..1024);
    assert_eq!(waits, 1);
    // Windows of 4, 8, 16, then 32 pages.
    assert!((32..36).contains(&background), "{background}");
}

#[test]
fn a_reader_in_order_from_the_middle_waits_twice() {
    let (waits, ..) = read(5000..6024);
    assert_eq!(waits, 2);
}

#[test]
fn readers_out_of_order_read_no_page_in_vain() {
    let strided = (10..1000).step_by(7);
    assert_eq!(read(strided.clone()).2, strided.count());
    let random = (1..500_u64).map(|step| 1 + step * 7919 % 100_003);
    assert_eq!(read(random).2, 499);
}

#[test]
fn the_window_doubles_up_to_its_most() {
    let mut window = Window::new();
    let mut sizes = vec![window.miss(0, 1).pages];
    for index in 1..200 {
        sizes.extend(window.hit(index).map(|plan| plan.pages));
    }
    assert_eq!(sizes[..5], [0..4, 4..12, 12..28, 28..60, 60..92]);
}

#[test]
fn behind_an_error_a_page_is_read_alone() {
    let mut window = Window::new();
    assert_eq!(window.miss(0, 8).pages, 0..16);
    window.failed(0);
    assert_eq!(window.miss(0, 8).pages, 0..1);
    assert!(window.hit(0).is_none());
    assert_eq!(window.miss(1, 1).pages.start, 1);
}

#[test]
fn faults_are_read_around_and_go_on_at_the_mark() {
    let mut window = Window::new();
    let first = window.fault(100, Pattern::Unknown);
    assert_eq!((first.pages, first.mark), (84..116, Some(108)));
    assert!(window.hit(107).is_none());
    let next = window.hit(108).expect("it is the mark");
    assert_eq!((next.pages, next.mark), (116..148, Some(116)));
}

#[test]
fn faults_in_no_order_are_read_around_for_a_while() {
    let mut window = Window::new();
    let mut alone = 0;
    for step in 0..200 {
        let plan = window.fault(step * 1000, Pattern::Unknown);
        alone += usize::from(plan.pages == (step * 1000..step * 1000 + 1));
    }
    assert_eq!(alone, 100);
    assert_eq!(window.fault(7, Pattern::Random).pages, 7..8);
}

#[test]
fn who_announces_his_order_gets_what_he_asks_for() {
    let mut window = Window::new();
    window.expect(Pattern::Random);
    assert_eq!(window.miss(0, 3).pages, 0..3);
    let mut window = Window::new();
    window.expect(Pattern::Rising);
    let mut largest = 0;
    window.miss(0, 1);
    for index in 1..400 {
        let plan = window.hit(index).map(|plan| plan.pages);
        largest = largest.max(plan.map_or(0, |pages| pages.end - pages.start));
    }
    assert_eq!(largest, 64);
}
