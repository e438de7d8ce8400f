//! What a volume should hold, without blocks or bitmaps; and the files' side of the volume, as a kernel does it: pages.
use std::collections::{BTreeMap, BTreeSet};

use ext2::{Attributes, Error, New, ROOT, Volume};

use crate::disk::TestDisk;

/// The bytes of a page, which a kernel reads and writes as one.
pub(crate) const PAGE: u64 = 4096;

pub(crate) type Page = Vec<u8>;

/// What `create` wants to know of an empty file.
fn file() -> New<'static> {
    let attributes = Attributes {
        mode: 0o100_644,
        ..Attributes::default()
    };
    New {
        attributes,
        target: b"",
        device: (0, 0),
    }
}

/// Adds an empty file to the root.
pub(crate) fn create_file(volume: &Volume<TestDisk>, name: &[u8], now: u32) -> Result<u32, Error> {
    volume.create(ROOT, name, &file(), now)
}

/// What an inode holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Bytes, and those pages that are not all zeroes.
    File {
        size: u64,
        pages: BTreeMap<u64, Page>,
    },
    Folder {
        entries: BTreeMap<Vec<u8>, u32>,
        parent: u32,
    },
    Link {
        target: Vec<u8>,
    },
    Device {
        mode: u16,
        device: (u32, u32),
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) content: Content,
    pub(crate) permissions: u16,
    pub(crate) owner: (u32, u32),
    /// Names that it has.
    pub(crate) names: u16,
}

impl Node {
    pub(crate) fn new(content: Content, permissions: u16) -> Self {
        Self {
            content,
            permissions,
            owner: (0, 0),
            names: 1,
        }
    }

    pub(crate) fn is_folder(&self) -> bool {
        matches!(self.content, Content::Folder { .. })
    }
}

/// Inodes by number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub(crate) nodes: BTreeMap<u32, Node>,
    /// Inodes whose last name is gone, but that somebody has open.
    pub(crate) open: BTreeSet<u32>,
}

impl Model {
    /// A volume with nothing but a root, and what mke2fs puts there.
    pub(crate) fn new(lost_and_found: u32) -> Self {
        let mut model = Self::default();
        let mut entries = BTreeMap::new();
        entries.insert(b"lost+found".to_vec(), lost_and_found);
        let root = Content::Folder {
            entries,
            parent: ext2::ROOT,
        };
        model.nodes.insert(ext2::ROOT, Node::new(root, 0o755));
        let lost = Content::Folder {
            entries: BTreeMap::new(),
            parent: ext2::ROOT,
        };
        model.nodes.insert(lost_and_found, Node::new(lost, 0o700));
        model
    }

    /// The numbers of all folders, or of all files, that have a name.
    pub(crate) fn numbers(&self, wanted: impl Fn(&Node) -> bool) -> Vec<u32> {
        let named = self.nodes.iter().filter(|(_, node)| node.names > 0);
        named
            .filter(|(_, node)| wanted(node))
            .map(|(&number, _)| number)
            .collect()
    }

    pub(crate) fn entries(&self, folder: u32) -> &BTreeMap<Vec<u8>, u32> {
        match &self.nodes[&folder].content {
            Content::Folder { entries, .. } => entries,
            other => panic!("inode {folder} is {other:?}"),
        }
    }

    pub(crate) fn entries_mut(&mut self, folder: u32) -> &mut BTreeMap<Vec<u8>, u32> {
        match &mut self
            .nodes
            .get_mut(&folder)
            .expect("the folder is there")
            .content
        {
            Content::Folder { entries, .. } => entries,
            other => panic!("inode {folder} is {other:?}"),
        }
    }

    /// All folders from `folder` up to the root.
    pub(crate) fn way_up(&self, folder: u32) -> Vec<u32> {
        let mut way = vec![folder];
        while let Content::Folder { parent, .. } = &self.nodes[&way[way.len() - 1]].content
            && way[way.len() - 1] != ext2::ROOT
        {
            way.push(*parent);
        }
        way
    }
}

