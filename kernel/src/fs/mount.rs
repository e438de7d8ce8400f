//! Which tree a path belongs to: the archive is the root, and some of its folders lead to trees of their own.
use super::node::Node;
use super::{archive, devices, proc};

/// A tree, asked by the path below its root; the empty path is the root itself.
type Find = fn(&[u8]) -> Option<Node>;

/// Where trees other than the archive hang.
const MOUNTS: [(&[u8], Find); 3] = [
    (b"proc", proc::find),
    (b"sys", proc::find_in_sys),
    (b"dev", devices::find),
];

/// What stands at a path without links, `.`, `..` and slashes at either end.
pub(super) fn find(path: &[u8]) -> Option<Node> {
    for (point, find) in MOUNTS {
        match path.strip_prefix(point) {
            Some([]) => return find(&[]),
            Some([b'/', below @ ..]) => return find(below),
            _ => {}
        }
    }
    archive().find(path).cloned().map(Node::File)
}
