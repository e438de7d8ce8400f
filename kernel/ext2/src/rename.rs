//! A name moves: the new entry is made before the old one goes, so that a power cut in between leaves two, never none.
//!
//! What is moved counts a link more meanwhile, and a folder counts the `..` of those in it: one more before the entry
//! comes, one less after it went. A folder that gets another parent has its `..` changed last; until then e2fsck sees the
//! old parent, and puts it right.
use crate::create::MOST_LINKS;
use crate::disk::Disk;
use crate::error::Error;
use crate::folder::{Found, NewEntry, check_name};
use crate::inode::{Inode, Kind, ROOT};
use crate::unlink::Removed;
use crate::volume::Volume;

/// The most folders inside each other that are walked up: an image may claim a circle.
const DEEPEST: u32 = 65_536;

/// A name in a folder.
#[derive(Clone, Copy, Debug)]
pub struct Name<'a> {
    /// The folder's inode.
    pub folder: u32,
    /// What the entry is called.
    pub name: &'a [u8],
}

/// A rename that is under way.
#[derive(Clone, Copy)]
struct Move<'a> {
    /// What is moved.
    inode: &'a Inode,
    from: Name<'a>,
    to: Name<'a>,
    now: u32,
}

impl Move<'_> {
    /// Whether a folder gets another parent, which its `..` says and the links of both count.
    fn changes_parent(&self) -> bool {
        self.inode.kind == Kind::Folder && self.from.folder != self.to.folder
    }
}

impl<D: Disk> Volume<D> {
    /// Moves what `from` names to `to`. What that named is replaced, if both are folders and that one is empty, or neither
    /// is one; it is returned. Two names of one inode stay as they are.
    pub fn rename(&self, from: Name<'_>, to: Name<'_>, now: u32) -> Result<Option<Removed>, Error> {
        self.demand_write()?;
        check_name(from.name)?;
        check_name(to.name)?;
        let old = self.find(&self.folder(from.folder)?, from.name)?;
        let moved = self.inode(old.number)?;
        let replaced = match self.find(&self.folder(to.folder)?, to.name) {
            Ok(found) if found.number == moved.number => return Ok(None),
            Ok(found) => Some(found),
            Err(Error::NotFound) => None,
            Err(error) => return Err(error),
        };
        if let Some(found) = &replaced {
            self.check_replaced(&moved, found.number)?;
        }
        let rename = Move {
            inode: &moved,
            from,
            to,
            now,
        };
        if rename.changes_parent() {
            self.check_way_up(moved.number, to.folder)?;
        }
        self.arrive(rename, replaced.as_ref())?;
        self.leave(rename)?;
        let Some(found) = replaced else {
            return Ok(None);
        };
        let removed = self.lose_name(found.number, now)?;
        if moved.kind == Kind::Folder {
            self.change_links(to.folder, -1)?;
        }
        Ok(Some(removed))
    }

    /// Makes the new entry, after the links that come with it.
    fn arrive(&self, rename: Move<'_>, replaced: Option<&Found>) -> Result<(), Error> {
        let Move { inode, to, now, .. } = rename;
        let mut target = self.folder(to.folder)?;
        let comes = u16::from(rename.changes_parent());
        if comes > 0 && replaced.is_none() && target.links >= MOST_LINKS {
            return Err(Error::TooManyLinks);
        }
        // Found before anything changes.
        let room = match replaced {
            Some(_) => None,
            None => Some(self.room(&target, to.name)?),
        };
        self.change_links(inode.number, 1)?;
        target.links = target.links.saturating_add(comes);
        let counted = self.write_inode(&target);
        let named = counted.and_then(|()| match (replaced, room) {
            (Some(found), _) => self.redirect(&mut target, found, inode, now),
            (None, Some(room)) => {
                let entry = NewEntry {
                    name: to.name,
                    number: inode.number,
                    kind: inode.kind,
                };
                self.add(&mut target, room, entry, now)
            }
            (None, None) => Err(Error::Invalid),
        });
        if named.is_err() {
            // Should that fail too, counts are too high, which e2fsck corrects.
            let _ = self.change_links(inode.number, -1);
            let _ = self.change_links(to.folder, -(comes as i16));
        }
        named
    }

    /// Removes the old entry, and the links that go with it.
    fn leave(&self, rename: Move<'_>) -> Result<(), Error> {
        let Move { from, to, now, .. } = rename;
        let mut source = self.folder(from.folder)?;
        // Looked up again: the new entry may have come into the same block.
        let old = self.find(&source, from.name)?;
        self.remove_entry(&mut source, &old, now)?;
        let mut inode = self.inode(rename.inode.number)?;
        inode.links = inode.links.saturating_sub(1);
        inode.attributes.changed = now.cast_signed();
        self.write_inode(&inode)?;
        if !rename.changes_parent() {
            return Ok(());
        }
        let parent = self.find(&inode, b"..")?;
        self.redirect_to(&parent, to.folder, Kind::Folder)?;
        self.change_links(from.folder, -1).map(drop)
    }

    /// Whether `moved` may take the place of inode `number`.
    fn check_replaced(&self, moved: &Inode, number: u32) -> Result<(), Error> {
        let replaced = self.inode(number)?;
        match (moved.kind == Kind::Folder, replaced.kind == Kind::Folder) {
            (true, false) => Err(Error::NotAFolder),
            (false, true) => Err(Error::IsAFolder),
            (false, false) => Ok(()),
            (true, true) if self.is_empty(number)? => Ok(()),
            (true, true) => Err(Error::NotEmpty),
        }
    }

    /// Refuses to put folder `moved` into itself: it must not be on the way from `at` up to the root.
    fn check_way_up(&self, moved: u32, at: u32) -> Result<(), Error> {
        let mut at = at;
        for _ in 0..DEEPEST {
            if at == moved {
                return Err(Error::Invalid);
            }
            if at == ROOT {
                return Ok(());
            }
            at = self.lookup(at, b"..")?;
        }
        Err(self.corrupt())
    }
}
