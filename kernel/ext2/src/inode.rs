//! Inodes: what is known of a file beside its bytes and its names.
//!
//! An operation names an inode by its number, reads it, changes it and puts it back; what is not understood here
//! (fragments, what ext3 and ext4 keep behind the first 128 bytes) stays as it is.
use crate::bytes::{put_u16, put_u32, u16_at, u32_at};
use crate::disk::Disk;
use crate::error::Error;
use crate::volume::Volume;

/// The root's inode.
pub const ROOT: u32 = 2;

/// Bytes of an inode that revision 0 has, and that are all that is used here.
pub(crate) const INODE: usize = 128;

/// Pointers in an inode: to twelve blocks, and to the roots of three trees.
pub(crate) const POINTERS: usize = 15;

/// Flags: the names of a folder are indexed (which any change here makes untrue).
pub(crate) const INDEX: u32 = 0x1000;

/// Type and permissions, as `st_mode`.
const TYPE: u16 = 0o170_000;

/// What an inode is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Folder,
    /// A symbolic link.
    Link,
    /// A character device.
    CharacterDevice,
    /// A block device.
    BlockDevice,
    /// A named pipe.
    Pipe,
    /// A socket.
    Socket,
}

/// Types as `st_mode` and as a folder's entries have them.
const KINDS: [(Kind, u16, u8); 7] = [
    (Kind::File, 0o100_000, 1),
    (Kind::Folder, 0o040_000, 2),
    (Kind::CharacterDevice, 0o020_000, 3),
    (Kind::BlockDevice, 0o060_000, 4),
    (Kind::Pipe, 0o010_000, 5),
    (Kind::Socket, 0o140_000, 6),
    (Kind::Link, 0o120_000, 7),
];

impl Kind {
    /// What `mode` says.
    pub fn of_mode(mode: u16) -> Option<Self> {
        let known = KINDS.iter().find(|known| known.1 == mode & TYPE);
        known.map(|known| known.0)
    }

    /// What byte `file_type` of an entry says; `None` where it says nothing.
    pub(crate) fn of_entry(byte: u8) -> Option<Self> {
        let known = KINDS.iter().find(|known| known.2 == byte);
        known.map(|known| known.0)
    }

    /// The byte for an entry.
    pub(crate) fn entry(self) -> u8 {
        let known = KINDS.iter().find(|known| known.0 == self);
        known.map_or(0, |known| known.2)
    }
}

/// Who may do what with an inode, and when what was done: all that [`Volume::change`] changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Type and permissions; the type stays.
    pub mode: u16,
    /// Its owner.
    pub user: u32,
    /// The group of its owner.
    pub group: u32,
    /// When it was last read: seconds since 1970, with a sign.
    pub accessed: i32,
    /// When something that is said here last changed.
    pub changed: i32,
    /// When its bytes last changed.
    pub modified: i32,
}

/// An inode as it is on the disk.
#[derive(Clone, Debug)]
pub struct Inode {
    /// Its number.
    pub number: u32,
    /// What it is.
    pub kind: Kind,
    /// Who may do what, and when what was done.
    pub attributes: Attributes,
    /// How many bytes it has.
    pub size: u64,
    /// How many names it has; a folder counts its `.` and the `..` of those in it.
    pub links: u16,
    /// Blocks that it has, index blocks included, in units of 512 bytes.
    pub sectors: u32,
    /// How often its place was used before, more or less.
    pub generation: u32,
    pub(crate) flags: u32,
    /// When it was freed.
    pub(crate) deleted: u32,
    /// The block of its extended attributes.
    pub(crate) attribute_block: u32,
    pub(crate) pointers: [u32; POINTERS],
    raw: [u8; INODE],
}

impl Inode {
    /// An inode that nobody has used yet.
    pub(crate) fn new(number: u32, kind: Kind, attributes: Attributes) -> Self {
        Self {
            number,
            kind,
            attributes,
            size: 0,
            links: 0,
            sectors: 0,
            generation: 0,
            flags: 0,
            deleted: 0,
            attribute_block: 0,
            pointers: [0; POINTERS],
            raw: [0; INODE],
        }
    }

    /// What `raw` says; `None` where that is no inode in use.
    fn parse(number: u32, raw: [u8; INODE]) -> Option<Self> {
        let word = |at| u32_at(&raw, at);
        let half = |at| u16_at(&raw, at);
        let mode = half(0);
        let kind = Kind::of_mode(mode)?;
        let (links, deleted) = (half(26), word(20));
        if links == 0 && deleted != 0 {
            return None;
        }
        // Of what is no file, the word means something else.
        let high = if kind == Kind::File { word(108) } else { 0 };
        let mut pointers = [0; POINTERS];
        for (at, pointer) in (40..).step_by(4).zip(&mut pointers) {
            *pointer = word(at);
        }
        Some(Self {
            number,
            kind,
            attributes: Attributes {
                mode,
                user: u32::from(half(2)) | u32::from(half(120)) << 16,
                group: u32::from(half(24)) | u32::from(half(122)) << 16,
                accessed: word(8).cast_signed(),
                changed: word(12).cast_signed(),
                modified: word(16).cast_signed(),
            },
            size: u64::from(word(4)) | u64::from(high) << 32,
            links,
            sectors: word(28),
            generation: word(100),
            flags: word(32),
            deleted,
            attribute_block: word(104),
            pointers,
            raw,
        })
    }

