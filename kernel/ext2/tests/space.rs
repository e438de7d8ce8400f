//! Until nothing is left, and back: what is refused changes nothing, what is removed is free again.
use std::collections::BTreeMap;

use ext2::{Access, Error, ROOT, Volume};
use libtest_mimic::Failed;

use crate::compare::compare;
use crate::disk::TestDisk;
use crate::model::{self, Content, Node, PAGE};
use crate::operations::{leave, mount};
use crate::plan::{NOW, Scene};
use crate::tools::{self, Format};

/// Adds an empty file to the root.
pub(crate) fn create(scene: &mut Scene, name: String) -> Result<u32, Error> {
    let number = model::create_file(&scene.volume, name.as_bytes(), NOW)?;
    let content = Content::File {
        size: 0,
        pages: BTreeMap::new(),
    };
    scene.model.nodes.insert(number, Node::new(content, 0o644));
    scene
        .model
        .entries_mut(ROOT)
        .insert(name.into_bytes(), number);
    Ok(number)
}

/// Removes what `create` made.
fn remove_all(scene: &mut Scene) -> Result<(), Error> {
    let entries = scene.model.entries(ROOT).clone();
    for (name, number) in entries
        .into_iter()
        .filter(|(name, _)| name != b"lost+found")
    {
        let removed = scene.volume.unlink(ROOT, &name, NOW)?;
        assert_eq!((removed.number, removed.links), (number, 0));
        scene.volume.free(number, NOW)?;
        scene.model.entries_mut(ROOT).remove(&name);
        scene.model.nodes.remove(&number);
    }
    Ok(())
}

fn begin(format: Format) -> Result<Scene, Failed> {
    Ok(Scene::new(mount(tools::make(format, None)?)?, 0))
}

fn words(error: Error) -> Failed {
    error.to_string().into()
}

pub(crate) fn blocks_run_out(format: Format) -> Result<(), Failed> {
    let mut scene = begin(format)?;
    let before = scene.volume.statistics().map_err(words)?;
    let mut numbers = Vec::new();
    for index in 0..5 {
        numbers.push(create(&mut scene, format!("file{index}")).map_err(words)?);
    }
    // In turn, so that no file is in one piece; page 20 lies behind an index block, page 3000 behind two.
    let pages = (0..8).chain(20..30).chain(3000..);
    let filled = pages.flat_map(|page| numbers.iter().map(move |&number| (number, page)));
    let full = filled.into_iter().find_map(|(number, page)| {
        scene
            .write_bytes(number, page * PAGE, &[1; PAGE as usize])
            .err()
    });
    assert_eq!(full, Some(Error::NoSpace));
    compare(&scene.volume, &scene.model);
    let left = scene.volume.statistics().map_err(words)?.free_blocks;
    assert!(
        left < PAGE / u64::from(format.block_size),
        "{left} blocks were not to be had"
    );
    tools::check(&leave_and_stay(&mut scene)?)?;
    remove_all(&mut scene).map_err(words)?;
    let after = scene.volume.statistics().map_err(words)?;
    assert_eq!(after, before, "what was removed is free again");
    compare(&scene.volume, &scene.model);
    tools::check(&leave(scene.volume)?)
}

/// The image as it is after unmounting; it is mounted again.
fn leave_and_stay(scene: &mut Scene) -> Result<Vec<u8>, Failed> {
    let remount =
        |volume: &mut Volume<TestDisk>, access| volume.remount(access, NOW).map_err(words);
    remount(&mut scene.volume, Access::ReadOnly)?;
    let bytes = scene.volume.disk().bytes();
    remount(&mut scene.volume, Access::ReadWrite)?;
    Ok(bytes)
}

pub(crate) fn inodes_run_out(format: Format) -> Result<(), Failed> {
    let mut scene = begin(format)?;
    let before = scene.volume.statistics().map_err(words)?;
    let full = (0..).find_map(|index| create(&mut scene, format!("file{index}")).err());
    assert_eq!(full, Some(Error::NoSpace));
    assert_eq!(scene.volume.statistics().map_err(words)?.free_inodes, 0);
    compare(&scene.volume, &scene.model);
    tools::check(&leave_and_stay(&mut scene)?)?;
    remove_all(&mut scene).map_err(words)?;
    let after = scene.volume.statistics().map_err(words)?;
    assert_eq!(after.free_inodes, before.free_inodes);
    tools::check(&leave(scene.volume)?)
}

/// A partial write ends at a page, and says how much there was room for.
pub(crate) fn a_large_request_gets_what_there_is(format: Format) -> Result<(), Failed> {
    let mut scene = begin(format)?;
    let number = create(&mut scene, "file".into()).map_err(words)?;
    let length = format.kilobytes * 1024;
    let backed = scene.volume.allocate(number, 0, length).map_err(words)?;
    assert!(
        backed < length && backed.is_multiple_of(PAGE) && backed > length / 2,
        "{backed} bytes of {length}"
    );
    assert_eq!(
        scene.volume.allocate(number, backed, PAGE),
        Err(Error::NoSpace)
    );
    for index in 0..backed / PAGE {
        let page = model::read_page(&scene.volume, number, index).map_err(words)?;
        assert!(page.is_some(), "page {index} has blocks");
    }
    scene.volume.release(number, 0).map_err(words)?;
    tools::check(&leave(scene.volume)?)
}

/// Of a page in the middle of a file, where two blocks are left: else old bytes of the disk would be read in the file.
pub(crate) fn a_page_gets_all_blocks_or_none(format: Format) -> Result<(), Failed> {
    let mut scene = begin(format)?;
    let block = u64::from(format.block_size);
    let sparse = create(&mut scene, "sparse".into()).map_err(words)?;
    // With an index block already, which would take one more.
    scene.write_bytes(sparse, 30 * PAGE, &[1]).map_err(words)?;
    let filler = create(&mut scene, "filler".into()).map_err(words)?;
    let volume = &scene.volume;
    let full = (0..).find(|index| volume.allocate(filler, index * block, block).is_err());
    let end = full.ok_or("the volume is endless")? * block;
    volume.release(filler, end - 2 * block).map_err(words)?;
    let left = volume.statistics().map_err(words)?.free_blocks;
    assert_eq!(left, 2);
    for index in [20, 0] {
        assert_eq!(
            volume.allocate(sparse, index * PAGE, PAGE),
            Err(Error::NoSpace)
        );
        let run = volume.map(sparse, index * PAGE, PAGE).map_err(words)?;
        assert_eq!((run.at, run.length), (None, PAGE), "page {index} got some");
        assert_eq!(volume.statistics().map_err(words)?.free_blocks, left);
    }
    volume.release(filler, 0).map_err(words)?;
    tools::check(&leave(scene.volume)?)
}
