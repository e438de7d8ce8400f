//! What a file is called where nobody else knows: memory files, whose name must outlive their descriptors.
use alloc::vec::Vec;

use super::CachedFile;

impl CachedFile {
    /// The same file with a name, for reports.
    pub fn with_name(mut self, name: Vec<u8>) -> Self {
        self.name = Some(name);
        self
    }

    /// What [`Self::with_name`] called it: nothing for most.
    pub fn name(&self) -> Option<&[u8]> {
        self.name.as_deref()
    }
}
