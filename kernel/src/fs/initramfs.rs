//! The archive's table: cpio ("newc") entries by path.
use alloc::sync::Arc;
use alloc::vec::Vec;

use abi::general::{S_IFDIR, S_IFMT};

use super::File;

/// Every file that came with the image. Built once at boot, when running out of memory may still end the run.
pub(super) struct Archive {
    files: Vec<Arc<File>>,
    /// Paths without slashes at either end, sorted; with the place in `files`.
    paths: Vec<(Vec<u8>, usize)>,
}

impl Archive {
    pub(super) fn read(archive: &'static [u8]) -> Self {
        let mut table = Self {
            files: Vec::new(),
            paths: Vec::new(),
        };
        table.add(b"", S_IFDIR | 0o755, &[]);
        for entry in cpio_reader::iter_files(archive) {
            let path = entry
                .name()
                .trim_start_matches(['.', '/'])
                .trim_end_matches('/');
            table.add_parents(path.as_bytes());
            table.add(path.as_bytes(), entry.mode().bits(), entry.file());
        }
        table
    }

    /// The file at a path without slashes at either end.
    pub(super) fn find(&self, path: &[u8]) -> Option<&Arc<File>> {
        let place = self
            .paths
            .binary_search_by(|(known, _)| known.as_slice().cmp(path))
            .ok()?;
        Some(&self.files[self.paths[place].1])
    }

    /// The file with that number.
    pub(super) fn file(&self, number: u64) -> &File {
        &self.files[number as usize]
    }

    /// The path of the file with that number, without slashes at either end.
    pub(super) fn path(&self, number: u64) -> Option<&[u8]> {
        let known = self
            .paths
            .iter()
            .find(|(_, place)| *place as u64 == number)?;
        Some(&known.0)
    }

    pub(super) fn files(&self) -> impl Iterator<Item = &Arc<File>> {
        self.files.iter()
    }

    /// Adds an entry; a later one for the same path takes the place of the earlier.
    fn add(&mut self, path: &[u8], mode: u32, data: &'static [u8]) {
        let number = self.files.len();
        match self
            .paths
            .binary_search_by(|(known, _)| known.as_slice().cmp(path))
        {
            Ok(_) if mode & S_IFMT == S_IFDIR => return,
            Ok(place) => self.paths[place].1 = number,
            Err(place) => self.paths.insert(place, (path.to_vec(), number)),
        }
        self.files
            .push(Arc::new(File::new(number as u64, mode, data)));
    }

    /// Folders that the archive doesn't name are there all the same.
    fn add_parents(&mut self, path: &[u8]) {
        for (place, _) in path.iter().enumerate().filter(|(_, byte)| **byte == b'/') {
            self.add(&path[..place], S_IFDIR | 0o755, &[]);
        }
    }
}
