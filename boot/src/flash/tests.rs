//! Made-up machines: a folder that looks like `/sys` and `/proc`, and what may be written to on it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::Result;
use tempfile::TempDir;

use super::disk::{self, Disk, Number, size};
use super::{Audience, Target, with_rights};

/// A machine with a built-in NVMe disk that it runs from, and a stick in `sdb`.
struct Machine(TempDir);

const STICK: Number = Number(8, 16);

impl Machine {
    fn new() -> Result<Self> {
        let machine = Self(TempDir::new()?);
        machine.disk("nvme0n1", "259:0", "0")?;
        machine.partition("nvme0n1", "nvme0n1p1", "259:1")?;
        machine.disk("sdb", "8:16", "1")?;
        machine.partition("sdb", "sdb1", "8:17")?;
        machine.set("sys/devices/sdb/device/vendor", "SanDisk \n")?;
        machine.set("sys/devices/sdb/device/model", "Cruzer Blade    \n")?;
        let root = "22 1 259:1 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p1 rw";
        machine.set("proc/self/mountinfo", root)?;
        machine.set("proc/swaps", "Filename Type Size Used Priority\n")?;
        Ok(machine)
    }

    fn set(&self, file: &str, text: &str) -> Result<()> {
        let file = self.0.path().join(file);
        fs::create_dir_all(file.parent().unwrap_or(Path::new("")))?;
        Ok(fs::write(file, text)?)
    }

    fn node(&self, folder: &str, number: &str) -> Result<()> {
        self.set(&format!("{folder}/dev"), &format!("{number}\n"))?;
        let numbers = self.0.path().join("sys/dev/block");
        fs::create_dir_all(&numbers)?;
        Ok(symlink(
            Path::new("../../..").join(folder),
            numbers.join(number),
        )?)
    }

    fn disk(&self, name: &str, number: &str, removable: &str) -> Result<()> {
        let folder = format!("sys/devices/{name}");
        for (file, text) in [
            ("size", "30000000"),
            ("ro", "0"),
            ("removable", removable),
            ("device/type", "0"),
        ] {
            self.set(&format!("{folder}/{file}"), &format!("{text}\n"))?;
        }
        self.node(&folder, number)
    }

    fn partition(&self, disk: &str, name: &str, number: &str) -> Result<()> {
        let folder = format!("sys/devices/{disk}/{name}");
        self.set(&format!("{folder}/partition"), "1\n")?;
        self.node(&folder, number)
    }

    /// Something that LVM, RAID or encryption makes of a disk or a partition.
    fn holder(&self, of: &str, name: &str, number: &str) -> Result<()> {
        let folder = format!("sys/devices/virtual/{name}");
        self.node(&folder, number)?;
        let holders = self.0.path().join(format!("sys/devices/{of}/holders"));
        fs::create_dir_all(&holders)?;
        let target = self.0.path().join(folder);
        Ok(symlink(target, holders.join(name))?)
    }

    fn find(&self, name: &str, number: Number) -> Result<Disk> {
        disk::find(self.0.path(), number, &Path::new("/dev").join(name))
    }

    /// The sentence by which a disk is refused.
    fn refusal(&self, name: &str, number: Number) -> String {
        match self.find(name, number) {
            Ok(disk) => panic!("{disk} would be written to"),
            Err(error) => format!("{error:#}"),
        }
    }

    fn expect(&self, refusal: &str) {
        assert_eq!(self.refusal("sdb", STICK), refusal);
    }
}

#[test]
fn an_idle_stick_is_taken_and_described() -> Result<()> {
    let disk = Machine::new()?.find("sdb", STICK)?;
    assert_eq!(disk.to_string(), "SanDisk Cruzer Blade, 15 GB, with sdb1");
    assert_eq!(disk.bytes, 15_360_000_000);
    Ok(())
}

#[test]
fn a_memory_card_is_taken_and_built_in_memory_is_not() -> Result<()> {
    let machine = Machine::new()?;
    machine.disk("mmcblk0", "179:0", "0")?;
    machine.set("sys/devices/mmcblk0/device/type", "SD\n")?;
    assert!(machine.find("mmcblk0", Number(179, 0)).is_ok());
    machine.set("sys/devices/mmcblk0/device/type", "MMC\n")?;
    let refusal = machine.refusal("mmcblk0", Number(179, 0));
    assert!(refusal.contains("not removable"), "{refusal}");
    Ok(())
}

