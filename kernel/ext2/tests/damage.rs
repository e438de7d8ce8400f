//! Images that lie: random bytes where the superblock, descriptors, bitmaps, inodes, folders and index blocks are. Whatever
//! the file system is asked then, it answers, in a bounded number of requests; it never panics.
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ext2::{Access, Attributes, Error, Kind, Name, New, ROOT, Volume};
use libtest_mimic::Failed;

use crate::disk::TestDisk;
use crate::model::{self, PAGE};
use crate::operations::{leave, mount};
use crate::plan::{NOW, Scene};
use crate::random::Random;
use crate::tools::{self, Format};

/// Requests after which something is called endless: the worst honest case here needs a twentieth.
const MOST_REQUESTS: u64 = 3_000_000;

/// Inodes that are looked at.
const MOST_INODES: usize = 200;

/// What the exercise reached, so that the damage is not such that nothing works.
#[derive(Default)]
struct Reached {
    mounted: u64,
    read: u64,
    written: u64,
}

pub(crate) fn survive(format: Format, cases: std::ops::Range<u64>) -> Result<(), Failed> {
    let image = filled(format)?;
    let mut reached = Reached::default();
    for case in cases.clone() {
        let mut random = Random(case);
        let mut bytes = image.clone();
        damage(&mut bytes, format, &mut random);
        let exercised = catch_unwind(AssertUnwindSafe(|| {
            exercise(bytes, &mut random, &mut reached)
        }));
        exercised.map_err(|_| format!("case {case}: a panic, see above"))?;
    }
    let Reached {
        mounted,
        read,
        written,
    } = reached;
    let cases = cases.end - cases.start;
    println!("{cases} damaged images: {mounted} mounted, {read} answers, {written} changes made");
    assert!(
        mounted > cases / 3,
        "too much damage: {mounted} of {cases} were mounted"
    );
    Ok(())
}

/// A volume with some of everything.
fn filled(format: Format) -> Result<Vec<u8>, Failed> {
    let mut scene = Scene::new(mount(tools::make(format, None)?)?, 1);
    for _ in 0..150 {
        // What does not fit is left out.
        let _ = scene.step();
    }
    let files = scene
        .model
        .numbers(|node| matches!(node.content, model::Content::File { .. }));
    for (&number, offset) in files.iter().zip([0, 300 * 1024, 66 << 20]) {
        let _ = scene.write_bytes(number, offset, &[9; 30_000]);
    }
    leave(scene.volume)
}

/// Changes a few bytes of what matters.
fn damage(bytes: &mut [u8], format: Format, random: &mut Random) {
    let block = u64::from(format.block_size);
    let descriptors = if block == 1024 { 2048 } else { block };
    let table_at = descriptors as usize + 8;
    let table = u32::from_le_bytes([
        bytes[table_at],
        bytes[table_at + 1],
        bytes[table_at + 2],
        bytes[table_at + 3],
    ]);
    let table = u64::from(table) * block;
    let all = bytes.len() as u64;
    let (start, length) = match random.below(10) {
        0 => (1024, 264),
        1 => (descriptors, 96),
        2 => (descriptors + block, 3 * block),
        3..7 => (table, 48 * 128),
        7 => (table + 128, 128),
        _ => (table, all - table),
    };
    if random.chance(10) {
        // Nothing but noise for an inode, or more.
        let length = random.pick(&[128, 1024]).min(length);
        let at = start + random.below(length);
        let noise = at as usize..(at + length).min(all) as usize;
        bytes[noise].fill_with(|| random.below(256) as u8);
    }
    for _ in 0..1 + random.below(8) {
        let at = (start + random.below(length)).min(all - 4) as usize;
        match random.below(5) {
            0 => bytes[at] = 0xff,
            1 => bytes[at] = 0,
            2 => bytes[at] ^= 1 << random.below(8),
            3 => bytes[at] = random.below(256) as u8,
            // A number that could be a block or an inode.
            _ => bytes[at & !3..][..4].copy_from_slice(&(random.below(1600) as u32).to_le_bytes()),
        }
    }
}

