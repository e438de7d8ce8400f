//! Files that become shorter or longer while their pages are on their way.
use super::{Drawing, ReadResult};
use crate::fault::{Access, Path};
use crate::page::PAGE_SIZE;
use crate::page_cache::WriteResult;
use crate::remote;
use crate::sync::atomic::Ordering::Relaxed;

impl Drawing {
    fn resize(&self, bytes: u64) {
        self.file.set_size(&self.memory, bytes).expect("not sealed");
    }

    fn first_busy(&self) -> Option<u64> {
        self.file.first_busy(&self.memory)
    }

    /// What the frame of page `index` holds, behind the end too.
    fn word(&self, index: u64, number: usize) -> u64 {
        let frame = super::super::slot::frame(self.file.state(&self.memory, index));
        self.words(frame)[number].load(Relaxed)
    }
}

#[test]
fn no_page_outlives_a_cut_that_met_it_on_its_way() {
    let drawing = Drawing::of("cd.d");
    drawing.takes(1, Access::Write, Path::FileStore);
    let read = drawing.begin_read(2);
    let writes = [0, 0].map(|_| drawing.begin_write().expect("two are dirty"));
    drawing.is_cached("cwrw");
    drawing.resize(PAGE_SIZE);
    drawing.is_cached("cwrw");
    drawing.is_mapped("....");
    assert_eq!(drawing.first_busy(), Some(1));
    let [first, second] = writes;
    first.complete(&drawing.memory, WriteResult::Written);
    drawing.is_cached("c.rw");
    assert_eq!(drawing.first_busy(), Some(2));
    read.complete(&drawing.memory, ReadResult::Filled);
    second.complete(&drawing.memory, WriteResult::Failed);
    drawing.is_cached("c...");
    assert_eq!(drawing.first_busy(), None);
    drawing.close();
}

#[test]
fn nothing_that_is_cut_is_written_or_read() {
    let drawing = Drawing::of("cdd.");
    drawing.file.change_size(PAGE_SIZE);
    assert!(drawing.begin_write().is_none());
    let begun = drawing.file.begin_read(&drawing.memory, 3);
    assert!(begun.expect("memory is left").is_none());
    assert_eq!(drawing.first_busy(), None);
    drawing.is_cached("c...");
    drawing.close();
}

#[test]
fn no_byte_behind_the_end_reaches_the_disk_or_comes_back() {
    let drawing = Drawing::of("c.");
    drawing.store(0, &[0xaa; 64]);
    drawing.resize(20);
    drawing.is_cached("d.");
    assert_eq!([drawing.word(0, 2), drawing.word(0, 3)], [0xaaaa_aaaa, 0]);
    // A program stores behind the end, in the last page: that is not the file's.
    drawing.store(20, &[0xbb; 44]);
    let write = drawing.begin_write().expect("it is dirty");
    let words = drawing.words(write.frame());
    let mut sent = [0xee; 64];
    remote::read_bytes(words, 0, &mut sent);
    assert_eq!((sent[19], &sent[20..]), (0xaa, &[0; 44][..]));
    write.complete(&drawing.memory, WriteResult::Written);
    drawing.is_cached("c.");
    drawing.store(20, &[0xbb; 44]);
    drawing.resize(40);
    assert_eq!(
        drawing.bytes(16, 99),
        [[0xaa; 4].as_slice(), &[0; 20]].concat()
    );
    drawing.close();
}

#[test]
fn no_read_brings_bytes_from_behind_the_end() {
    let drawing = Drawing::of("..");
    let read = drawing.begin_read(0);
    remote::write_bytes(drawing.words(read.frame()), 0, &[0xaa; 64]);
    drawing.resize(20);
    assert_eq!(drawing.first_busy(), None, "the page of the end stays");
    read.complete(&drawing.memory, ReadResult::Filled);
    drawing.is_cached("c.");
    drawing.resize(40);
    assert_eq!(
        drawing.bytes(16, 99),
        [[0xaa; 4].as_slice(), &[0; 20]].concat()
    );
    drawing.close();
}

#[test]
fn no_gap_shows_what_was_stored_behind_the_end() {
    let drawing = Drawing::of("c");
    drawing.resize(20);
    drawing.store(16, &[0xaa; 40]);
    // The call copies while somebody writes the page back.
    let written = drawing
        .file
        .lend_to_write(&drawing.memory, 30, 8, |words, place| {
            remote::write_bytes(words, place.start, &[0xcc; 8]);
            let write = drawing.begin_write().expect("it is dirty");
            write.complete(&drawing.memory, WriteResult::Written);
            5
        });
    assert_eq!(written, Ok(5));
    drawing.is_cached("d");
    let gap = [[0xaa; 4].as_slice(), &[0; 10], &[0xcc; 5]].concat();
    assert_eq!(drawing.bytes(16, 99), gap);
    assert_eq!(
        drawing.word(0, 4) >> 24,
        0,
        "what was copied in vain is nobody's"
    );
    drawing.close();
}

#[test]
fn no_page_behind_the_end_stays_without_bytes() {
    let drawing = Drawing::of("c");
    let written = drawing
        .file
        .lend_to_write(&drawing.memory, PAGE_SIZE, 9, |_, _| 0);
    assert_eq!(written, Ok(0));
    drawing.is_cached("c.");
    assert_eq!(drawing.write(PAGE_SIZE + 3, b"far"), Ok(3));
    drawing.is_cached("cd");
    assert_eq!(drawing.file.size(), PAGE_SIZE + 6);
    assert_eq!(drawing.bytes(PAGE_SIZE, 9), b"\0\0\0far");
    drawing.close();
}
