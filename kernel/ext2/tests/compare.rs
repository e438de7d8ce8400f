//! A volume against its model: every name, every attribute, every byte.
use std::collections::BTreeMap;
use std::ops::ControlFlow;

use ext2::{Kind, Volume};

use crate::disk::TestDisk;
use crate::model::{Content, Model, Node, PAGE, read_page};

/// Panics with what differs.
pub(crate) fn compare(volume: &Volume<TestDisk>, model: &Model) {
    for (&number, node) in &model.nodes {
        compare_inode(volume, model, number, node);
    }
}

fn compare_inode(volume: &Volume<TestDisk>, model: &Model, number: u32, node: &Node) {
    let inode = volume
        .inode(number)
        .unwrap_or_else(|error| panic!("inode {number}: {error}"));
    assert_eq!(
        inode.attributes.mode & 0o7777,
        node.permissions,
        "permissions of {number}"
    );
    assert_eq!(
        (inode.attributes.user, inode.attributes.group),
        node.owner,
        "owner of {number}"
    );
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
            compare_bytes(volume, number, *size, pages);
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

fn compare_bytes(
    volume: &Volume<TestDisk>,
    number: u32,
    size: u64,
    pages: &BTreeMap<u64, Vec<u8>>,
) {
    let zeroes = vec![0; PAGE as usize];
    for index in 0..size.div_ceil(PAGE) {
        let expected = pages.get(&index).unwrap_or(&zeroes);
        let bytes = read_page(volume, number, index)
            .unwrap_or_else(|error| panic!("file {number}: {error}"));
        let bytes = bytes.as_ref().unwrap_or(&zeroes);
        let valid = (size - index * PAGE).min(PAGE) as usize;
        assert!(
            bytes[..valid] == expected[..valid],
            "page {index} of file {number} differs"
        );
    }
}
