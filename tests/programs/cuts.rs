//! The power goes, at any write: e2fsck finds nothing that plain ext2 does not leave behind, and all that fsync and
//! msync(MS_SYNC) promised is there.
//!
//! A machine works through a plan of steps and says what it was promised; QEMU logs each write and each flush of its disk.
//! So one boot has as many cuts as writes: up to any moment of the log the disk is made again, with all that was written,
//! or with any part of what no flush had made certain, as a disk with a cache of its own may leave it. Other machines are
//! killed.

mod chance;
mod findings;
mod log;
mod machine;
mod model;
mod recording;
mod tree;
#[path = "../../userspace/programs/src/cuts.rs"]
#[expect(unreachable_pub, reason = "in the program it is a library's")]
mod workload;

use std::fmt;
use std::fs;
use std::ops::Range;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use libtest_mimic::Trial;

use crate::e2fs::{e2fs, missing, perform};
use crate::needs;
use crate::run::{self, Input};
use crate::tool::{self, LATEST, Run};
use crate::transcript;

use chance::Chance;
use machine::{MIDDLING, Machine, NVME, Started, VIRTIO, format, memory_folder};
use model::Model;
use recording::{Loss, Recording};
use tree::Tree;
use workload::{Plan, Step};

/// Steps of a machine.
const STEPS: u32 = 400;

/// Cuts between two promises.
const BETWEEN: [Loss; 2] = [Loss::Nothing, Loss::Unflushed];

/// Of a recording's cuts the kernel looks at so many, each of so many.
const SAMPLES: usize = 6;
const SAMPLE_EVERY: usize = 17;

/// Whether e2fsck was at a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Cut,
    Repaired,
}

pub(crate) fn trials() -> Vec<Trial> {
    let missing = missing();
    let trial =
        |name: &str, body: fn() -> Result<()>| needs::trial(format!("cut::{name}"), missing, body);
    vec![
        trial("linux_leaves_what_the_model_says", linux_agrees),
        trial("promises_outlive_power_by_virtio", || survives(VIRTIO, 1)),
        trial("promises_outlive_power_by_nvme", || survives(NVME, 1001)),
        trial("promises_outlive_power_in_blocks_of_2048", || {
            survives(MIDDLING, 2001)
        }),
        trial("promises_outlive_qemu", kills),
    ]
}

/// Seeds of a trial that begins with `first`.
fn seeds(first: u64) -> Range<u64> {
    let runs = std::env::var("CUT_RUNS").ok();
    let runs = runs.and_then(|runs| runs.parse().ok()).unwrap_or(1);
    first..first + runs
}

fn steps(seed: u64) -> impl Iterator<Item = (u32, Step)> {
    (0..STEPS).zip(Plan::new(seed))
}

/// The program on Linux leaves exactly what the model says, and stops where it says.
fn linux_agrees() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut command = Command::new(tool::program("cuts")?);
    let words = ["1".to_owned(), STEPS.to_string()];
    command.arg0("cuts").args(words).current_dir(folder.path());
    let answers = vec![b'\n'; STEPS as usize];
    let ended = run::together(command, Input::Bytes(answers), LATEST)?;
    let image = folder.path().join("volume.img");
    let mut make = e2fs("mke2fs");
    make.args(["-q", "-t", "ext2", "-b", "1024", "-d"]);
    let tree = folder.path().join("tree");
    fs::create_dir(&tree)?;
    for entry in fs::read_dir(folder.path())?.collect::<Result<Vec<_>, _>>()? {
        if entry.path() != tree {
            fs::rename(entry.path(), tree.join(entry.file_name()))?;
        }
    }
    perform(make.arg(&tree).arg(&image).arg("3M"))?;
    let mut model = Model::new();
    let mut printed = String::new();
    for (number, step) in steps(1) {
        model.begin(number, step);
        if step.is_acknowledged() {
            printed += &format!("{number}\n");
        }
    }
    model.acknowledge(Step::SyncAll);
    ensure!(
        ended.output == (printed + "all\n").as_bytes(),
        "it stops elsewhere"
    );
    model.check(&Tree::read(&fs::read(image)?)?, State::Cut)
}

/// Cuts at each promise, and at others in between; then the kernel looks at some of what they left.
fn survives(machine: Machine, first: u64) -> Result<()> {
    for seed in seeds(first) {
        let recording = Recording::make(machine, seed)?;
        let mut trial = Cuts::new(&recording, seed);
        let tried = trial.all().and_then(|()| trial.show(machine));
        tried.with_context(|| format!("seed {seed}"))?;
        println!("seed {seed}: {trial}");
    }
    Ok(())
}

/// The cuts of a recording.
struct Cuts<'a> {
    recording: &'a Recording,
    seed: u64,
    chance: Chance,
    tried: usize,
    /// Disks as cuts left them, and what the kernel shall see there.
    samples: Vec<(Vec<u8>, String)>,
}

impl fmt::Display for Cuts<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (promises, records) = (&self.recording.promises, &self.recording.records);
        let (tried, promises, records) = (self.tried, promises.len(), records.len());
        write!(
            out,
            "{tried} cuts, {promises} promises, {records} writes and flushes"
        )
    }
}

impl<'a> Cuts<'a> {
    fn new(recording: &'a Recording, seed: u64) -> Self {
        Self {
            recording,
            seed,
            chance: Chance(!seed),
            tried: 0,
            samples: Vec::new(),
        }
    }

