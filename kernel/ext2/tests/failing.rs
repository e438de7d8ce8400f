//! A request to the disk, or an allocation, fails in the middle of an operation: that is an error and never a panic, what
//! the operation was not about is untouched, and the volume goes on.
use std::collections::BTreeMap;

use ext2::{Error, New, Volume};
use libtest_mimic::Failed;

use crate::changes::Changes;
use crate::compare::compare_unchanged;
use crate::disk::{Request, TestDisk};
use crate::heap;
use crate::model::{Content, Node};
use crate::operations::mount;
use crate::plan::{NOW, Scene};
use crate::random::Random;
use crate::tools::{self, SMALL};

/// What fails.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    Read,
    Write,
    Memory,
}

/// How many operations of each seed; about half of them meet the fault.
const STEPS: u64 = 110;

/// Of how many seeds.
const SEEDS: u64 = 3;

pub(crate) fn survive(fault: Fault) -> Result<(), Failed> {
    let clean = tools::make(SMALL, None)?;
    let (mut failures, mut repairs) = (0, 0);
    for seed in 0..SEEDS {
        let mut scene = Scene::new(mount(clean.clone())?, seed);
        for step in 0..STEPS {
            let name = format!("seed {seed}, step {step}");
            let before = (
                scene.volume.disk().bytes(),
                scene.model.clone(),
                scene.random.0,
            );
            scene.changes = Changes::default();
            let mut chance = Random(seed << 32 | step);
            arm(&scene.volume, fault, &mut chance);
            let result = scene.step();
            if disarm(&scene.volume) {
                failures += 1;
                repairs += u64::from(
                    judge(&scene, &before.1, result).map_err(|failed| in_case(&name, &failed))?,
                );
                scene.volume = mount(before.0)?;
                (scene.model, scene.random) = (before.1, Random(before.2));
                continue;
            }
            expect_work(result).map_err(|failed| in_case(&name, &failed))?;
        }
    }
    println!("{fault:?}: {failures} operations failed, {repairs} of them left work for e2fsck");
    assert!(failures > STEPS, "only {failures} operations failed");
    Ok(())
}

pub(crate) fn in_case(name: &str, failed: &Failed) -> Failed {
    format!("{name}: {}", failed.message().unwrap_or_default()).into()
}

fn arm(volume: &Volume<TestDisk>, fault: Fault, chance: &mut Random) {
    let range = chance.below(60) + 1;
    let count = chance.below(range);
    match fault {
        Fault::Read => volume.disk().fail_after(Request::Read, count),
        Fault::Write => volume.disk().fail_after(Request::Write, count),
        Fault::Memory => heap::fail_after(count % 6),
    }
}

/// Whether something failed.
fn disarm(volume: &Volume<TestDisk>) -> bool {
    volume.disk().heal() | heap::heal()
}

fn expect_work(result: Result<(), Error>) -> Result<(), Failed> {
    match result {
        Ok(()) | Err(Error::NoSpace) => Ok(()),
        Err(error) => Err(error.to_string().into()),
    }
}

/// The operation failed: looks at what is left, and whether it can be worked with. Returns whether there was something to
/// repair.
fn judge(
    scene: &Scene,
    before: &crate::model::Model,
    result: Result<(), Error>,
) -> Result<bool, Failed> {
    if let Err(error) = result
        && !matches!(error, Error::Io | Error::OutOfMemory | Error::NoSpace)
    {
        return Err(format!("the operation failed with {error}").into());
    }
    compare_unchanged(&scene.volume, before, &scene.changes);
    go_on(&scene.volume)?;
    let (repaired, words) = tools::repair(&scene.volume.disk().bytes())?;
    let volume = mount(repaired)?;
    compare_unchanged(&volume, before, &scene.changes);
    Ok(words.contains("? yes"))
}

/// The volume can still be written to.
fn go_on(volume: &Volume<TestDisk>) -> Result<(), Failed> {
    let attributes = ext2::Attributes {
        mode: 0o100_600,
        ..Default::default()
    };
    let new = New {
        attributes,
        target: b"",
        device: (0, 0),
    };
    let number = match volume.create(ext2::ROOT, b"afterwards", &new, NOW) {
        Ok(number) => number,
        Err(Error::NoSpace) => return Ok(()),
        Err(error) => return Err(format!("afterwards: {error}").into()),
    };
    let mut node = Node::new(
        Content::File {
            size: 0,
            pages: BTreeMap::new(),
        },
        0o600,
    );
    let Content::File { size, pages } = &mut node.content else {
        return Ok(());
    };
    let file = (number, size, pages);
    let written = crate::model::write(volume, file, 0, &[7; 9000], NOW).1;
    expect_work(written)
}
