//! Names that come, go and move. The crate knows what is in a folder; here is who is who.
use alloc::sync::Arc;
use core::ops::ControlFlow;

use abi::Errno;
use abi::general::{S_IFBLK, S_IFCHR, S_IFMT, S_IFREG};
use ext2::Kind;

use super::{Node, now};
use crate::fs::inode::{
    self, Directory, FIRST_COOKIE, Inode, Listed, New, Removal, Taken, Unnamed,
};

/// Types as `st_mode` has them.
fn mode_of(kind: Kind) -> u32 {
    use abi::general::{S_IFDIR, S_IFIFO, S_IFLNK, S_IFSOCK};
    match kind {
        Kind::File => S_IFREG,
        Kind::Folder => S_IFDIR,
        Kind::Link => S_IFLNK,
        Kind::Pipe => S_IFIFO,
        Kind::Socket => S_IFSOCK,
        Kind::CharacterDevice => S_IFCHR,
        Kind::BlockDevice => S_IFBLK,
    }
}

/// As the crate wants it.
fn new_inode<'a>(new: &New<'a>) -> ext2::New<'a> {
    let now = now().cast_signed();
    let (major, minor) = match new.mode & S_IFMT {
        S_IFCHR | S_IFBLK => split(new.special),
        _ => (0, 0),
    };
    ext2::New {
        attributes: ext2::Attributes {
            mode: new.mode as u16,
            user: 0,
            group: 0,
            accessed: now,
            changed: now,
            modified: now,
        },
        target: new.target,
        device: (major, minor),
    }
}

/// Major and minor number of a device, as Linux packs them for programs.
fn split(device: u64) -> (u32, u32) {
    let major = device >> 8 & 0xfff | device >> 32 & !0xfff;
    let minor = device & 0xff | device >> 12 & !0xff;
    (major as u32, minor as u32)
}

impl Node {
    /// This folder, shared: for those who are in it.
    fn me(&self) -> Result<Arc<Self>, Errno> {
        let me = self.card.node.lock().upgrade();
        me.ok_or(Errno::ENOENT)
    }

    /// `ENOENT` for a folder without a name, which gets no new entries.
    fn check_alive(&self) -> Result<(), Errno> {
        if self.card.is_removed() {
            Err(Errno::ENOENT)
        } else {
            Ok(())
        }
    }

    /// What `node` was reached by: it is called `name` here.
    fn note_child(&self, node: Arc<Self>, name: &[u8]) -> Result<Arc<Self>, Errno> {
        let name = inode::name_of(name)?;
        node.card.note_entry(self.me()?, name);
        Ok(node)
    }

    fn number_of(&self, name: &[u8]) -> Result<u32, Errno> {
        self.volume()
            .with(|volume| volume.lookup(self.number(), name))
    }

    fn of_volume(&self, inode: Arc<dyn Inode>) -> Result<Arc<Self>, Errno> {
        let node: Arc<Self> = inode.into_any().downcast().map_err(|_| Errno::EXDEV)?;
        if Arc::ptr_eq(node.volume(), self.volume()) {
            Ok(node)
        } else {
            Err(Errno::EXDEV)
        }
    }
}

impl Directory for Node {
    fn lookup(&self, name: &[u8]) -> Result<Arc<dyn Inode>, Errno> {
        let node = self
            .volume()
            .node(|volume| volume.lookup(self.number(), name))?;
        Ok(self.note_child(node, name)?)
    }

    fn next(&self, from: u64) -> Result<Option<Listed>, Errno> {
        let mut found = Ok(None);
        let from = if from <= FIRST_COOKIE { 0 } else { from };
        self.volume().with(|volume| {
            volume.list(self.number(), from, &mut |entry| {
                if matches!(entry.name, b"." | b"..") {
                    return ControlFlow::Continue(());
                }
                found = inode::name_of(entry.name)
                    .map(|name| Some((entry.cookie, entry.number, entry.kind, name)));
                ControlFlow::Break(())
            })
        })?;
        let Some((cookie, number, kind, name)) = found? else {
            return Ok(None);
        };
        let kind = match kind {
            Some(kind) => kind,
            None => self.volume().with(|volume| volume.inode(number))?.kind,
        };
        Ok(Some(Listed {
            cookie,
            number: number.into(),
            kind: mode_of(kind),
            name,
        }))
    }

    fn parent(&self) -> Option<Arc<dyn Inode>> {
        Some(self.card.parent()?)
    }

    fn create(&self, name: &[u8], new: &New<'_>) -> Result<Arc<dyn Inode>, Errno> {
        self.check_alive()?;
        let inode = new_inode(new);
        let node = self
            .volume()
            .node(|volume| volume.create(self.number(), name, &inode, now()))?;
        self.volume().refresh(&[self.number()]);
        Ok(self.note_child(node, name)?)
    }

    fn create_unnamed(&self, mode: u32, later: Unnamed) -> Result<Arc<dyn Inode>, Errno> {
        let new = New {
            mode: S_IFREG | mode,
            target: &[],
            special: 0,
        };
        let inode = new_inode(&new);
        let node = self
            .volume()
            .node(|volume| volume.create_unnamed(self.number(), &inode))?;
        let mut name = inode::copy(b"#")?;
        inode::extend_number(&mut name, node.number().into())?;
        let node = self.note_child(node, &name)?;
        node.card.note_unnamed(later);
        Ok(node)
    }

    fn link(&self, name: &[u8], inode: Arc<dyn Inode>) -> Result<(), Errno> {
        let node = self.of_volume(inode)?;
        self.check_alive()?;
        node.card.check_linkable()?;
        let number = node.number();
        self.volume()
            .with(|volume| volume.link(self.number(), name, number, now()))?;
        node.card.note_entry(self.me()?, inode::name_of(name)?);
        self.volume().refresh(&[self.number(), number]);
        Ok(())
    }

    fn remove(&self, name: &[u8], removal: Removal) -> Result<(), Errno> {
        let removed = self.volume().with(|volume| match removal {
            Removal::File => volume.unlink(self.number(), name, now()),
            Removal::Folder => volume.remove_folder(self.number(), name, now()),
        })?;
        self.volume().refresh(&[self.number()]);
        self.volume().note_removal(removed)
    }

    fn rename(
        &self,
        name: &[u8],
        to: Arc<dyn Inode>,
        new_name: &[u8],
        taken: Taken,
    ) -> Result<(), Errno> {
        let to = self.of_volume(to)?;
        if taken == Taken::Exchange {
            // As Linux's ext2, which does not know it.
            return Err(Errno::EINVAL);
        }
        to.check_alive()?;
        let (from, kept) = (self.number(), inode::name_of(new_name)?);
        let (number, removed) = self.volume().with(|volume| {
            if taken == Taken::Refuse && volume.lookup(to.number(), new_name).is_ok() {
                return Err(ext2::Error::Exists);
            }
            let number = volume.lookup(from, name)?;
            let (old, new) = (
                ext2::Name { folder: from, name },
                ext2::Name {
                    folder: to.number(),
                    name: new_name,
                },
            );
            Ok((number, volume.rename(old, new, now())?))
        })?;
        if let Some(card) = self.volume().card(number)
            && self.number_of(name).is_err()
        {
            card.note_entry(to.clone(), kept);
        }
        self.volume().refresh(&[from, to.number(), number]);
        removed.map_or(Ok(()), |removed| self.volume().note_removal(removed))
    }
}
