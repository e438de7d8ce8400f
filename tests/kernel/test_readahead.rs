//! Readahead: readers in order never wait twice, others read no page in vain.
use crate::readahead::Window;

/// A reader of a file none of which is in memory: reads that it waits for, reads in the background, pages read.
fn read(pages: impl IntoIterator<Item = u64>) -> (usize, usize, usize) {
    let mut window = Window::new();
    let mut present = std::collections::HashSet::new();
    let (mut waits, mut background) = (0, 0);
    for index in pages {
        let wanted = if present.contains(&index) {
            let ahead = window.hit(index);
            background += usize::from(ahead.is_some());
            ahead
        } else {
            waits += 1;
            let wanted = window.miss(index, 1);
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
    let mut sizes = vec![window.miss(0, 1)];
    for index in 1..200 {
        sizes.extend(window.hit(index));
    }
    assert_eq!(sizes[..5], [0..4, 4..12, 12..28, 28..60, 60..92]);
}

#[test]
fn behind_an_error_a_page_is_read_alone() {
    let mut window = Window::new();
    assert_eq!(window.miss(0, 8), 0..16);
    window.failed(0);
    assert_eq!(window.miss(0, 8), 0..1);
    assert_eq!(window.hit(0), None);
    assert_eq!(window.miss(1, 1).start, 1);
}
