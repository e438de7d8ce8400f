//! What QEMU is told, word by word.
use super::*;
use crate::cli::Cli;
use clap::Parser;

fn line(options: &str) -> Result<String> {
    let cli = Cli::try_parse_from(std::iter::once("boot").chain(options.split_whitespace()))?;
    let machine = &cli.run.machine;
    check(machine)?;
    let wires = Numbers {
        log: 3,
        code: 4,
        ending: 5,
        control: 6,
    };
    let disk = Disk::Built("/tmp/a,b.img".into());
    let words = arguments(machine, None, &disk, wires, Ending::ByKernel);
    Ok(words
        .join(&OsString::from(" "))
        .to_string_lossy()
        .into_owned())
}

#[test]
fn the_default_machine_is_the_documented_one() -> Result<()> {
    let line = line("")?;
    for part in [
        "-machine pc,accel=tcg",
        "-cpu max",
        "-smp 1",
        "-m 1024M",
        "-display none",
        "-no-reboot",
        "-S",
    ] {
        assert!(line.contains(part), "{part} is not in: {line}");
    }
    assert!(line.contains("file=/tmp/a,,b.img"), "{line}");
    Ok(())
}

#[test]
fn what_is_asked_for_reaches_qemu() -> Result<()> {
    let line = line("--machine q35 --cpus 4 --memory 64M --cpu qemu64 --display=sdl --gdb")?;
    for part in [
        "-machine q35,",
        "-smp 4",
        "-m 64M",
        "-cpu qemu64",
        "-display sdl",
        " -s",
    ] {
        assert!(line.contains(part), "{part} is not in: {line}");
    }
    Ok(())
}

#[test]
fn what_overfills_a_machine_is_refused_before_it_starts() -> Result<()> {
    const MEBIBYTE: u64 = 1 << 20;
    for (options, archive, is_taken) in [
        ("--memory 24M", 5 * MEBIBYTE, true),
        ("--memory 24M", 5 * MEBIBYTE + 1, false),
        ("--memory 64M", 45 * MEBIBYTE, true),
        // UEFI's loader asks the firmware for memory, and says so if it gets none.
        ("--uefi --memory 56M", 50 * MEBIBYTE, true),
    ] {
        let words = std::iter::once("boot").chain(options.split_whitespace());
        let machine = Cli::try_parse_from(words)?.run.machine;
        let room = check_room(&machine, MEBIBYTE, archive);
        assert_eq!(room.is_ok(), is_taken, "{options}, {archive}: {room:?}");
    }
    Ok(())
}

#[test]
fn disks_can_be_read_only_and_errors_are_theirs() -> Result<()> {
    let line = line("--disk x,y.img --disk z.img --bad-sector 77 --slow-disk 9")?;
    let drive = "if=none,id=disk0,format=raw,readonly=on,throttling.iops-read=9,throttling.iops-write=9,\
                 file.driver=blkdebug,file.inject-error.0.event=none,file.inject-error.0.iotype=read,\
                 file.inject-error.0.sector=77,file.image.filename=x,,y.img";
    for part in [
        drive,
        "virtio-blk-pci,drive=disk0",
        "virtio-blk-pci,drive=disk1",
    ] {
        assert!(line.contains(part), "{part} is not in: {line}");
    }
    Ok(())
}

#[test]
fn all_sectors_can_fail() -> Result<()> {
    let line = line("--disk-write y --bad-write-sector all")?;
    let y = "file.driver=blkdebug,file.inject-error.0.event=none,\
             file.inject-error.0.iotype=write,file.image.filename=y";
    assert!(line.contains(y), "{line}");
    Ok(())
}

#[test]
fn only_what_is_written_is_logged() -> Result<()> {
    let line = line("--disk x --disk-write y,z --write-log l,m")?;
    let x = "if=none,id=disk0,format=raw,readonly=on,file=x";
    let y = "if=none,id=disk1,format=raw,file.driver=blklogwrites,file.file.cache.no-flush=on,\
             file.log.cache.no-flush=on,file.file.filename=y,,z,file.log.filename=l,,m";
    for part in [x, y] {
        assert!(line.contains(part), "{part} is not in: {line}");
    }
    Ok(())
}

#[test]
fn only_a_disk_that_was_given_to_be_written_can_be() -> Result<()> {
    let line = line("--disk x --disk-write y --bad-sector 7 --bad-write-sector 8")?;
    let x = "id=disk0,format=raw,readonly=on,file.driver=blkdebug,\
             file.inject-error.0.event=none,file.inject-error.0.iotype=read,\
             file.inject-error.0.sector=7,file.image.filename=x";
    let y = "id=disk1,format=raw,file.driver=blkdebug,\
             file.inject-error.0.event=none,file.inject-error.0.iotype=read,file.inject-error.0.sector=7,\
             file.inject-error.1.event=none,file.inject-error.1.iotype=write,file.inject-error.1.sector=8,\
             file.image.filename=y";
    for part in [x, y] {
        assert!(line.contains(part), "{part} is not in: {line}");
    }
    Ok(())
}

#[test]
fn machines_that_cannot_work_are_refused() {
    for options in [
        "--icount",
        "--memory 24M",
        "--uefi --memory 56M",
        "--uefi --video none",
        "--video cirrus",
    ] {
        assert!(line(options).is_ok(), "{options} is refused");
    }
    for options in [
        "--icount --cpus 2",
        "--memory 23M",
        "--uefi --memory 55M",
        "--video none",
        "--video bochs",
    ] {
        assert!(line(options).is_err(), "{options} is accepted");
    }
}
