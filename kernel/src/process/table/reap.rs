//! Looking for the child that a `wait` is for.
//!
//! The oldest that ended comes first. Only calls that want more than "any child that ended" look at more than one.
use super::{Entry, List, NOBODY, State, TABLE, Table};
use crate::process::wait::{Children, Found, Status, Wanted};

impl Entry {
    fn is_child_of(&self, parent: u32, list: List) -> bool {
        let exists = !matches!(self.state, State::Vacant | State::Reserved);
        exists && parent != NOBODY && self.parent == parent && self.list == list
    }
}

impl Table {
    /// The children of `parent` on one of its lists that a `wait` is for, in order of age.
    fn candidates(&self, parent: u32, list: List, children: Children) -> impl Iterator<Item = u32> {
        let real = |pid: u32| Some(pid).filter(|&pid| pid != NOBODY);
        let entry = move |pid| self.entries.get(pid);
        let first = match children {
            Children::One(pid) => entry(pid)
                .filter(|entry| entry.is_child_of(parent, list))
                .map(|_| pid),
            Children::Any | Children::Group(_) => entry(parent).and_then(|entry| match list {
                List::Living => real(entry.living.first),
                List::Ended => real(entry.ended.first),
            }),
        };
        let next = move |&pid: &u32| match children {
            Children::One(_) => None,
            Children::Any | Children::Group(_) => real(entry(pid)?.next),
        };
        let is_wanted = move |&pid: &u32| match children {
            Children::Group(group) => self
                .process(pid)
                .is_some_and(|process| process.membership.group() == group),
            Children::Any | Children::One(_) => true,
        };
        core::iter::successors(first, next).filter(is_wanted)
    }

    /// A child that lives and has such news as are `wanted`. Only a call that wants any looks at all children.
    fn changed(&self, parent: u32, children: Children, wanted: Wanted) -> Option<(u32, Status)> {
        if !wanted.intersects(Wanted::STOPPED | Wanted::CONTINUED) {
            return None;
        }
        self.candidates(parent, List::Living, children)
            .find_map(|pid| {
                let news = self.entries.get(pid)?.news?;
                wanted.includes(news).then_some((pid, news))
            })
    }
}

/// Looks for a child of `parent` that has ended, and forgets it; else for one with such news as are `wanted`. What is to
/// be kept is only looked at.
pub(in crate::process) fn reap(parent: u32, children: Children, wanted: Wanted) -> Found {
    let mut table = TABLE.lock();
    let ended = if wanted.contains(Wanted::ENDED) {
        table.candidates(parent, List::Ended, children).next()
    } else {
        None
    };
    if let Some(pid) = ended
        && let State::Zombie(process, status) = &table.entry(pid).state
    {
        let (process, status) = (process.clone(), *status);
        let gone = (!wanted.contains(Wanted::KEPT)).then(|| table.remove(pid));
        drop(table);
        drop(gone);
        return Found::Ended(process, status);
    }
    if let Some((pid, news)) = table.changed(parent, children, wanted) {
        if !wanted.contains(Wanted::KEPT) {
            table.entry(pid).news = None;
        }
        return Found::Changed(pid, news);
    }
    let lives = table.candidates(parent, List::Living, children).next();
    lives.map_or(Found::Nobody, |_| Found::Alive)
}
