//! The power goes at any write: e2fsck repairs the volume, and all that was synced before and not changed since is there.
//!
//! A sync is a moment at which all writes are on the medium. After it the writes of some operations are remembered; then they
//! are played up to each of many points, in order, or with each page of the disk as it was at some moment of its own before that
//! point, which is what a cache of pages and a disk's own cache make of them.
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
    let (mut cuts, mut repairs) = (0, 0);
    for seed in seeds {
        let mut scene = Scene::new(mount(clean.clone())?, seed);
        let mut chance = Random(!seed);
        soil(&scene.volume, &mut chance)?;
        for sync in 0..SYNCS {
            let synced = Synced {
                bytes: scene.volume.disk().bytes(),
                model: scene.model.clone(),
            };
            scene.changes = Changes::default();
            scene.volume.disk().record();
            for _ in 0..STEPS {
                match scene.step() {
                    Ok(()) | Err(ext2::Error::NoSpace) => {}
                    Err(error) => return Err(format!("seed {seed}, sync {sync}: {error}").into()),
                }
            }
            let log = scene.volume.disk().log();
            for _ in 0..CUTS {
                let cut = chance.below(log.len() as u64 + 1) as usize;
                let bytes = match order {
                    Order::AsWritten => in_order(&synced.bytes, &log[..cut]),
                    Order::Any => in_any_order(&synced.bytes, &log[..cut], &mut chance),
                };
                let name = format!(
                    "seed {seed}, sync {sync}, cut after write {cut} of {}",
                    log.len()
                );
                cuts += 1;
                let repaired = judge(&bytes, &synced.model, &scene.changes);
                repairs += u64::from(repaired.map_err(|failed| in_case(&name, &failed))?);
            }
        }
    }
    println!(
        "{order:?}, {} byte blocks: {cuts} cuts, {repairs} repaired",
        format.block_size
    );
    Ok(())
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
    let words = |error: Error| error.to_string();
    let number = volume.create(ROOT, b"soil", &new, NOW).map_err(words)?;
    for index in 0.. {
        let garbage = (0..PAGE / 4).flat_map(|_| (chance.below(4000) as u32).to_le_bytes());
        let page: Vec<u8> = garbage.collect();
        match model::write_page(volume, number, (index, &page), (index + 1) * PAGE) {
            Ok(()) => {}
            Err(Error::NoSpace) => break,
            Err(error) => return Err(words(error).into()),
        }
    }
    volume.unlink(ROOT, b"soil", NOW).map_err(words)?;
    volume.free(number, NOW).map_err(words)?;
    Ok(())
}

/// Repairs the volume and compares; whether there was something to repair.
fn judge(bytes: &[u8], model: &Model, changes: &Changes) -> Result<bool, Failed> {
    let (repaired, words) = tools::repair(bytes)?;
    let volume = mount(repaired)?;
    let unchanged = || compare_unchanged(&volume, model, changes);
    let compared = std::panic::catch_unwind(std::panic::AssertUnwindSafe(unchanged));
    match compared {
        Ok(()) => Ok(words.contains("? yes")),
        Err(_) => Err(format!("what was synced is lost; e2fsck said\n{words}").into()),
    }
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