    fn all(&mut self) -> Result<()> {
        let mut model = Model::new();
        let mut plan = steps(self.seed).peekable();
        let mut start = 0;
        for &(promise, length) in &self.recording.promises {
            let mut doing = Vec::new();
            while let Some((number, step)) = plan.next_if(|(number, _)| *number <= promise) {
                model.begin(number, step);
                doing.push(step);
            }
            let records = &self.recording.records;
            let end = records.partition_point(|record| record.end <= length);
            for loss in BETWEEN {
                let cut = start + self.chance.below((end - start + 1) as u64) as usize;
                let tried = self.cut(cut, loss, &model);
                tried.with_context(|| format!("before the end of {doing:?}"))?;
            }
            let last = doing.last().context("a promise without a step")?;
            model.acknowledge(*last);
            let tried = self.cut(end, Loss::Unflushed, &model);
            tried.with_context(|| format!("right after {doing:?}"))?;
            start = end;
        }
        Ok(())
    }

    /// Judges the disk as it is then, before and after e2fsck repairs it.
    fn cut(&mut self, cut: usize, loss: Loss, model: &Model) -> Result<()> {
        let disk = self.recording.disk(cut, loss, &mut self.chance);
        let tree = judge(&disk, &self.recording.image(), model);
        let count = self.recording.records.len();
        let tree = tree.with_context(|| format!("cut {cut} of {count}, losing {loss:?}"))?;
        self.tried += 1;
        let is_sample = self.samples.len() < SAMPLES && self.tried.is_multiple_of(SAMPLE_EVERY);
        if let Some(shown) = tree.shown().filter(|_| is_sample) {
            self.samples.push((disk, shown));
        }
        Ok(())
    }

    /// The kernel reads the same from them.
    fn show(&self, machine: Machine) -> Result<()> {
        let folder = tempfile::tempdir()?;
        let mut words = vec![machine.option.to_owned()];
        let mut program = vec!["--".to_owned(), "cuts".to_owned(), "look".to_owned()];
        let mut expected = String::new();
        for (name, (disk, shown)) in ('a'..).zip(&self.samples) {
            let file = folder.path().join(format!("{name}.img"));
            fs::write(&file, disk)?;
            words.extend(["--disk".to_owned(), file.to_string_lossy().into_owned()]);
            program.push(format!("/dev/vd{name}"));
            expected += &format!("/dev/vd{name}:\n{shown}");
        }
        let booted = Run::boot(words.into_iter().chain(program))?.end(Input::Nothing)?;
        booted.expect_code(0)?;
        match transcript::difference(expected.as_bytes(), &booted.ended.output) {
            Some(difference) => bail!("{difference}{}", booted.report()),
            None => Ok(()),
        }
    }
}

/// Judges a disk before and after e2fsck repairs it; what is there before.
fn judge(disk: &[u8], image: &Path, model: &Model) -> Result<Tree> {
    fs::write(image, disk)?;
    let (found, said) = check("-fn", image)?;
    findings::judge(&said)?;
    let tree = Tree::read(disk)?;
    model.check(&tree, State::Cut).context(said)?;
    if found == Some(0) {
        return Ok(tree);
    }
    let (code, repairing) = check("-fy", image)?;
    ensure!(code < Some(4), "e2fsck can't repair it:\n{repairing}");
    let repaired = Tree::read(&fs::read(image)?)?;
    let checked = model.check(&repaired, State::Repaired);
    checked.context(repairing).context("after the repair")?;
    Ok(tree)
}

/// What e2fsck ends with, and says.
fn check(option: &str, image: &Path) -> Result<(Option<i32>, String)> {
    let mut command = e2fs("e2fsck");
    let output = command.arg(option).arg(image).env("LC_ALL", "C").output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok((output.status.code(), said))
}

/// Machines whose QEMU is killed, at any moment of their work: what it was told by then is in the file.
fn kills() -> Result<()> {
    const KILLS: u64 = 3;
    let runs = seeds(3001);
    for seed in runs.start..runs.start + (runs.end - runs.start) * KILLS {
        let mut chance = Chance(seed);
        let folder = memory_folder()?;
        let image = folder.path().join("volume.img");
        format(&image, VIRTIO.block_size)?;
        let mut started = Started::new(VIRTIO, seed, &image, &[])?;
        let mut promised = None;
        for _ in 0..1 + chance.below(40) {
            promised = Some(started.promise()?.context("it ends too soon")?);
            started.go_on()?;
        }
        thread::sleep(Duration::from_micros(chance.below(20_000)));
        started.kill()?;
        // What it still said before it was gone is promised too, and the next promise was on its way.
        while let Ok(Some(number)) = started.promise() {
            promised = Some(number);
        }
        let model = model_at(seed, promised);
        let judged = judge(&fs::read(&image)?, &image, &model);
        judged.with_context(|| format!("seed {seed}, killed after step {promised:?}"))?;
    }
    Ok(())
}

/// What must be there after the promise of step `promised`, wherever work before the next one may be.
fn model_at(seed: u64, promised: Option<u32>) -> Model {
    let mut model = Model::new();
    for (number, step) in steps(seed) {
        model.begin(number, step);
        if step.is_acknowledged() && Some(number) > promised {
            break;
        }
        if step.is_acknowledged() {
            model.acknowledge(step);
        }
    }
    model
}
