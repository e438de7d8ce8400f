//! A volume against its model: every name, every attribute, every byte.
use std::collections::BTreeMap;
use std::ops::ControlFlow;

use ext2::{Inode, Kind, Volume};

use crate::changes::Changes;
use crate::disk::TestDisk;
use crate::model::{Content, Model, Node, PAGE, Page, read_page};

/// Panics with what differs.
pub(crate) fn compare(volume: &Volume<TestDisk>, model: &Model) {
    for (&number, node) in &model.nodes {
        compare_inode(volume, model, number, node);
    }
}

/// After a power cut or an error, and e2fsck: what was there before and has not been changed since must be as it was, under
/// its old name. Folders may have more entries, and fewer, if those are of what was changed.
pub(crate) fn compare_unchanged(volume: &Volume<TestDisk>, model: &Model, changes: &Changes) {
    let stays = |number: &u32| !changes.removed.contains(number);
    for (&number, node) in model.nodes.iter().filter(|(number, _)| stays(number)) {
        // e2fsck clears what has lost its name, if it has no blocks.
        let may_go = changes.moved.contains(&number) && changes.leave_nothing_of(number, node);
        if node.names > 0 && !may_go {
            compare_rest(volume, number, node, changes);
        }
    }
}

fn compare_rest(volume: &Volume<TestDisk>, number: u32, node: &Node, changes: &Changes) {
    let inode = volume
        .inode(number)
        .unwrap_or_else(|error| panic!("inode {number}: {error}"));
    if !changes.attributes.contains(&number) {
        compare_attributes(&inode, node);
    }
    match &node.content {
        Content::Folder { entries, .. } => {
            let same = entries
                .iter()
                .filter(|(_, inside)| changes.keeps_name(**inside));
            for (name, inside) in same {
                let found = volume.lookup(number, name);
                let name = name.escape_ascii();
                assert_eq!(found, Ok(*inside), "{name} in folder {number}");
            }
        }
        Content::File { size, pages } => match changes.bytes.get(&number) {
            None => compare_bytes(volume, &inode, *size, pages),
            Some(bytes) => {
                assert!(inode.size >= bytes.shortest.min(*size), "size of {number}");
                for index in (0..bytes.shortest / PAGE).filter(|index| !bytes.pages.contains(index))
                {
                    compare_page(volume, number, (index, pages.get(&index)), PAGE as usize);
                }
            }
        },
        Content::Link { target } => assert_eq!(volume.target(number).as_ref(), Ok(target)),
        Content::Device { device, .. } => assert_eq!(inode.device(), *device),
    }
}

fn compare_attributes(inode: &Inode, node: &Node) {
    let (number, attributes) = (inode.number, inode.attributes);
    assert_eq!(
        attributes.mode & 0o7777,
        node.permissions,
        "permissions of {number}"
    );
    assert_eq!(
        (attributes.user, attributes.group),
        node.owner,
        "owner of {number}"
    );
}

fn compare_inode(volume: &Volume<TestDisk>, model: &Model, number: u32, node: &Node) {
    let inode = volume
        .inode(number)
        .unwrap_or_else(|error| panic!("inode {number}: {error}"));
    compare_attributes(&inode, node);
    match &node.content {
        Content::Folder { entries, parent } => {
            let inside = entries
                .values()
                .filter(|number| model.nodes[number].is_folder())
                .count();
            let links = if node.names == 0 { 0 } else { 2 + inside };
            assert_eq!(usize::from(inode.links), links, "links of folder {number}");
            compare_folder(volume, model, number, (entries, *parent));
        }
        Content::File { size, pages } => {
            assert_eq!(
                (inode.kind, inode.links, inode.size),
                (Kind::File, node.names, *size),
                "file {number}"
            );
            assert_eq!(inode.size, *size);
            compare_bytes(volume, &inode, *size, pages);
        }
        Content::Link { target } => {
            assert_eq!((inode.kind, inode.links), (Kind::Link, node.names));
            assert_eq!(volume.target(number).as_ref(), Ok(target), "link {number}");
        }
        Content::Device { mode, device } => {
            assert_eq!(
                (Kind::of_mode(*mode), inode.links),
                (Some(inode.kind), node.names)
            );
            assert_eq!(inode.device(), *device, "device {number}");
        }
    }
}

fn compare_folder(
    volume: &Volume<TestDisk>,
    model: &Model,
    number: u32,
    folder: (&BTreeMap<Vec<u8>, u32>, u32),
) {
    let (entries, parent) = folder;
    let mut listed = BTreeMap::new();
    let mut next = 0;
    let mut step = 0;
    // A few entries at a time, from the place that the one before named.
    loop {
        let mut seen = 0;
        volume
            .list(number, next, &mut |entry| {
                let old = listed.insert(entry.name.to_vec(), entry.number);
                assert_eq!(old, None, "an entry of {number} is listed twice");
                if let Some(kind) = entry.kind {
                    let inode = volume.inode(entry.number).expect("entries name inodes");
                    assert_eq!(kind, inode.kind, "type of an entry of {number}");
                }
                (next, seen) = (entry.next, seen + 1);
                if seen > step {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            })
            .unwrap_or_else(|error| panic!("folder {number}: {error}"));
        if seen <= step {
            break;
        }
        step += 1;
    }
    assert_eq!(
        listed.remove(b".".as_slice()),
        Some(number),
        "`.` of {number}"
    );
    assert_eq!(
        listed.remove(b"..".as_slice()),
        Some(parent),
        "`..` of {number}"
    );
    assert_eq!(&listed, entries, "entries of {number}");
    assert_eq!(volume.is_empty(number), Ok(entries.is_empty()));
    if let Some((name, &inode)) = entries.first_key_value() {
        assert_eq!(volume.lookup(number, name), Ok(inode));
        assert!(model.nodes.contains_key(&inode));
    }
}

/// The first `size` bytes of a file: e2fsck may have made it longer, up to the end of its last block.
fn compare_bytes(volume: &Volume<TestDisk>, inode: &Inode, size: u64, pages: &BTreeMap<u64, Page>) {
    assert!(inode.size >= size, "size of {}", inode.number);
    for index in 0..size.div_ceil(PAGE) {
        let valid = (size - index * PAGE).min(PAGE) as usize;
        compare_page(volume, inode.number, (index, pages.get(&index)), valid);
    }
}

fn compare_page(
    volume: &Volume<TestDisk>,
    number: u32,
    (index, expected): (u64, Option<&Page>),
    valid: usize,
) {
    let zeroes = vec![0; PAGE as usize];
    let bytes =
        read_page(volume, number, index).unwrap_or_else(|error| panic!("file {number}: {error}"));
    let (bytes, expected) = (
        bytes.as_ref().unwrap_or(&zeroes),
        expected.unwrap_or(&zeroes),
    );
    assert!(
        bytes[..valid] == expected[..valid],
        "page {index} of file {number} differs"
    );
}
