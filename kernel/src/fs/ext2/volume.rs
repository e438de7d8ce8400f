//! A volume that is mounted: the gate around the crate's calls, and which inodes are in use.
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;

use abi::Errno;
use ext2::{Error, Kind};
use mm::page_cache::CachedFile;

use super::buffer::Buffer;
use super::card::Card;
use super::recent::Recent;
use super::regular::Regular;
use super::{Content, Node, now};
use crate::block::{self, Claim};
use crate::fs::devices::number;
use crate::fs::gate::{Gate, Turn};
use crate::fs::paged;
use crate::fs::pipe::Fifo;
use crate::lock::{IrqLock, Rank};

/// What the crate knows, behind the gate; `None` once the volume is left.
type Inner = Option<ext2::Volume<Buffer>>;

/// A volume.
pub(super) struct Volume {
    disk: &'static block::Volume,
    device: u64,
    block_size: u64,
    /// The pages of what it knows of itself.
    books: Arc<CachedFile>,
    inner: Gate<Inner>,
    /// The right to write to the disk, while it may be written.
    claim: IrqLock<Option<Claim>>,
    table: IrqLock<Table>,
    recent: Recent,
}

#[derive(Default)]
struct Table {
    /// Inodes in use, by number.
    cards: Vec<(u32, Weak<Card>)>,
    /// Those without a name that nobody has any more. There is room for one of each card.
    orphans: Vec<u32>,
}

impl Table {
    fn place(&self, number: u32) -> Result<usize, usize> {
        self.cards
            .binary_search_by_key(&number, |&(known, _)| known)
    }

    fn find(&self, number: u32) -> Option<Arc<Card>> {
        let place = self.place(number).ok()?;
        self.cards[place].1.upgrade()
    }
}

/// As errno has it.
pub(super) fn errno(error: Error) -> Errno {
    match error {
        Error::Io => Errno::EIO,
        Error::Corrupt => Errno::EUCLEAN,
        Error::NotExt2 | Error::UnknownFeatures(_) | Error::Invalid => Errno::EINVAL,
        Error::ReadOnly => Errno::EROFS,
        Error::OutOfMemory => Errno::ENOMEM,
        Error::NoSpace => Errno::ENOSPC,
        Error::TooBig => Errno::EFBIG,
        Error::TooManyLinks => Errno::EMLINK,
        Error::NotFound => Errno::ENOENT,
        Error::Exists => Errno::EEXIST,
        Error::NotEmpty => Errno::ENOTEMPTY,
        Error::NotAFolder => Errno::ENOTDIR,
        Error::IsAFolder => Errno::EISDIR,
        Error::NameTooLong => Errno::ENAMETOOLONG,
    }
}

impl Volume {
    pub(super) fn try_new(
        disk: &'static block::Volume,
        device: u64,
        inner: ext2::Volume<Buffer>,
        claim: Option<Claim>,
    ) -> Result<Arc<Self>, Errno> {
        let volume = Self {
            disk,
            device,
            block_size: inner.block_size(),
            books: inner.disk().file().clone(),
            inner: Gate::new(Some(inner)),
            claim: IrqLock::new(Rank::Files, claim),
            table: IrqLock::new(Rank::Files, Table::default()),
            recent: Recent::new(),
        };
        Arc::try_new(volume).map_err(|_| Errno::ENOMEM)
    }