#[test]
fn partitions_are_never_taken_for_disks() -> Result<()> {
    let machine = Machine::new()?;
    assert_eq!(
        machine.refusal("sdb1", Number(8, 17)),
        "/dev/sdb1 is a partition of /dev/sdb: name the whole disk"
    );
    assert_eq!(
        machine.refusal("nvme0n1p1", Number(259, 1)),
        "/dev/nvme0n1p1 is a partition of /dev/nvme0n1: name the whole disk"
    );
    Ok(())
}

#[test]
fn the_running_system_is_never_erased() -> Result<()> {
    let machine = Machine::new()?;
    let words = "holds the running system (/ is on nvme0n1p1): name another disk";
    let refusal = machine.refusal("nvme0n1", Number(259, 0));
    assert_eq!(refusal, format!("/dev/nvme0n1 {words}"));
    // Not even where it runs from a stick.
    machine.set(
        "proc/self/mountinfo",
        "22 1 8:17 / / rw - vfat /dev/sdb1 rw",
    )?;
    machine.expect("/dev/sdb holds the running system (/ is on sdb1): name another disk");
    Ok(())
}

#[test]
fn a_built_in_disk_is_never_erased_even_if_idle() -> Result<()> {
    let machine = Machine::new()?;
    machine.disk("sda", "8:0", "0")?;
    assert_eq!(
        machine.refusal("sda", Number(8, 0)),
        "/dev/sda is not removable, so it may be a disk that this machine needs: name a stick"
    );
    Ok(())
}

#[test]
fn a_mounted_stick_is_never_erased() -> Result<()> {
    let machine = Machine::new()?;
    let words = "is in use: sdb1 is mounted at /media/my stick";
    let refusal = format!("/dev/sdb {words}; run umount /media/my stick, then try again");
    let line = r"40 22 8:17 / /media/my\040stick rw - vfat /dev/sdb1 rw";
    machine.set("proc/self/mountinfo", line)?;
    machine.expect(&refusal);
    // Some file systems have a number of their own, and only name the device.
    let line = r"40 22 0:44 /sub /media/my\040stick rw shared:9 - btrfs /dev/sdb1 rw";
    machine.set("proc/self/mountinfo", line)?;
    machine.expect(&refusal);
    Ok(())
}

#[test]
fn swap_space_is_never_erased() -> Result<()> {
    let machine = Machine::new()?;
    machine.set(
        "proc/swaps",
        "Filename Type\n/dev/sdb1   partition 100 0 -2\n",
    )?;
    machine.expect("/dev/sdb is in use: sdb1 is swap space; run swapoff /dev/sdb1, then try again");
    Ok(())
}

#[test]
fn what_lvm_or_raid_hold_is_never_erased() -> Result<()> {
    let machine = Machine::new()?;
    machine.holder("sdb/sdb1", "md127", "9:127")?;
    machine.expect(
        "/dev/sdb is in use by md127 (LVM, RAID or encryption): switch that off, or name another disk",
    );
    // What is mounted far above counts as well.
    machine.holder("virtual/md127", "dm-0", "254:0")?;
    machine.set(
        "proc/self/mountinfo",
        "40 22 254:0 / / rw - ext4 /dev/mapper/vg-root rw",
    )?;
    machine.expect("/dev/sdb holds the running system (/ is on dm-0): name another disk");
    Ok(())
}

#[test]
fn a_reader_without_a_card_and_a_locked_card_are_refused() -> Result<()> {
    let machine = Machine::new()?;
    machine.set("sys/devices/sdb/ro", "1\n")?;
    machine.expect("/dev/sdb is write-protected: move the switch at its side, or take another");
    machine.set("sys/devices/sdb/size", "0\n")?;
    machine.expect("there is no medium in /dev/sdb: put one in, then try again");
    Ok(())
}