/// Asks everything of the volume.
fn exercise(bytes: Vec<u8>, random: &mut Random, reached: &mut Reached) {
    let disk = TestDisk::new(bytes);
    disk.allow(MOST_REQUESTS);
    let length = disk.length();
    let Ok(volume) = Volume::mount(disk, length, Access::ReadWrite, NOW) else {
        return;
    };
    reached.mounted += 1;
    let mut numbers = vec![(ROOT, ROOT, Vec::new())];
    let mut next = 0;
    while let Some((_, number, _)) = numbers.get(next).cloned() {
        next += 1;
        let _ = volume.list(number, 0, &mut |entry| {
            if numbers.len() < MOST_INODES {
                numbers.push((number, entry.number, entry.name.to_vec()));
            }
            ControlFlow::Continue(())
        });
        reached.read += u64::from(look_at(&volume, number).is_ok());
    }
    for (folder, number, name) in &numbers {
        reached.written += u64::from(change(&volume, *folder, *number, name, random).is_ok());
    }
    let _ = volume.statistics();
    let _ = volume.unmount(NOW);
}

fn look_at(volume: &Volume<TestDisk>, number: u32) -> Result<(), Error> {
    let inode = volume.inode(number)?;
    match inode.kind {
        Kind::Link => volume.target(number).map(drop),
        Kind::Folder => volume.is_empty(number).map(drop),
        Kind::File => {
            for index in [0, 1, 7, 12, 70, 100, 300, 17_000, inode.size / PAGE] {
                model::read_page(volume, number, index)?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn change(
    volume: &Volume<TestDisk>,
    folder: u32,
    number: u32,
    name: &[u8],
    random: &mut Random,
) -> Result<(), Error> {
    let mode = random.pick(&[0o100_644, 0o040_755, 0o120_777, 0o010_600]);
    let target = [b'x'; 100];
    let new = New {
        attributes: Attributes {
            mode,
            ..Attributes::default()
        },
        target: &target,
        device: (0, 0),
    };
    match random.below(9) {
        0 => volume.create(folder, b"new", &new, NOW).map(drop),
        1 => volume.link(folder, b"another", number, NOW),
        2 => remove(volume, folder, name),
        3 => {
            let to = Name {
                folder: random.pick(&[folder, ROOT, number]),
                name: b"moved",
            };
            volume.rename(Name { folder, name }, to, NOW).map(drop)
        }
        4 => volume.release(number, random.below(1 << 20)),
        5 => {
            volume.set_size(number, random.below(1 << 34), NOW)?;
            volume.release(number, 0)
        }
        6 => volume.change(number, |attributes| attributes.mode = 0),
        7 => volume.free(number, NOW),
        _ => {
            let offset = random.pick(&[0, 50 << 10, 280 << 10, 67 << 20]);
            volume.allocate(number, offset, 3 * PAGE).map(drop)
        }
    }
}

fn remove(volume: &Volume<TestDisk>, folder: u32, name: &[u8]) -> Result<(), Error> {
    let removed = match volume.unlink(folder, name, NOW) {
        Err(Error::IsAFolder) => volume.remove_folder(folder, name, NOW)?,
        other => other?,
    };
    volume.free(removed.number, NOW)
}

/// Index blocks that lead back to themselves, three deep: a billion steps for who believes them.
pub(crate) fn a_tree_in_a_circle_ends(format: Format) -> Result<(), Failed> {
    const BLOCK: usize = 400;
    let volume = mount(tools::make(format, None)?)?;
    let created = model::create_file(&volume, b"file", NOW);
    let number = created.map_err(|error| error.to_string())?;
    let image = tools::edit(&leave(volume)?, &format!("setb {BLOCK}"))?;
    let mut image = tools::edit(&image, &format!("sif /file block[TIND] {BLOCK}"))?;
    let size = format.block_size as usize;
    for word in image[BLOCK * size..][..size].chunks_exact_mut(4) {
        word.copy_from_slice(&(BLOCK as u32).to_le_bytes());
    }
    let volume = mount(image)?;
    let far = (12 + 256 + 256 * 256) * u64::from(format.block_size);
    let run = volume.map(number, far, 1);
    assert!(
        run.is_ok_and(|run| run.at == Some((BLOCK * size) as u64)),
        "{run:?}"
    );
    volume.disk().allow(10_000);
    assert_eq!(volume.release(number, 0), Err(Error::Corrupt));
    Ok(())
}
