//! The power goes at any write: e2fsck repairs the volume, and all that was synced before and not changed since is there.
//!
//! A sync is a moment at which all writes are on the medium. After it the writes of some operations are remembered; then
//! they are played up to each of many points, in order, or with each page of the disk as it was at some moment of its own
//! before that point, which is what a cache of pages and a disk's own cache make of them.
use std::collections::BTreeMap;

use ext2::{Attributes, Error, New, ROOT, Volume};
use libtest_mimic::Failed;

use crate::changes::Changes;
use crate::compare::compare_unchanged;
use crate::disk::{TestDisk, Write};
use crate::failing::in_case;
use crate::model::{self, Model, PAGE};
use crate::operations::mount;
use crate::plan::{NOW, Scene};
use crate::random::Random;
use crate::space::create;
use crate::tools::{self, Format};

/// How the writes since the last sync reach the medium.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    AsWritten,
    /// But for those that went through.
    Any,
}

/// Syncs of a seed, operations after each, and how many cuts are tried of what those wrote.
const SYNCS: u64 = 6;
const STEPS: u64 = 9;
const CUTS: u64 = 6;

/// What is known at a sync.
struct Synced {
    bytes: Vec<u8>,
    model: Model,
}

pub(crate) fn survive(
    format: Format,
    order: Order,
    seeds: std::ops::Range<u64>,
) -> Result<(), Failed> {
    let clean = tools::make(format, None)?;
    let mut repairs = 0;
    let cuts = (seeds.end - seeds.start) * SYNCS * CUTS;
    for seed in seeds {
        let mut scene = Scene::new(mount(clean.clone())?, seed);
        let mut chance = Random(!seed);
        soil(&scene.volume, &mut chance)?;
        for sync in 0..SYNCS {
            let tried = cut(&mut scene, (order, CUTS), &mut chance, |scene| {
                (0..STEPS).try_for_each(|_| scene.step().or_else(full_is_fine))
            });
            let name = format!("seed {seed}, sync {sync}");
            repairs += tried.map_err(|failed| in_case(&name, &failed))?;
        }
    }
    let size = format.block_size;
    println!("{order:?}, {size} byte blocks: {cuts} cuts, {repairs} repaired");
    Ok(())
}

fn full_is_fine(error: Error) -> Result<(), Error> {
    match error {
        Error::NoSpace => Ok(()),
        error => Err(error),
    }
}

/// A sync, then `work`; then so many cuts of what that wrote. How many of them left something to repair.
fn cut(
    scene: &mut Scene,
    (order, cuts): (Order, u64),
    chance: &mut Random,
    work: impl FnOnce(&mut Scene) -> Result<(), Error>,
) -> Result<u64, Failed> {
    let synced = Synced {
        bytes: scene.volume.disk().bytes(),
        model: scene.model.clone(),
    };
    scene.changes = Changes::default();
    scene.volume.disk().record();
    work(scene).map_err(words)?;
    let log = scene.volume.disk().log();
    let mut repairs = 0;
    for _ in 0..cuts {
        let cut = chance.below(log.len() as u64 + 1) as usize;
        let bytes = match order {
            Order::AsWritten => in_order(&synced.bytes, &log[..cut]),
            Order::Any => in_any_order(&synced.bytes, &log[..cut], chance),
        };
        let name = format!("cut after write {cut} of {}", log.len());
        let repaired = judge(&bytes, order, &synced.model, &scene.changes);
        repairs += u64::from(repaired.map_err(|failed| in_case(&name, &failed))?);
    }
    Ok(repairs)
}

fn words(error: Error) -> Failed {
    error.to_string().into()
}

/// A file loses all that is behind its last index block, and another gets that, index block included, since nothing else is
/// free: what the first has left must not go with it.
pub(crate) fn a_freed_index_block_is_reused(format: Format) -> Result<(), Failed> {
    let mut scene = Scene::new(mount(tools::make(format, None)?)?, 0);
    let mut chance = Random(1);
    soil(&scene.volume, &mut chance)?;
    let [long, filler, next] =
        ["long", "filler", "next"].map(|name| create(&mut scene, name.into()));
    let (long, filler, next) = (
        long.map_err(words)?,
        filler.map_err(words)?,
        next.map_err(words)?,
    );
    let block = u64::from(format.block_size);
    let (start, per_index) = (12 + block / 4, block / 4);
    let some = vec![3; 24 * block as usize];
    for first in [start, start + per_index] {
        scene
            .write_bytes(long, first * block, &some)
            .map_err(words)?;
    }
    scene.write_bytes(filler, 0, &[4]).map_err(words)?;
    let fill = |index: &u64| scene.volume.allocate(filler, index * block, block).is_err();
    let full = (0..).find(fill).ok_or("the volume is endless")?;
    scene
        .volume
        .set_size(filler, full * block, NOW)
        .map_err(words)?;
    scene.changes.removed.insert(filler);
    scene.model.nodes.remove(&filler);
    scene.model.entries_mut(ROOT).remove(b"filler".as_slice());
    cut(&mut scene, (Order::Any, 40), &mut chance, |scene| {
        scene.truncate_to(long, (start + per_index) * block)?;
        let full = (0..).find_map(|index| {
            scene
                .write_bytes(next, index * PAGE, &[5; PAGE as usize])
                .err()
        });
        full.map_or(Ok(()), full_is_fine)
    })
    .map(drop)
}

