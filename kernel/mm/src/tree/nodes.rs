//! Where a tree's nodes stand: in rows of a few, which never move.
//!
//! One vector for all of them would move every node whenever it grows, under a lock, and ask for a block of memory twice
//! as large as what is there: a file that many areas show needs more than the largest block there is, and long before that
//! more than a machine that has been up for a while has in one piece.
use alloc::boxed::Box;
use alloc::vec::Vec;

use super::{Item, Node};
use crate::error::OutOfMemory;

/// Nodes in a row: as many as a small process has areas. A row is found by a shift, and in it a node without a check.
pub(super) const ROW: usize = 16;

#[derive(Debug)]
pub(super) struct Nodes<T: Item>(Vec<Row<T>>);

type Row<T> = Box<[Node<T>; ROW]>;

impl<T: Item> Nodes<T> {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    /// How many there are, used or not.
    pub(super) fn len(&self) -> usize {
        ROW * self.0.len()
    }

    /// Bytes of the heap that they take.
    pub(super) fn bytes(&self) -> usize {
        self.0.capacity() * size_of::<Row<T>>() + self.len() * size_of::<Node<T>>()
    }

    #[inline]
    pub(super) fn get(&self, at: u32) -> Option<&Node<T>> {
        let at = at as usize;
        let row = self.0.get(at / ROW)?;
        Some(&row[at % ROW])
    }

    #[inline]
    pub(super) fn get_mut(&mut self, at: u32) -> Option<&mut Node<T>> {
        let at = at as usize;
        let row = self.0.get_mut(at / ROW)?;
        Some(&mut row[at % ROW])
    }

    /// Adds a row of vacant nodes, linked in order, the last to `next`.
    pub(super) fn grow(&mut self, next: u32) -> Result<(), OutOfMemory> {
        let first = self.len() as u32;
        let last = first + ROW as u32 - 1;
        let links = (first + 1..=last).chain([next]);
        self.0.try_reserve(1)?;
        self.0.push(row(links.map(Node::vacant))?);
        Ok(())
    }

    pub(super) fn try_clone(&self) -> Result<Self, OutOfMemory>
    where
        T: Clone,
    {
        let mut rows = Vec::new();
        rows.try_reserve_exact(self.0.len())?;
        for nodes in &self.0 {
            rows.push(row(nodes.iter().cloned())?);
        }
        Ok(Self(rows))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Node<T>> {
        self.0.iter_mut().flat_map(|row| row.iter_mut())
    }

    /// Row by row from where they are: a row by value is too much for a kernel stack.
    pub(super) fn into_iter(self) -> impl Iterator<Item = Node<T>> {
        let nodes = |row: Row<T>| (row as Box<[Node<T>]>).into_vec();
        self.0.into_iter().flat_map(nodes)
    }
}

/// A row of the first nodes of `nodes`, which has enough.
fn row<T: Item>(nodes: impl Iterator<Item = Node<T>>) -> Result<Row<T>, OutOfMemory> {
    let mut row = Vec::new();
    row.try_reserve_exact(ROW)?;
    row.extend(nodes.take(ROW));
    row.into_boxed_slice().try_into().map_err(|_| OutOfMemory)
}

#[cfg(test)]
mod tests {
    use super::{Nodes, ROW};
    use crate::tree::{Item, NIL, Node};

    #[derive(Clone, Debug)]
    struct Nothing;

    impl Item for Nothing {
        type Key = ();
        type Summary = ();
        fn key(&self) {}
        fn summarise(&self, _: Option<&()>, _: Option<&()>) {}
    }

    #[test]
    fn no_node_is_lost_between_rows() {
        for rows in 0..4 {
            let mut nodes: Nodes<Nothing> = Nodes::new();
            let mut vacant = NIL;
            for _ in 0..rows {
                let first = nodes.len() as u32;
                nodes.grow(vacant).expect("there is memory");
                vacant = first;
            }
            let mut nodes = nodes.try_clone().expect("there is memory");
            let mut seen = 0;
            while let Some(Node { left, .. }) = nodes.get(vacant) {
                (vacant, seen) = (*left, seen + 1);
            }
            assert_eq!((vacant, seen), (NIL, rows * ROW));
            let end = nodes.len() as u32;
            assert!((0..end).all(|at| nodes.get_mut(at).is_some()));
            assert!(nodes.get(end).is_none() && nodes.get_mut(NIL).is_none());
            assert_eq!(nodes.iter_mut().count(), rows * ROW);
            assert_eq!(nodes.into_iter().count(), rows * ROW);
        }
    }
}
