//! Bochs: a second emulator, with an idea of its own of the processor, the clock and the disk. It is slow, so one program
//! and one look at the tour have to do. Where it is not installed, its trial is ignored, and says so.
//!
//! What Debian's build needs: a debugger is built in, which waits for the word to go on; the display must take 24 bits a
//! pixel, so SDL draws on its dummy; on the card of Bochs's own the loader picks a mode that it can't write to, on a
//! Cirrus it does not. A tick is an instruction, 120 million of them a second: with fewer, the kernel would take the
//! clock's chip for one that is not there.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use libtest_mimic::Trial;

use crate::needs;
use crate::run::{Input, Running};
use crate::tool::Run;

/// Under load it has been seen to take three minutes.
const LIMIT: Duration = Duration::from_secs(400);

/// What it needs beside itself.
const FILES: [&str; 3] = [
    "/usr/bin/bochs",
    "/usr/share/vgabios/vgabios.cirrus.bin",
    "/usr/lib/x86_64-linux-gnu/bochs/plugins/libbx_sdl2_gui.so",
];

pub(crate) fn trials() -> [Trial; 1] {
    let is_there = FILES.iter().all(|file| Path::new(file).exists());
    let missing = (!is_there).then_some("Bochs is not installed: make bochs does that");
    let name = "bochs::boots_to_the_tour";
    [needs::trial(name, missing, boots_to_the_tour)]
}

fn boots_to_the_tour() -> Result<()> {
    /// What the second stop of the tour says once the first has passed.
    const WANTED: &str = "[2/10] Two processes, one memory";
    let folder = tempfile::tempdir()?;
    let words = ["image", "--no-build", "--output"].map(AsRef::as_ref);
    let target = [folder.path().as_os_str(), "tour".as_ref()];
    Run::new(words.into_iter().chain(target))?
        .end(Input::Nothing)?
        .expect_code(0)?;
    let cylinders = pad(&folder.path().join("faultline.img"))?;
    fs::write(folder.path().join("bochsrc"), configuration(cylinders))?;
    fs::write(folder.path().join("start"), "c\n")?;
    let mut bochs = Command::new(FILES[0]);
    bochs
        .args(["-q", "-f", "bochsrc", "-rc", "start"])
        .env("SDL_VIDEODRIVER", "dummy")
        .current_dir(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut running = Running::start(bochs, Input::Nothing)?;
    let started = Instant::now();
    loop {
        let text = fs::read(folder.path().join("com1")).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        if text.contains(WANTED) {
            ensure!(
                text.contains("each page has a frame of its own now"),
                "{text}"
            );
            return Ok(());
        }
        if running.child.try_wait()?.is_some() || started.elapsed() > LIMIT {
            let log = fs::read_to_string(folder.path().join("log")).unwrap_or_default();
            bail!("Bochs got no further than\n{text}\n--- its own log\n{log}");
        }
        thread::sleep(Duration::from_millis(200));
    }
}

/// Makes an image as long as a disk of whole cylinders, and says how many those are.
fn pad(image: &Path) -> Result<u64> {
    const CYLINDER: u64 = 16 * 63 * 512;
    let file = fs::OpenOptions::new().write(true).open(image)?;
    let cylinders = file.metadata()?.len().div_ceil(CYLINDER);
    file.set_len(cylinders * CYLINDER)?;
    Ok(cylinders)
}

fn configuration(cylinders: u64) -> String {
    format!(
        "config_interface: textconfig
display_library: sdl2
memory: guest=128, host=128
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/vgabios/vgabios.cirrus.bin
vga: extension=cirrus, update_freq=1
pci: enabled=1, chipset=i440fx, slot1=cirrus
cpu: model=corei7_haswell_4770, count=1, ips=120000000, reset_on_triple_fault=0
clock: sync=none, time0=utc
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=disk, path=faultline.img, mode=flat, cylinders={cylinders}, heads=16, spt=63
ata1: enabled=0
boot: disk
com1: enabled=1, mode=file, dev=com1
panic: action=fatal
error: action=ignore
info: action=ignore
log: log
"
    )
}
