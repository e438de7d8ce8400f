//! Whose a file is, and what it is called where nobody else knows: for those who are shown nothing but the pages, in a read
//! or a report.
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;

use super::CachedFile;

/// What a file system knows of a file, in its own type.
pub type Owner = Arc<dyn Any + Send + Sync>;

/// What a file is known as.
#[derive(Debug)]
pub(super) struct Identity {
    /// Of files that no path leads to: the name must outlive their descriptors.
    name: Option<Vec<u8>>,
    owner: Option<Owner>,
}

impl Identity {
    pub(super) const NONE: Self = Self {
        name: None,
        owner: None,
    };
}

impl CachedFile {
    /// The same file with a name, for reports.
    pub fn with_name(mut self, name: Vec<u8>) -> Self {
        self.identity.name = Some(name);
        self
    }

    /// What [`Self::with_name`] called it; `None` for most.
    pub fn name(&self) -> Option<&[u8]> {
        self.identity.name.as_deref()
    }

    /// The same file, known to its file system as `owner`.
    pub fn with_owner(mut self, owner: Owner) -> Self {
        self.identity.owner = Some(owner);
        self
    }

    /// What its file system knows of it, if it has one.
    pub fn owner(&self) -> Option<&Owner> {
        self.identity.owner.as_ref()
    }
}

#[cfg(test)]
mod tests {
    //! That a file is never taken for another's.
    use alloc::sync::Arc;

    use crate::page_cache::{CachedFile, Source};

    #[test]
    fn no_file_loses_its_name_or_its_owner_to_the_other() {
        let nameless = CachedFile::new(1, Source::Memory, 0);
        assert!(nameless.name().is_none() && nameless.owner().is_none());
        let owned = nameless.with_owner(Arc::new(7_u8));
        assert!(owned.name().is_none());
        let both = owned.with_name(alloc::vec![b'n']);
        assert_eq!(both.name(), Some(&b"n"[..]));
        let owner = both.owner().expect("it was given one");
        assert_eq!(owner.downcast_ref::<u8>(), Some(&7));
        assert!(owner.downcast_ref::<u16>().is_none(), "another system's");
    }
}
