//! A tree of the host's, put into an image by mke2fs: read to the last byte, then changed; and what debugfs reads back of
//! what was written here.
use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::symlink;
use std::path::Path;

use ext2::{Access, Error, Kind, ROOT, Volume};
use libtest_mimic::Failed;

use crate::disk::TestDisk;
use crate::model::{self, PAGE, read_page};
use crate::operations::{leave, mount};
use crate::plan::NOW;
use crate::tools::{self, Format};

fn words(error: Error) -> Failed {
    error.to_string().into()
}

/// A tree with files of many lengths, a large folder, and links.
fn plant(root: &Path) -> std::io::Result<()> {
    fs::create_dir_all(root.join("a/b/c"))?;
    for length in [0, 1, 1023, 1024, 4096, 12_289, 300_000, 1_200_000] {
        let bytes: Vec<u8> = (0..length)
            .map(|at: u32| (at / 7 + at / 1000) as u8)
            .collect();
        fs::write(root.join(format!("a/{length}")), bytes)?;
    }
    fs::create_dir(root.join("many"))?;
    for index in 0..300 {
        fs::write(
            root.join(format!("many/a-rather-long-name-for-a-file-{index}")),
            [1],
        )?;
    }
    symlink("a/b", root.join("short"))?;
    symlink("x/".repeat(200), root.join("long"))
}

/// All that is below a folder of the volume: by path, a link's target or a file's bytes.
fn harvest(volume: &Volume<TestDisk>) -> Result<BTreeMap<String, Vec<u8>>, Error> {
    let mut found = BTreeMap::new();
    let mut left = vec![(String::new(), ROOT)];
    while let Some((path, folder)) = left.pop() {
        let mut entries = Vec::new();
        volume.list(folder, 0, &mut |entry| {
            if !matches!(entry.name, b"." | b".." | b"lost+found") {
                entries.push((
                    format!("{path}/{}", entry.name.escape_ascii()),
                    entry.number,
                ));
            }
            ControlFlow::Continue(())
        })?;
        for (path, number) in entries {
            match volume.inode(number)?.kind {
                Kind::Folder => left.push((path, number)),
                Kind::Link => drop(found.insert(path, volume.target(number)?)),
                _ => drop(found.insert(path, bytes(volume, number)?)),
            }
        }
    }
    Ok(found)
}

fn bytes(volume: &Volume<TestDisk>, number: u32) -> Result<Vec<u8>, Error> {
    let size = volume.inode(number)?.size;
    let mut bytes = Vec::new();
    for index in 0..size.div_ceil(PAGE) {
        bytes.extend(read_page(volume, number, index)?.unwrap_or_else(|| vec![0; PAGE as usize]));
    }
    bytes.truncate(size as usize);
    Ok(bytes)
}

/// The same of the host's tree.
fn harvest_host(root: &Path) -> std::io::Result<BTreeMap<String, Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut left = vec![root.to_path_buf()];
    while let Some(folder) = left.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let relative = path.strip_prefix(root).expect("it is below").display();
            let name = format!("/{relative}");
            if path.is_symlink() {
                found.insert(
                    name,
                    fs::read_link(&path)?.into_os_string().into_encoded_bytes(),
                );
            } else if path.is_dir() {
                left.push(path);
            } else {
                found.insert(name, fs::read(&path)?);
            }
        }
    }
    Ok(found)
}

pub(crate) fn is_read_and_removed(format: Format) -> Result<(), Failed> {
    let root = tempfile::tempdir()?;
    plant(root.path())?;
    let volume = mount(tools::make(format, Some(root.path()))?)?;
    let expected = harvest_host(root.path())?;
    assert!(
        harvest(&volume).map_err(words)? == expected,
        "the tree is read otherwise"
    );
    remove_below(&volume, ROOT).map_err(words)?;
    assert!(harvest(&volume).map_err(words)?.is_empty());
    tools::check(&leave(volume)?)
}

/// Removes all that is in `folder`, with what is in there.
fn remove_below(volume: &Volume<TestDisk>, folder: u32) -> Result<(), Error> {
    let mut entries = Vec::new();
    volume.list(folder, 0, &mut |entry| {
        if !matches!(entry.name, b"." | b".." | b"lost+found") {
            entries.push((entry.name.to_vec(), entry.number));
        }
        ControlFlow::Continue(())
    })?;
    for (name, number) in entries {
        let removed = if volume.inode(number)?.kind == Kind::Folder {
            remove_below(volume, number)?;
            volume.remove_folder(folder, &name, NOW)?
        } else {
            volume.unlink(folder, &name, NOW)?
        };
        volume.free(removed.number, NOW)?;
    }
    Ok(())
}

