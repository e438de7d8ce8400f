//! Operations on what an inode holds: its bytes, its attributes, and its end.
use ext2::Error;

use super::{NOW, Scene};
use crate::model::{self, Content, PAGE};

impl Scene {
    pub(super) fn write(&mut self) -> Result<(), Error> {
        let Some(number) = self.file() else {
            return Ok(());
        };
        let reach = self
            .random
            .pick(&[PAGE, 20 * PAGE, 100 * PAGE, 500 * PAGE, 70 << 20]);
        let offset = self.random.below(reach);
        let most = self.random.pick(&[10, PAGE, 5 * PAGE, 40 * PAGE]);
        let length = 1 + self.random.below(most);
        let byte = 1 + self.random.below(255) as u8;
        let bytes = vec![byte; length as usize];
        self.write_bytes(number, offset, &bytes)
    }

    pub(crate) fn write_bytes(
        &mut self,
        number: u32,
        offset: u64,
        bytes: &[u8],
    ) -> Result<(), Error> {
        let node = self
            .model
            .nodes
            .get_mut(&number)
            .expect("the file is there");
        let Content::File { size, pages } = &mut node.content else {
            panic!("inode {number} is no file");
        };
        let end = offset + bytes.len() as u64;
        let changed = self.changes.of(number, *size);
        changed.pages.extend(offset / PAGE..end.div_ceil(PAGE));
        model::write(&self.volume, (number, size, pages), offset, bytes, NOW).1
    }

    pub(super) fn truncate(&mut self) -> Result<(), Error> {
        let Some(number) = self.file() else {
            return Ok(());
        };
        let chance = self.random.below(4);
        let up_to = self.random.pick(&[PAGE, 30 * PAGE, 600 * PAGE, 80 << 20]);
        let below = self.random.below(up_to);
        let Content::File { size, .. } = &self.model.nodes[&number].content else {
            panic!("inode {number} is no file");
        };
        let size = match chance {
            0 => 0,
            1 => *size / 2,
            _ => below,
        };
        self.truncate_to(number, size)
    }

    pub(crate) fn truncate_to(&mut self, number: u32, new: u64) -> Result<(), Error> {
        let node = self
            .model
            .nodes
            .get_mut(&number)
            .expect("the file is there");
        let Content::File { size, pages } = &mut node.content else {
            panic!("inode {number} is no file");
        };
        self.changes.of(number, new.min(*size));
        model::truncate(&self.volume, (number, size, pages), new, NOW)
    }

    pub(super) fn change(&mut self) -> Result<(), Error> {
        let numbers = self.model.numbers(|_| true);
        let number = self.random.pick(&numbers);
        self.changes.attributes.insert(number);
        let permissions = self.random.below(0o10_000) as u16;
        let owner = (
            self.random.below(1 << 32) as u32,
            self.random.below(1 << 20) as u32,
        );
        self.volume.change(number, |attributes| {
            attributes.mode = permissions;
            (attributes.user, attributes.group) = owner;
        })?;
        let node = self.model.nodes.get_mut(&number).expect("it is there");
        (node.permissions, node.owner) = (permissions, owner);
        Ok(())
    }

    /// Somebody closes a file without a name.
    pub(super) fn close(&mut self) -> Result<(), Error> {
        let Some(number) = self.model.open.pop_first() else {
            return Ok(());
        };
        self.model.nodes.remove(&number);
        self.volume.free(number, NOW)
    }

    /// Everybody does.
    pub(crate) fn close_all(&mut self) -> Result<(), Error> {
        while !self.model.open.is_empty() {
            self.close()?;
        }
        Ok(())
    }
}