#[test]
fn what_is_no_disk_of_its_own_is_refused() -> Result<()> {
    let machine = Machine::new()?;
    machine.node("sys/devices/virtual/loop0", "7:0")?;
    let refusal = machine.refusal("loop0", Number(7, 0));
    assert!(refusal.contains("no disk of its own"), "{refusal}");
    machine.disk("sr0", "11:0", "1")?;
    machine.set("sys/devices/sr0/device/type", "5\n")?;
    let refusal = machine.refusal("sr0", Number(11, 0));
    assert!(refusal.contains("CDs"), "{refusal}");
    let refusal = machine.refusal("sdz", Number(65, 144));
    assert!(refusal.contains("knows no disk"), "{refusal}");
    Ok(())
}

#[test]
fn without_a_list_of_mounts_everything_is_refused() -> Result<()> {
    let machine = Machine::new()?;
    fs::remove_file(machine.0.path().join("proc/self/mountinfo"))?;
    let refusal = machine.refusal("sdb", STICK);
    assert!(refusal.contains("cannot tell which disks"), "{refusal}");
    Ok(())
}

#[test]
fn a_small_or_exchanged_stick_is_noticed() -> Result<()> {
    let machine = Machine::new()?;
    let disk = machine.find("sdb", STICK)?;
    let path = Path::new("/dev/sdb");
    assert!(disk.check_room(path, disk.bytes).is_ok());
    assert!(disk.check_room(path, disk.bytes + 1).is_err());
    machine.set("sys/devices/sdb/diskseq", "18\n")?;
    assert_ne!(machine.find("sdb", STICK)?, disk);
    Ok(())
}

#[test]
fn consent_is_to_this_name_and_no_other() -> Result<()> {
    let target = Target::Disk(Machine::new()?.find("sdb", STICK)?);
    let path = Path::new("/dev/sdb");
    let consents = |given: Option<&str>, audience| {
        let given = given.map(AsRef::as_ref);
        target.check_consent(path, given, audience).is_ok()
    };
    for name in ["sdb", "/dev/sdb"] {
        assert!(consents(Some(name), Audience::Nobody), "{name}");
    }
    assert!(consents(None, Audience::Person) && !consents(None, Audience::Nobody));
    for wrong in ["", "sdc", "sdb1", "sd", "yes"] {
        assert!(!consents(Some(wrong), Audience::Person), "{wrong}");
    }
    Ok(())
}

#[test]
fn only_the_name_itself_is_a_yes() -> Result<()> {
    let target = Target::Disk(Machine::new()?.find("sdb", STICK)?);
    let says = |answer: &str| target.ask(Path::new("/dev/sdb"), answer.as_bytes());
    for name in ["sdb\n", " sdb ", "/dev/sdb\n"] {
        assert!(says(name)?, "{name:?}");
    }
    for other in [
        "",
        "\n",
        "y\n",
        "yes\n",
        "sdb1\n",
        "sda\n",
        "SDB\n",
        "yes\nsdb\n",
    ] {
        assert!(!says(other)?, "{other:?}");
    }
    Ok(())
}

#[test]
fn files_links_and_folders_are_told_apart() -> Result<()> {
    let folder = TempDir::new()?;
    let path = |name: &str| folder.path().join(name);
    let find = |name: &str| Target::find(Path::new("/"), &path(name));
    assert_eq!(find("new")?, Target::NewFile);
    fs::write(path("old"), "12345")?;
    assert_eq!(find("old")?, Target::File(5));
    symlink(path("old"), path("link"))?;
    fs::create_dir(path("folder"))?;
    assert!(find("link").is_err() && find("folder").is_err());
    for device in ["/dev/null", "/dev/no-such-disk"] {
        assert!(Target::find(Path::new("/"), Path::new(device)).is_err());
    }
    Ok(())
}

#[test]
fn sizes_are_those_on_the_package() {
    assert_eq!(size(512), "512 bytes");
    assert_eq!(size(3_638_272), "3.6 MB");
    assert_eq!(size(15_360_000_000), "15 GB");
    assert_eq!(size(2_000_000_000_000_000), "2000 TB");
}

#[test]
fn the_line_that_asks_for_rights_keeps_every_word() {
    let words = [
        "/dev/sdb",
        "--option",
        "loglevel=trace",
        "--",
        "echo",
        "it's",
        "",
    ];
    let line = with_rights(Path::new("/a b/boot"), words.into_iter().map(Into::into));
    assert_eq!(
        line,
        "sudo '/a b/boot' flash --no-build /dev/sdb --option loglevel=trace -- echo 'it'\\''s' ''"
    );
}
