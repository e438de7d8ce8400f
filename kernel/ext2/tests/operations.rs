//! Long sequences of operations, then every byte against the model, e2fsck, debugfs, and another reader.
use std::collections::BTreeMap;

use ext2::{Access, Condition, Volume};
use ext4_view::Ext4;
use libtest_mimic::Failed;

use crate::compare::compare;
use crate::disk::TestDisk;
use crate::model::{Content, Model, PAGE, Page};
use crate::plan::{NOW, Scene};
use crate::tools::{self, Format};

/// How many operations.
const STEPS: u64 = 400;

/// Of how many seeds.
const SEEDS: u64 = 3;

pub(crate) fn agree_with_the_model(format: Format) -> Result<(), Failed> {
    let clean = tools::make(format, None)?;
    for seed in 0..SEEDS {
        let mut scene = Scene::new(mount(clean.clone())?, seed);
        for step in 0..STEPS {
            match scene.step() {
                Ok(()) | Err(ext2::Error::NoSpace) => {}
                Err(error) => return Err(format!("seed {seed}, step {step}: {error}").into()),
            }
            if step % 100 == 99 {
                compare(&scene.volume, &scene.model);
            }
        }
        scene.close_all().map_err(|error| error.to_string())?;
        compare(&scene.volume, &scene.model);
        let bytes = leave(scene.volume)?;
        tools::check(&bytes)
            .map_err(|failed| format!("seed {seed}: {}", failed.message().unwrap_or("")))?;
        read_by_debugfs(&bytes, &scene.model)?;
        if format.suits_others() {
            read_otherwise(&bytes, &scene.model)?;
        }
    }
    Ok(())
}

pub(crate) fn mount(bytes: Vec<u8>) -> Result<Volume<TestDisk>, Failed> {
    let disk = TestDisk::new(bytes);
    let length = disk.length();
    Volume::mount(disk, length, Access::ReadWrite, NOW).map_err(|error| error.to_string().into())
}

/// Unmounts, and returns the image.
pub(crate) fn leave(mut volume: Volume<TestDisk>) -> Result<Vec<u8>, Failed> {
    volume
        .remount(Access::ReadOnly, NOW)
        .map_err(|error| error.to_string())?;
    assert_eq!(volume.condition(), Condition::Clean);
    Ok(volume.disk().bytes())
}

/// Files longer than this are not read by others.
const LONG: u64 = 4 << 20;

/// All bytes of a file.
fn flatten(size: u64, pages: &BTreeMap<u64, Page>) -> Vec<u8> {
    let mut bytes = vec![0; size as usize];
    for (index, page) in pages {
        let at = (index * PAGE) as usize;
        let end = bytes.len().min(at + page.len());
        bytes[at..end].copy_from_slice(&page[..end - at]);
    }
    bytes
}

/// What debugfs reads must be the same.
fn read_by_debugfs(bytes: &[u8], model: &Model) -> Result<(), Failed> {
    let files = model
        .nodes
        .iter()
        .filter_map(|(&number, node)| match &node.content {
            Content::File { size, pages } if *size < LONG => Some((number, flatten(*size, pages))),
            _ => None,
        });
    let files: BTreeMap<_, _> = files.collect();
    for (number, read) in tools::dump(bytes, files.keys().copied())? {
        assert!(
            files[&number] == read,
            "debugfs reads file {number} otherwise"
        );
    }
    Ok(())
}

/// What another implementation reads must be the same: of files without holes, since ext4-view takes a hole in an indexed
/// part for damage.
fn read_otherwise(bytes: &[u8], model: &Model) -> Result<(), Failed> {
    let other = Ext4::load(Box::new(bytes.to_vec())).map_err(|error| error.to_string())?;
    let mut left = vec![(Vec::new(), ext2::ROOT)];
    while let Some((path, folder)) = left.pop() {
        for (name, number) in model.entries(folder) {
            let path = [path.as_slice(), b"/", name.as_slice()].concat();
            match &model.nodes[number].content {
                Content::Folder { .. } => left.push((path, *number)),
                Content::File { size, pages } if pages.len() as u64 == size.div_ceil(PAGE) => {
                    let read = other
                        .read(path.as_slice())
                        .map_err(|error| error.to_string())?;
                    let expected = flatten(*size, pages);
                    assert!(
                        read == expected,
                        "ext4-view reads {} otherwise",
                        path.escape_ascii()
                    );
                }
                _ => {}
            }
        }
    }
    Ok(())
}
