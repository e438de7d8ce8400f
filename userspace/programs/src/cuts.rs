//! A workload on a volume, whose steps and bytes follow from a seed: so that the workstation, where the tests include this
//! very file, knows what each acknowledgement promised.

/// Folders that there can be; 0 is the volume's root, which is always there.
pub const FOLDERS: u8 = 3;

/// Names of files in each.
pub const FILES: u8 = 5;

/// Bytes of a file, at most: with any size of blocks some files need index blocks.
pub const LARGEST: u32 = 70_000;

/// Bytes written at once, at most.
pub const PIECE: u32 = 14_000;

/// A file's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// The folder that it is in.
    pub folder: u8,
    /// Which of its names it is.
    pub file: u8,
}

/// Some bytes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Of which file.
    pub name: Name,
    /// The first of them.
    pub at: u32,
    /// How many they are.
    pub length: u32,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// An empty file gets this name, which nothing has.
    Create(Name),
    /// Bytes by a call, up to the end, across it or behind it.
    Write(Piece),
    /// Bytes through a shared mapping, none behind the end.
    Store(Piece),
    /// The same, and msync(2) with `MS_SYNC` of the whole file.
    StoreAndSync(Piece),
    /// The file gets this length.
    Resize(Name, u32),
    /// A file loses the first name and gets the second, whatever that was the name of.
    Rename(Name, Name),
    /// A name goes.
    Remove(Name),
    /// A folder comes.
    MakeFolder(u8),
    /// An empty folder goes.
    RemoveFolder(u8),
    /// Bytes start to be written, and nothing is promised: sync_file_range(2).
    Begin(Name),
    /// fsync(2).
    Sync(Name),
    /// sync(2).
    SyncAll,
}

impl Step {
    /// Whether its end promises something.
    #[must_use]
    pub fn is_acknowledged(self) -> bool {
        matches!(self, Self::StoreAndSync(_) | Self::Sync(_) | Self::SyncAll)
    }
}

/// Byte `at` of a file, as step `number` writes it.
#[must_use]
pub fn byte(number: u32, at: u32) -> u8 {
    let word = u64::from(number) << 32 | u64::from(at / 8 + 1);
    let word = word.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_right(29);
    word.wrapping_mul(0xbf58_476d_1ce4_e5b9).to_le_bytes()[at as usize % 8]
}

/// The steps of a seed, without end.
#[derive(Clone, Debug)]
pub struct Plan {
    chance: u64,
    /// How long files are, by folder and name.
    sizes: [[Option<u32>; FILES as usize]; FOLDERS as usize],
    folders: [bool; FOLDERS as usize],
}

impl Plan {
    /// The plan of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            chance: seed.wrapping_add(0x9e37_79b9_7f4a_7c15),
            sizes: [[None; FILES as usize]; FOLDERS as usize],
            folders: core::array::from_fn(|folder| folder == 0),
        }
    }

    /// A number below `end`, which is small: splitmix64.
    fn below(&mut self, end: u32) -> u32 {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let word = (self.chance ^ self.chance >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((word >> 40) % u64::from(end)) as u32
    }

    fn name(&mut self) -> Name {
        Name {
            folder: self.below(FOLDERS.into()) as u8,
            file: self.below(FILES.into()) as u8,
        }
    }

    fn size(&mut self, name: Name) -> &mut Option<u32> {
        &mut self.sizes[usize::from(name.folder)][usize::from(name.file)]
    }

    /// Some bytes of a file; `None` where it is not there.
    fn piece(&mut self, name: Name) -> Option<Piece> {
        const BEHIND: u32 = 6000;
        let size = (*self.size(name))?;
        let at = match self.below(4) {
            0 => size,
            _ => self.below(size + BEHIND),
        };
        let most = PIECE.min(LARGEST - at.min(LARGEST));
        let length = 1 + self.below(most.max(1));
        (most > 0).then_some(Piece { name, at, length })
    }

    /// The same, none of them behind the end.
    fn inside(&mut self, name: Name) -> Option<Piece> {
        let size = (*self.size(name))?;
        let at = self.below(size.max(1));
        let length = 1 + self.below(PIECE.min(size - at.min(size)).max(1));
        (size > 0).then_some(Piece { name, at, length })
    }

    /// A step, if what was drawn can be done.
    fn draw(&mut self) -> Option<Step> {
        let name = self.name();
        let there = self.folders[usize::from(name.folder)];
        let size = *self.size(name);
        Some(match self.below(40) {
            0..6 if there && size.is_none() => Step::Create(name),
            6..18 => Step::Write(self.piece(name)?),
            18..22 => Step::Store(self.inside(name)?),
            22 | 23 => Step::StoreAndSync(self.inside(name)?),
            24..27 if size.is_some() => Step::Resize(name, self.below(LARGEST)),
            27..30 if size.is_some() => Step::Rename(name, self.target(name)?),
            30..32 if size.is_some() => Step::Remove(name),
            32 if !there => Step::MakeFolder(name.folder),
            33 if there && self.can_go(name.folder) => Step::RemoveFolder(name.folder),
            34..36 if size.is_some() => Step::Begin(name),
            36..39 if size.is_some() => Step::Sync(name),
            39 if self.below(3) == 0 => Step::SyncAll,
            _ => return None,
        })
    }

    /// Another name that a file can get.
    fn target(&mut self, old: Name) -> Option<Name> {
        let new = self.name();
        (self.folders[usize::from(new.folder)] && new != old).then_some(new)
    }

    fn can_go(&self, folder: u8) -> bool {
        folder != 0 && self.sizes[usize::from(folder)].iter().all(Option::is_none)
    }

    fn note(&mut self, step: Step) {
        match step {
            Step::Create(name) => *self.size(name) = Some(0),
            Step::Write(Piece { name, at, length }) => {
                let size = self.size(name);
                *size = (*size).max(Some(at + length));
            }
            Step::Resize(name, size) => *self.size(name) = Some(size),
            Step::Rename(old, new) => *self.size(new) = self.size(old).take(),
            Step::Remove(name) => *self.size(name) = None,
            Step::MakeFolder(folder) => self.folders[usize::from(folder)] = true,
            Step::RemoveFolder(folder) => self.folders[usize::from(folder)] = false,
            Step::Store(_) | Step::StoreAndSync(_) | Step::Begin(_) => {}
            Step::Sync(_) | Step::SyncAll => {}
        }
    }
}

impl Iterator for Plan {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        loop {
            if let Some(step) = self.draw() {
                self.note(step);
                return Some(step);
            }
        }
    }
}