/// An index of names, which e2fsck makes: read past, and given up with the first change.
pub(crate) fn an_indexed_folder_loses_its_index(format: Format) -> Result<(), Failed> {
    let root = tempfile::tempdir()?;
    plant(root.path())?;
    let image = tools::index_folders(&tools::make(format, Some(root.path()))?)?;
    assert!(
        tools::debugfs(&image, "stat /many")?.contains("Flags: 0x1000"),
        "the folder has no index"
    );
    let volume = mount(image)?;
    let expected = harvest_host(root.path())?;
    assert!(
        harvest(&volume).map_err(words)? == expected,
        "the tree is read otherwise"
    );
    let many = volume.lookup(ROOT, b"many").map_err(words)?;
    let number = volume
        .lookup(many, b"a-rather-long-name-for-a-file-7")
        .map_err(words)?;
    for index in 0..50 {
        volume
            .link(
                many,
                format!("another-name-{index}").as_bytes(),
                number,
                NOW,
            )
            .map_err(words)?;
    }
    let removed = volume
        .unlink(many, b"a-rather-long-name-for-a-file-7", NOW)
        .map_err(words)?;
    assert_eq!(removed.links, 50);
    let image = leave(volume)?;
    tools::check(&image)?;
    assert!(
        tools::debugfs(&image, "stat /many")?.contains("Flags: 0x0"),
        "the index is still there"
    );
    Ok(())
}

/// A block of extended attributes goes with the inode that has it.
pub(crate) fn attributes_go_with_their_inode(format: Format) -> Result<(), Failed> {
    let root = tempfile::tempdir()?;
    plant(root.path())?;
    let image = tools::make(format, Some(root.path()))?;
    let image = tools::edit(&image, "ea_set /a/4096 user.colour green")?;
    let image = tools::edit(&image, "ea_set /short user.colour green")?;
    assert!(
        !tools::debugfs(&image, "stat /short")?.contains("File ACL: 0\n"),
        "it has no attributes"
    );
    let volume = mount(image)?;
    let expected = harvest_host(root.path())?;
    assert!(
        harvest(&volume).map_err(words)? == expected,
        "the tree is read otherwise"
    );
    remove_below(&volume, ROOT).map_err(words)?;
    tools::check(&leave(volume)?)
}

/// What is not understood is refused, or left unwritten.
pub(crate) fn unknown_features_are_respected(format: Format) -> Result<(), Failed> {
    let image = tools::make(format, None)?;
    let with = |at: usize, bits: u8| {
        let mut image = image.clone();
        image[1024 + at] |= bits;
        let disk = TestDisk::new(image);
        let length = disk.length();
        Volume::mount(disk, length, Access::ReadWrite, NOW)
    };
    let extents = with(96, 0x40).map(drop);
    assert_eq!(extents, Err(Error::UnknownFeatures(0x40)));
    let checksums = with(101, 0x04).map_err(words)?;
    assert_eq!(checksums.access(), Access::ReadOnly);
    assert_eq!(checksums.change(ROOT, |_| {}), Err(Error::ReadOnly));
    assert_eq!(checksums.disk().writes(), 0, "nothing may be written");
    Ok(())
}

/// `s_state` and the count of mounts are what Linux's ext2 makes of them.
pub(crate) fn the_state_is_kept(format: Format) -> Result<(), Failed> {
    let image = tools::make(format, None)?;
    let says = |image: &[u8]| -> Result<(bool, bool), Failed> {
        let words = tools::debugfs(image, "stats")?;
        let state = words
            .lines()
            .find(|line| line.starts_with("Filesystem state:"));
        let mounts = words
            .lines()
            .any(|line| line.starts_with("Mount count:") && line.ends_with(" 1"));
        Ok((state.is_some_and(|state| !state.contains("not")), mounts))
    };
    assert_eq!(says(&image)?, (true, false));
    let volume = mount(image)?;
    assert_eq!(
        says(&volume.disk().bytes())?,
        (false, true),
        "while mounted"
    );
    let unclean = volume.disk().bytes();
    assert_eq!(says(&leave(volume)?)?, (true, true), "after unmounting");
    let mut volume = mount(unclean)?;
    assert_eq!(volume.condition(), ext2::Condition::Unchecked);
    volume.remount(Access::ReadOnly, NOW).map_err(words)?;
    assert!(
        !says(&volume.disk().bytes())?.0,
        "what was not checked does not become clean"
    );
    Ok(())
}

/// A file of 2 GiB and more is announced in the superblock, which revision 0 has no word for.
pub(crate) fn a_long_file_is_announced(format: Format) -> Result<(), Failed> {
    let volume = mount(tools::make(format, None)?)?;
    let number = model::create_file(&volume, b"long", NOW).map_err(words)?;
    let end = (5 << 29) + PAGE;
    model::write_page(
        &volume,
        number,
        (end / PAGE - 1, &vec![1; PAGE as usize]),
        end,
    )
    .map_err(words)?;
    volume.set_size(number, end, NOW).map_err(words)?;
    let too_long = volume.longest_file() + 1;
    assert_eq!(volume.set_size(number, too_long, NOW), Err(Error::TooBig));
    tools::check(&leave(volume)?)
}
