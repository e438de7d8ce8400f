//! Entries that move: rename(2) and its kin. The caller has looked at all that does not depend on the file system.
use alloc::sync::Arc;

use abi::Errno;

use super::Node;
use super::directory::of_volume;
use super::label::Label;
use crate::fs::inode::{self, Inode, Taken};

impl Node {
    /// Moves entry `name`; what is `left` takes its place.
    pub(super) fn move_entry(
        &self,
        name: &[u8],
        to: Arc<dyn Inode>,
        new_name: &[u8],
        taken: Taken,
        left: Option<Arc<Self>>,
    ) -> Result<(), Errno> {
        let to = of_volume(self, to)?;
        let _names = self.volume.names.enter();
        let node = self.find(name)?;
        let other = match to.find(new_name) {
            Err(Errno::ENOENT) => None,
            found => Some(found?),
        };
        match (&other, taken) {
            (Some(_), Taken::Refuse) => return Err(Errno::EEXIST),
            (None, Taken::Exchange) => return Err(Errno::ENOENT),
            _ => {}
        }
        if to.is_within(&node) {
            return Err(Errno::EINVAL);
        }
        let Some(me) = self.me().upgrade() else {
            return Err(Errno::ENOENT);
        };
        if let Some(other) = &other {
            if me.is_within(other) && other.is_folder() {
                return Err(match taken {
                    Taken::Exchange => Errno::EINVAL,
                    _ => Errno::ENOTEMPTY,
                });
            }
            if Arc::ptr_eq(&node, other) {
                return Ok(());
            }
        }
        match other {
            Some(other) if taken == Taken::Exchange => {
                exchange((&me, name, &node), (&to, new_name, &other))
            }
            other => replace((&me, name, &node), (&to, new_name, other), left),
        }
    }
}

/// The two change places.
fn exchange(
    (from, name, node): (&Arc<Node>, &[u8], &Arc<Node>),
    (to, new_name, other): (&Arc<Node>, &[u8], &Arc<Node>),
) -> Result<(), Errno> {
    let [label, other_label] = [from.entry_of(name)?.label, to.entry_of(new_name)?.label];
    let (name, new_name) = (inode::name_of(name)?, inode::name_of(new_name)?);
    to.entries()?
        .put(new_name.clone(), node.clone(), label.clone());
    from.entries()?
        .put(name.clone(), other.clone(), other_label.clone());
    label.move_to(to.me(), new_name);
    other_label.move_to(from.me(), name);
    for (node, old, new) in [(node, from, to), (other, to, from)] {
        if node.is_folder() {
            old.attributes.lock().links -= 1;
            new.attributes.lock().links += 1;
        }
        node.note_status_change();
    }
    from.note_change();
    to.note_change();
    Ok(())
}

/// One takes the place of the other, if there is one.
fn replace(
    (from, name, node): (&Arc<Node>, &[u8], &Arc<Node>),
    (to, new_name, other): (&Arc<Node>, &[u8], Option<Arc<Node>>),
    left: Option<Arc<Node>>,
) -> Result<(), Errno> {
    if let Some(other) = &other {
        match (node.is_folder(), other.is_folder()) {
            (true, false) => return Err(Errno::ENOTDIR),
            (false, true) => return Err(Errno::EISDIR),
            (true, true) if !other.is_empty() => return Err(Errno::ENOTEMPTY),
            _ => {}
        }
    }
    let (old, new) = (inode::name_of(name)?, inode::name_of(new_name)?);
    let label = from.entry_of(name)?.label;
    let left = match left {
        Some(left) => Some((left, Label::try_new(from.me(), old.clone())?)),
        None => None,
    };
    let mut entries = to.live_entries()?;
    entries.reserve()?;
    let gone = entries.put(new.clone(), node.clone(), label.clone());
    drop(entries);
    if let Some(gone) = gone {
        gone.node.drop_link(to, &gone.label);
    }
    match left {
        None => drop(from.entries()?.remove(name)),
        Some((left, its_label)) => {
            from.entries()?.put(old, left.clone(), its_label.clone());
            left.add_link(from, its_label);
        }
    }
    if node.is_folder() {
        from.attributes.lock().links -= 1;
        to.attributes.lock().links += 1;
    }
    label.move_to(to.me(), new);
    node.note_status_change();
    from.note_change();
    to.note_change();
    Ok(())
}
