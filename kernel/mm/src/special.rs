//! What the kernel puts into a program's memory by itself: Linux's special mappings, as `[vdso]` and `[vvar]`.
//!
//! Each is one page of a file that nobody can open. A program may move it or give it up, but it is one, and stays one: no
//! lock holds it, `mremap` neither stretches nor doubles it, it joins no neighbour. Linux also refuses to cut those of
//! several pages; here none has several. What is raw beside that is not even memory: the program reads it, and nobody else
//! does, neither another process nor a count.
use alloc::format;
use alloc::string::String;

use crate::error::Error;
use crate::mremap::RemapFlags;
use crate::vma::{VmFlags, Vma};

impl VmFlags {
    /// Whether an area may ever have all these flags.
    pub(crate) fn agree(self) -> bool {
        !self.contains(Self::WRITE | Self::NEVER_WRITE) && !self.contains(Self::EXEC | Self::RAW)
    }

    /// The same flags, locked as `lock` says where a lock can hold such an area.
    pub(crate) fn locked(self, lock: Self) -> Self {
        if self.contains(Self::SPECIAL) {
            return self;
        }
        (self - Self::LOCK) | lock
    }
}

impl Vma {
    /// Whether `mremap` may take the area's pages away and leave the area.
    pub(crate) fn may_go(&self, flags: RemapFlags) -> Result<(), Error> {
        if flags.contains(RemapFlags::DONT_UNMAP) && self.flags.contains(VmFlags::SPECIAL) {
            return Err(Error::Invalid);
        }
        Ok(())
    }
}

/// What the kernel put there is a page, which no lock holds; what is no memory beside that can only be read.
pub(crate) fn check_special(vma: &Vma) -> Result<(), String> {
    let has = |flags| vma.flags.contains(flags);
    let is_special = has(VmFlags::SPECIAL);
    let wrong = match () {
        () if !vma.flags.agree() => "has rights that it may not have",
        () if is_special && vma.len() != 1 => "has not one page",
        () if is_special && vma.flags.intersects(VmFlags::LOCK) => "is locked",
        () if has(VmFlags::RAW) && !has(VmFlags::SPECIAL | VmFlags::NEVER_WRITE) => "is raw alone",
        () => return Ok(()),
    };
    Err(format!("{vma:x?} {wrong}"))
}

#[cfg(test)]
mod tests;
