//! The socket that `--monitor` names. QEMU deletes whatever has that name before it listens, and leaves the socket behind
//! when the machine ends itself; so what is there is looked at first, and what was made goes with the run.

use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// A name that QEMU may make a socket of; the socket goes with this.
pub(crate) struct Socket(PathBuf);

impl Socket {
    pub(crate) fn reserve(path: &Path) -> Result<Self> {
        let shown = path.display();
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| format!("cannot look at {shown}")),
            Ok(found) if !found.file_type().is_socket() => {
                bail!("{shown} is there already and is no socket: give --monitor another name")
            }
            Ok(_) if UnixStream::connect(path).is_ok() => {
                bail!("another machine listens at {shown}: give --monitor another name")
            }
            // Nobody listens: a run that was killed has left it.
            Ok(_) => {}
        }
        Ok(Self(path.to_owned()))
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // A QEMU that never came to make it left nothing to remove.
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn a_file_is_never_made_a_socket_and_a_stale_socket_is_no_obstacle() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let (file, socket) = (folder.path().join("file"), folder.path().join("socket"));
        fs::write(&file, "precious")?;
        assert!(Socket::reserve(&file).is_err());
        assert_eq!(fs::read_to_string(&file)?, "precious");
        let listener = UnixListener::bind(&socket)?;
        assert!(Socket::reserve(&socket).is_err());
        drop(listener);
        drop(Socket::reserve(&socket)?);
        assert!(!socket.exists());
        Ok(())
    }
}