/// Fills what is free with what e2fsck would take for pointers, wrong ones and right ones: no block is zeroes by chance.
fn soil(volume: &Volume<TestDisk>, chance: &mut Random) -> Result<(), Failed> {
    let attributes = Attributes {
        mode: 0o100_600,
        ..Attributes::default()
    };
    let new = New {
        attributes,
        target: b"",
        device: (0, 0),
    };
    let number = volume.create(ROOT, b"soil", &new, NOW).map_err(words)?;
    for index in 0.. {
        let garbage = (0..PAGE / 4).flat_map(|_| (chance.below(4000) as u32).to_le_bytes());
        let page: Vec<u8> = garbage.collect();
        match model::write_page(volume, number, (index, &page), (index + 1) * PAGE) {
            Ok(()) => {}
            Err(Error::NoSpace) => break,
            Err(error) => return Err(words(error)),
        }
    }
    volume.unlink(ROOT, b"soil", NOW).map_err(words)?;
    volume.free(number, NOW).map_err(words)?;
    Ok(())
}

/// Repairs the volume and compares; whether there was something to repair.
fn judge(bytes: &[u8], order: Order, model: &Model, changes: &Changes) -> Result<bool, Failed> {
    let (repaired, words) = tools::repair(bytes)?;
    if order == Order::AsWritten && contradicts_itself(&words) {
        return Err(format!("the order was wrong; e2fsck said\n{words}").into());
    }
    let volume = mount(repaired)?;
    let unchanged = || compare_unchanged(&volume, model, changes);
    let compared = std::panic::catch_unwind(std::panic::AssertUnwindSafe(unchanged));
    match compared {
        Ok(()) => Ok(words.contains("? yes")),
        Err(_) => Err(format!("what was synced is lost; e2fsck said\n{words}").into()),
    }
}

/// Whether e2fsck found what there can't be in the order of writing: a block or inode in use that a bitmap calls free, one
/// that two have, or one that is pointed to and holds something else yet.
fn contradicts_itself(words: &str) -> bool {
    let has = |word: &&str| words.contains(*word);
    let mut differences = words
        .lines()
        .filter(|line| line.contains("bitmap differences:"));
    ["corrupted", "Missing '.", "llegal block", "ultiply-claimed"]
        .iter()
        .any(has)
        || differences.any(|line| line.contains(" +"))
}

fn in_order(synced: &[u8], log: &[Write]) -> Vec<u8> {
    let mut bytes = synced.to_vec();
    for write in log {
        bytes[write.at..write.at + write.bytes.len()].copy_from_slice(&write.bytes);
    }
    bytes
}

/// Each page of the disk as it was after some of its writes: at least up to the last that went through.
fn in_any_order(synced: &[u8], log: &[Write], chance: &mut Random) -> Vec<u8> {
    let page = PAGE as usize;
    let mut writes: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (index, write) in log.iter().enumerate() {
        let last = write.at + write.bytes.len() - 1;
        for number in write.at / page..=last / page {
            writes.entry(number).or_default().push(index);
        }
    }
    let mut bytes = synced.to_vec();
    for (number, indices) in writes {
        let through = indices.iter().rposition(|&index| log[index].is_through);
        let least = through.map_or(0, |at| at + 1);
        let most = indices.len();
        let count = match chance.below(3) {
            0 => least,
            1 => most,
            _ => least + chance.below((most - least) as u64 + 1) as usize,
        };
        for &index in &indices[..count] {
            let write = &log[index];
            let start = write.at.max(number * page);
            let end = (write.at + write.bytes.len()).min((number + 1) * page);
            bytes[start..end].copy_from_slice(&write.bytes[start - write.at..end - write.at]);
        }
    }
    bytes
}
