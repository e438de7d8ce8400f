//! What stands in slots of a vector, in some order: linked by the slots' numbers, so that nothing on the way needs memory.

/// What can stand in a list, in one at a time.
pub(crate) trait Linked {
    /// The slot of the next one.
    fn next(&mut self) -> &mut Option<u32>;
}

/// The first and the last of those that stand in a list.
#[derive(Clone, Copy)]
pub(crate) struct List {
    ends: Option<(u32, u32)>,
}

impl List {
    /// An empty list.
    pub(crate) const fn new() -> Self {
        Self { ends: None }
    }

    /// The one in front.
    pub(crate) fn first(&self) -> Option<u32> {
        self.ends.map(|(first, _)| first)
    }

    /// Puts `number` behind all others.
    pub(crate) fn push(&mut self, slots: &mut [impl Linked], number: u32) {
        *slots[number as usize].next() = None;
        let ends = Some((number, number));
        self.append(slots, Self { ends });
    }

    /// Puts all of `other` behind this one's.
    pub(crate) fn append(&mut self, slots: &mut [impl Linked], other: Self) {
        let Some((first, last)) = other.ends else {
            return;
        };
        self.ends = match self.ends {
            Some((start, end)) => {
                *slots[end as usize].next() = Some(first);
                Some((start, last))
            }
            None => other.ends,
        };
    }

    /// Takes the one in front out.
    pub(crate) fn pop(&mut self, slots: &mut [impl Linked]) -> Option<u32> {
        let (first, last) = self.ends?;
        let next = slots[first as usize].next().take();
        self.ends = next.map(|next| (next, last));
        Some(first)
    }

    /// Takes `number` out; false where it is not in the list.
    pub(crate) fn remove(&mut self, slots: &mut [impl Linked], number: u32) -> bool {
        let mut rest = core::mem::replace(self, Self::new());
        let mut found = false;
        while let Some(next) = rest.pop(slots) {
            if next == number {
                found = true;
            } else {
                self.push(slots, next);
            }
        }
        found
    }
}
