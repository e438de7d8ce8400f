//! What a file was mapped by: not the file, but somebody's opening of it.
//!
//! All openings of a file share its pages. Their areas are areas of their own all the same, as on Linux: they don't merge,
//! and each is called by the name that its opening went by.

use alloc::sync::Arc;
use core::any::Any;
use core::fmt;

/// An opening, which whoever opens files knows more of; by default one that is no other than any of that kind.
#[derive(Clone, Default)]
pub struct Opening(Option<Arc<dyn Any + Send + Sync>>);

impl Opening {
    /// One that is like no other, and what is known of it.
    pub fn new(known: Arc<dyn Any + Send + Sync>) -> Self {
        Self(Some(known))
    }

    /// What is known of it.
    pub fn get<T: 'static>(&self) -> Option<&T> {
        self.0.as_ref()?.downcast_ref()
    }

    /// Whether both are one.
    pub(crate) fn is(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, None) => true,
            _ => false,
        }
    }
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.0.as_ref().map(Arc::as_ptr);
        f.debug_tuple("Opening").field(&address).finish()
    }
}