/// Writes `bytes` to file `number` at `offset`: a page at a time, each with all of its blocks. Returns how many bytes were
/// written, and the error that ended it.
pub(crate) fn write(
    volume: &Volume<TestDisk>,
    file: (u32, &mut u64, &mut BTreeMap<u64, Page>),
    offset: u64,
    bytes: &[u8],
    now: u32,
) -> (u64, Result<(), Error>) {
    let (number, size, pages) = file;
    let end = offset + bytes.len() as u64;
    let before = *size;
    let mut at = offset;
    let mut result = Ok(());
    while at < end {
        let index = at / PAGE;
        let stop = end.min((index + 1) * PAGE);
        let mut page = pages
            .get(&index)
            .cloned()
            .unwrap_or_else(|| vec![0; PAGE as usize]);
        let part = &bytes[(at - offset) as usize..(stop - offset) as usize];
        page[(at % PAGE) as usize..][..part.len()].copy_from_slice(part);
        result = write_page(volume, number, (index, &page), end.max(before));
        if result.is_err() {
            break;
        }
        pages.insert(index, page);
        at = stop;
    }
    if at > before {
        let grown = volume.set_size(number, at, now);
        if grown.is_ok() {
            *size = at;
        }
        result = result.and(grown);
    }
    if result.is_err() {
        // Blocks behind the end of the file, if it did not grow.
        let _ = volume.release(number, *size);
        pages.retain(|&index, _| index * PAGE < *size);
    }
    (at - offset, result)
}

/// Writes a page of a file that is `end` bytes long to where it is, after making room for it.
pub(crate) fn write_page(
    volume: &Volume<TestDisk>,
    number: u32,
    (index, page): (u64, &Page),
    end: u64,
) -> Result<(), Error> {
    let length = PAGE.min(end - index * PAGE);
    let backed = volume.allocate(number, index * PAGE, length)?;
    assert_eq!(backed, length, "a page has all of its blocks or none");
    let length = length.next_multiple_of(volume.block_size());
    let mut done = 0;
    while done < length {
        let run = volume.map(number, index * PAGE + done, length - done)?;
        let at = run.at.expect("a page that was backed has no hole");
        let bytes = &page[done as usize..(done + run.length) as usize];
        ext2::Disk::write(volume.disk(), at, bytes)?;
        done += run.length;
    }
    Ok(())
}

/// Reads a page of a file; `None` where it is all holes.
pub(crate) fn read_page(
    volume: &Volume<TestDisk>,
    number: u32,
    index: u64,
) -> Result<Option<Page>, Error> {
    let mut page = vec![0; PAGE as usize];
    let (mut done, mut is_there) = (0, false);
    while done < PAGE {
        let run = volume.map(number, index * PAGE + done, PAGE - done)?;
        assert!(run.length > 0, "a run has bytes");
        if let Some(at) = run.at {
            is_there = true;
            let bytes = &mut page[done as usize..(done + run.length) as usize];
            ext2::Disk::read(volume.disk(), at, bytes)?;
        }
        done += run.length;
    }
    Ok(is_there.then_some(page))
}

/// Makes file `number` `size` bytes long, as a kernel does: the size, the rest of the last page, the blocks.
pub(crate) fn truncate(
    volume: &Volume<TestDisk>,
    file: (u32, &mut u64, &mut BTreeMap<u64, Page>),
    size: u64,
    now: u32,
) -> Result<(), Error> {
    let (number, old, pages) = file;
    volume.set_size(number, size, now)?;
    let shrinks = size < *old;
    *old = size;
    if !shrinks {
        return Ok(());
    }
    pages.retain(|&index, _| index * PAGE < size);
    let index = size / PAGE;
    if let Some(page) = pages.get_mut(&index) {
        page[(size % PAGE) as usize..].fill(0);
        let page = page.clone();
        write_page(volume, number, (index, &page), size)?;
    }
    volume.release(number, size)
}
