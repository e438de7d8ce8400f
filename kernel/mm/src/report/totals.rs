//! What a space's areas come to, by kind: the sizes that `status` and `statm` show.
use crate::space::AddressSpace;
use crate::vma::VmFlags;

/// Sizes in pages. Each area counts as one kind at most, beside the whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// All areas.
    pub mapped: u64,
    /// The most that all areas ever came to.
    pub peak: u64,
    /// Locked ones.
    pub locked: u64,
    /// Private and writable ones.
    pub data: u64,
    /// Those that grow down.
    pub stack: u64,
    /// Those that can be executed and not written.
    pub code: u64,
}

impl AddressSpace {
    /// What the areas come to.
    pub fn totals(&self) -> Totals {
        let books = self.books;
        let mut totals = Totals {
            mapped: books.mapped,
            peak: books.peak,
            locked: books.locked,
            data: books.data,
            ..Totals::default()
        };
        for vma in self.areas.iter() {
            let kind = vma.flags & (VmFlags::WRITE | VmFlags::EXEC | VmFlags::GROWS_DOWN);
            if kind == VmFlags::EXEC {
                totals.code += vma.len();
            } else if kind.contains(VmFlags::GROWS_DOWN) {
                totals.stack += vma.len();
            }
        }
        totals
    }
}