    pub(super) fn disk(&self) -> &'static block::Volume {
        self.disk
    }

    pub(super) fn device(&self) -> u64 {
        self.device
    }

    pub(super) fn block_size(&self) -> u64 {
        self.block_size
    }

    pub(super) fn books(&self) -> &Arc<CachedFile> {
        &self.books
    }

    pub(super) fn claim(&self) -> &IrqLock<Option<Claim>> {
        &self.claim
    }

    /// Lets `work` at the disk, alone. Inodes that nobody has any more are freed first.
    pub(super) fn with<R>(
        &self,
        work: impl FnOnce(&ext2::Volume<Buffer>) -> Result<R, Error>,
    ) -> Result<R, Errno> {
        let turn = self.inner.enter();
        let inner = turn.as_ref().ok_or(Errno::EIO)?;
        self.free_orphans(inner);
        work(inner).map_err(errno)
    }

    /// The gate itself, for who mounts anew or leaves.
    pub(super) fn enter(&self) -> Turn<'_, Inner> {
        self.inner.enter()
    }

    pub(super) fn free_orphans(&self, inner: &ext2::Volume<Buffer>) {
        loop {
            let orphan = self.table.lock().orphans.pop();
            let Some(orphan) = orphan else { return };
            if let Err(error) = inner.free(orphan, now()) {
                log::warn!("ext2: inode {orphan} could not be freed: {error}");
            }
        }
    }

    /// Looks again at what the disk says of these inodes, as far as they are in use.
    pub(super) fn refresh(&self, numbers: &[u32]) {
        for &number in numbers {
            let card = self.table.lock().find(number);
            if let Some(card) = card
                && let Ok(inode) = self.with(|volume| volume.inode(number))
            {
                card.note(&inode);
            }
        }
    }

    /// An inode lost a name, and has so many left: with none, and nobody who has it, it is freed.
    pub(super) fn note_removal(&self, removed: ext2::Removed) -> Result<(), Errno> {
        if removed.links == 0 {
            self.recent.drop_if(|node| node.number() == removed.number);
        }
        let card = self.table.lock().find(removed.number);
        match card {
            Some(_card) => self.refresh(&[removed.number]),
            None if removed.links == 0 => {
                self.with(|volume| volume.free(removed.number, now()))?;
            }
            None => {}
        }
        // Nobody may have had it but this.
        self.with(|_| Ok(()))
    }

    /// The inode that `find` finds, or makes: nobody can free its number in between.
    pub(super) fn node(
        self: &Arc<Self>,
        find: impl FnOnce(&ext2::Volume<Buffer>) -> Result<u32, Error>,
    ) -> Result<Arc<Node>, Errno> {
        let turn = self.inner.enter();
        let inner = turn.as_ref().ok_or(Errno::EIO)?;
        self.free_orphans(inner);
        let number = find(inner).map_err(errno)?;
        let node = self.node_of(inner, number)?;
        drop(turn);
        self.recent.keep(&node);
        Ok(node)
    }

    /// Inode `number`. The caller has the gate.
    fn node_of(
        self: &Arc<Self>,
        inner: &ext2::Volume<Buffer>,
        number: u32,
    ) -> Result<Arc<Node>, Errno> {
        let there = self.table.lock().find(number);
        if let Some(node) = there.as_ref().and_then(|card| card.node.lock().upgrade()) {
            return Ok(node);
        }
        let inode = inner.inode(number).map_err(errno)?;
        let card = match there {
            Some(card) => card,
            None => self.add(Card::new(self.clone(), &inode))?,
        };
        card.note(&inode);
        let content = self.content(inner, &card, &inode)?;
        let node = Node {
            card: card.clone(),
            content,
        };
        let node = Arc::try_new(node).map_err(|_| Errno::ENOMEM)?;
        *card.node.lock() = Arc::downgrade(&node);
        Ok(node)
    }

    fn content(
        &self,
        inner: &ext2::Volume<Buffer>,
        card: &Arc<Card>,
        inode: &ext2::Inode,
    ) -> Result<Content, Errno> {
        let (major, minor) = inode.device();
        Ok(match inode.kind {
            Kind::File => Content::Regular(Regular::try_new(card, inode.size)?),
            Kind::Folder => Content::Folder,
            Kind::Link => Content::Link(inner.target(inode.number).map_err(errno)?),
            Kind::Pipe => Content::Fifo(Fifo::new()),
            Kind::Socket => Content::Special(0),
            Kind::CharacterDevice | Kind::BlockDevice => Content::Special(number(major, minor)),
        })
    }

    /// Notes a card that was not there. The caller has the gate.
    fn add(&self, card: Card) -> Result<Arc<Card>, Errno> {
        let card = Arc::try_new(card).map_err(|_| Errno::ENOMEM)?;
        let mut table = self.table.lock();
        let table = &mut *table;
        let room = table.cards.try_reserve(1);
        let wanted = table.cards.len() + 1;
        let room = room.and_then(|()| table.orphans.try_reserve(wanted));
        room.map_err(|_| Errno::ENOMEM)?;
        let entry = (card.number, Arc::downgrade(&card));
        match table.place(card.number) {
            Ok(place) => table.cards[place] = entry,
            Err(place) => table.cards.insert(place, entry),
        }
        Ok(card)
    }

    /// The last one who had this inode is gone. Called where nobody may wait.
    pub(super) fn forget(&self, number: u32) {
        let mut table = self.table.lock();
        if let Ok(place) = table.place(number)
            && table.cards[place].1.strong_count() == 0
        {
            table.cards.remove(place);
        }
    }

    /// This inode has no name and nobody who has it: it is to be freed. Call before [`Self::forget`], and where nobody may
    /// wait.
    pub(super) fn note_orphan(&self, number: u32) {
        let mut table = self.table.lock();
        // Room was made when the card was noted.
        if table.orphans.len() < table.orphans.capacity() {
            table.orphans.push(number);
        }
    }

    /// The card of inode `number`, if that is in use.
    pub(super) fn card(&self, number: u32) -> Option<Arc<Card>> {
        self.table.lock().find(number)
    }

    /// Nobody who only had it a while ago has an inode any more.
    pub(super) fn forget_recent(&self) {
        self.recent.drop_if(|_| true);
    }

    /// How many inodes are in use.
    pub(super) fn in_use(&self) -> usize {
        self.table.lock().cards.len()
    }

    /// Whether it is writable now.
    pub(super) fn access(&self) -> ext2::Access {
        let turn = self.inner.enter();
        turn.as_ref()
            .map_or(ext2::Access::ReadOnly, ext2::Volume::access)
    }

    /// Leaves the disk: what is in memory goes there, and the volume says that it is in order.
    pub(super) fn leave(&self) {
        paged::sync_all();
        let mut turn = self.inner.enter();
        let Some(mut inner) = turn.take() else { return };
        self.free_orphans(&inner);
        let left = inner.remount(ext2::Access::ReadOnly, now());
        if let Err(error) = left {
            log::error!("ext2: a volume could not be left in order: {error}");
        }
        drop(turn);
        paged::sync_all();
        drop(inner);
        let claim = self.claim.lock().take();
        drop(claim);
    }
}