    /// The bytes to write.
    fn encode(&self) -> [u8; INODE] {
        let mut raw = self.raw;
        let Attributes {
            mode, user, group, ..
        } = self.attributes;
        put_u16(&mut raw, 0, mode);
        put_u16(&mut raw, 2, user as u16);
        put_u16(&mut raw, 120, (user >> 16) as u16);
        put_u16(&mut raw, 24, group as u16);
        put_u16(&mut raw, 122, (group >> 16) as u16);
        put_u32(&mut raw, 4, self.size as u32);
        if self.kind == Kind::File {
            put_u32(&mut raw, 108, (self.size >> 32) as u32);
        }
        put_u32(&mut raw, 8, self.attributes.accessed.cast_unsigned());
        put_u32(&mut raw, 12, self.attributes.changed.cast_unsigned());
        put_u32(&mut raw, 16, self.attributes.modified.cast_unsigned());
        put_u32(&mut raw, 20, self.deleted);
        put_u16(&mut raw, 26, self.links);
        put_u32(&mut raw, 28, self.sectors);
        put_u32(&mut raw, 32, self.flags);
        put_u32(&mut raw, 100, self.generation);
        put_u32(&mut raw, 104, self.attribute_block);
        for (at, pointer) in (40..).step_by(4).zip(self.pointers) {
            put_u32(&mut raw, at, pointer);
        }
        raw
    }

    /// The device that a device's inode stands for: major and minor number.
    pub fn device(&self) -> (u32, u32) {
        match self.pointers {
            [0, new, ..] => (new >> 8 & 0xfff, new & 0xff | new >> 12 & 0xfff00),
            [old, ..] => (old >> 8 & 0xff, old & 0xff),
        }
    }

    /// Says which device it stands for: in the old words where they suffice.
    pub(crate) fn set_device(&mut self, (major, minor): (u32, u32)) {
        if major < 256 && minor < 256 {
            self.pointers[0] = major << 8 | minor;
        } else {
            self.pointers[1] = (major & 0xfff) << 8 | minor & 0xff | (minor & 0xfff00) << 12;
        }
    }

    /// Stamps it: its bytes, or names in it, have changed.
    pub(crate) fn touch(&mut self, now: u32) {
        self.attributes.modified = now.cast_signed();
        self.attributes.changed = now.cast_signed();
    }
}

impl<D: Disk> Volume<D> {
    /// Inode `number`; [`Error::Corrupt`] where there can be none, or none that is in use.
    pub fn inode(&self, number: u32) -> Result<Inode, Error> {
        let mut raw = [0; INODE];
        self.disk.read(self.inode_at(number)?, &mut raw)?;
        Inode::parse(number, raw).ok_or_else(|| self.corrupt())
    }

    /// Inode `number`, which must be a folder.
    pub(crate) fn folder(&self, number: u32) -> Result<Inode, Error> {
        let inode = self.inode(number)?;
        match inode.kind {
            Kind::Folder => Ok(inode),
            _ => Err(Error::NotAFolder),
        }
    }

    /// Puts back an inode that changed.
    pub(crate) fn write_inode(&self, inode: &Inode) -> Result<(), Error> {
        self.disk
            .write(self.inode_at(inode.number)?, &inode.encode())
    }

    /// The same, on the medium before what follows.
    pub(crate) fn write_inode_through(&self, inode: &Inode) -> Result<(), Error> {
        let at = self.inode_at(inode.number)?;
        self.disk.write_through(at, &inode.encode())
    }

    /// Changes what `change` changes of inode `number`, but not its type.
    pub fn change(&self, number: u32, change: impl FnOnce(&mut Attributes)) -> Result<(), Error> {
        self.demand_write()?;
        let mut inode = self.inode(number)?;
        let kind = inode.attributes.mode & TYPE;
        change(&mut inode.attributes);
        inode.attributes.mode = inode.attributes.mode & !TYPE | kind;
        self.write_inode(&inode)
    }

    /// Says that file `number` is `size` bytes long. Blocks neither come nor go: see `allocate` and `release`.
    pub fn set_size(&self, number: u32, size: u64, now: u32) -> Result<(), Error> {
        self.demand_write()?;
        let mut inode = self.inode(number)?;
        if inode.kind != Kind::File {
            return Err(Error::Invalid);
        }
        if size > self.longest_file() {
            return Err(Error::TooBig);
        }
        if size > i32::MAX as u64 {
            self.allow_large_files()?;
        }
        inode.size = size;
        inode.touch(now);
        self.write_inode(&inode)
    }

    /// The group of inode `number`, and its index in there.
    pub(crate) fn place_of(&self, number: u32) -> Result<(u64, u64), Error> {
        let is_usable = number == ROOT || number >= self.geometry.first_inode;
        if !is_usable || number > self.geometry.inodes {
            return Err(self.corrupt());
        }
        let index = u64::from(number - 1);
        let per_group = u64::from(self.geometry.inodes_per_group);
        Ok((index / per_group, index % per_group))
    }

    /// The byte at which inode `number` begins.
    pub(crate) fn inode_at(&self, number: u32) -> Result<u64, Error> {
        let (group, index) = self.place_of(number)?;
        let table = self.group(group)?.inode_table;
        Ok(self.byte_of(table) + index * self.geometry.inode_size)
    }
}
