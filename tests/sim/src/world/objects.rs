//! Shared anonymous memory: a file that begins with its first mapping and ends with the last, and takes its promise along.
use std::sync::{Arc, Weak};

use mm::page_cache::{CachedFile, Reserve, Source};

use super::World;
use crate::files::Store;

impl World {
    /// The file to be mapped as number `file`, made where nobody has it.
    pub(super) fn file_to_map(&mut self, file: usize) -> Arc<CachedFile> {
        if self.contents.file(file).store != Store::Object {
            return self.files[file].clone();
        }
        let living = self.objects.get(&file).and_then(Weak::upgrade);
        living.unwrap_or_else(|| {
            let size = self.contents.file(file).size;
            let object = CachedFile::new(file as u64, Source::Memory, size);
            let object = Arc::new(object.with_reserve(Reserve::Whole));
            self.objects.insert(file, Arc::downgrade(&object));
            object
        })
    }

    /// What nobody maps any more is gone for the oracle, too.
    pub(super) fn forget_objects(&self) {
        for (&file, object) in &self.objects {
            match object.strong_count() {
                0 => self.contents.renew(file),
                _ => self.contents.map(file),
            }
        }
    }

    /// Whether somebody maps object number `file`.
    pub(super) fn is_object_mapped(&self, file: usize) -> bool {
        let object = self.objects.get(&file);
        object.is_some_and(|object| object.strong_count() > 0)
    }
}
