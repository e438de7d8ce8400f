//! What the guest finds in its file system: the command line first, then the programs, then the user's own files. The
//! tree is gathered whole before a byte is written, so a missing file costs nobody half an image.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io::{BufWriter, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};

use crate::cpio::{self, Header, Kind, Writer};

/// Where the kernel looks for its command line: the archive's first entry.
const COMMAND_LINE: &str = "boot/cmdline";

/// The guest's file tree by path, without the leading slash. A folder sorts before what is in it.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    entries: BTreeMap<String, Entry>,
}

#[derive(Debug)]
struct Entry {
    permissions: u32,
    modified: u32,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Folder,
    File { host: PathBuf, length: u32 },
    Symlink(String),
}

impl Tree {
    /// Puts an executable of ours into `/bin`.
    pub(crate) fn add_program(&mut self, name: &str, host: &Path) -> Result<()> {
        let mut entry = regular(host, &metadata(host)?)?;
        entry.permissions = 0o755;
        entry.modified = 0;
        self.insert(format!("bin/{name}"), entry)
    }

    /// Takes what `--add` names: `HOST` or `HOST:GUEST`, a file or a whole folder.
    pub(crate) fn add(&mut self, request: &OsStr) -> Result<()> {
        if request.is_empty() || request.as_bytes().starts_with(b":") {
            bail!("--add names no file: write HOST or HOST:GUEST");
        }
        let (host, guest) = split_request(request)?;
        self.add_path(&host, guest, &metadata(&host)?)
    }

    pub(crate) fn contains(&self, guest: &str) -> bool {
        self.entries.contains_key(guest)
    }

    /// The names in `/bin`.
    pub(crate) fn programs(&self) -> impl Iterator<Item = &str> {
        self.entries
            .keys()
            .filter_map(|path| path.strip_prefix("bin/"))
    }

    /// Writes the archive; `command_line` is what the kernel finds before anything else.
    pub(crate) fn write(&self, to: &Path, command_line: &[u8]) -> Result<()> {
        let file = File::create(to).with_context(|| format!("cannot create {}", to.display()))?;
        let mut archive = Writer::new(BufWriter::new(file));
        let head = Header {
            name: COMMAND_LINE,
            kind: Kind::File,
            permissions: 0o444,
            modified: 0,
            length: u32::try_from(command_line.len()).context("the command line is too long")?,
        };
        archive.append(&head, command_line)?;
        for (name, entry) in &self.entries {
            entry
                .write(name, &mut archive)
                .with_context(|| format!("cannot put /{name} into the image"))?;
        }
        archive.finish().context("cannot write the initramfs")?;
        Ok(())
    }

    fn add_path(&mut self, host: &Path, guest: String, meta: &Metadata) -> Result<()> {
        if !meta.is_dir() {
            return self.insert(guest, leaf(host, meta)?);
        }
        if !guest.is_empty() {
            let folder = Entry {
                permissions: meta.mode(),
                modified: modified(meta),
                content: Content::Folder,
            };
            self.insert(guest.clone(), folder)?;
        }
        let children = fs::read_dir(host)
            .with_context(|| format!("cannot read the folder {}", host.display()))?;
        for child in children {
            let child =
                child.with_context(|| format!("cannot read the folder {}", host.display()))?;
            let name = utf8(&child.file_name())?.to_owned();
            let below = if guest.is_empty() {
                name
            } else {
                format!("{guest}/{name}")
            };
            let path = child.path();
            let meta = fs::symlink_metadata(&path)
                .with_context(|| format!("cannot look at {}", path.display()))?;
            self.add_path(&path, below, &meta)?;
        }
        Ok(())
    }

    /// The later entry of a name wins, except that a folder stays a folder and a file stays no folder.
    fn insert(&mut self, path: String, entry: Entry) -> Result<()> {
        if path.is_empty() {
            bail!("a file in the guest needs a name, as in HOST:/name");
        }
        if path == cpio::TRAILER {
            bail!("/{path} is the name that ends an archive: choose another one with HOST:GUEST");
        }
        for (cut, _) in path.match_indices('/') {
            let parent = self
                .entries
                .entry(path[..cut].to_owned())
                .or_insert_with(Entry::plain_folder);
            if !matches!(parent.content, Content::Folder) {
                bail!(
                    "/{path} cannot be in the guest because /{} is not a folder there",
                    &path[..cut]
                );
            }
        }
        let is_folder = matches!(entry.content, Content::Folder);
        match self.entries.get(&path) {
            Some(old) if matches!(old.content, Content::Folder) != is_folder => {
                bail!(
                    "/{path} would be both a folder and a file in the guest: choose another name with HOST:GUEST"
                )
            }
            _ => self.entries.insert(path, entry),
        };
        Ok(())
    }
}

impl Entry {
    fn plain_folder() -> Self {
        Self {
            permissions: 0o755,
            modified: 0,
            content: Content::Folder,
        }
    }

    fn write(&self, name: &str, archive: &mut Writer<impl Write>) -> Result<()> {
        let header = |kind, length| Header {
            name,
            kind,
            permissions: self.permissions,
            modified: self.modified,
            length,
        };
        match &self.content {
            Content::Folder => archive.append(&header(Kind::Folder, 0), &[][..])?,
            Content::File { host, length } => {
                archive.append(&header(Kind::File, *length), File::open(host)?)?
            }
            Content::Symlink(target) => {
                archive.append(
                    &header(Kind::Symlink, target.len() as u32),
                    target.as_bytes(),
                )?;
            }
        }
        Ok(())
    }
}

fn leaf(host: &Path, meta: &Metadata) -> Result<Entry> {
    if meta.is_file() {
        return regular(host, meta);
    }
    if !meta.is_symlink() {
        bail!(
            "{} is neither a file, a folder nor a symbolic link, so it cannot go into the image",
            host.display()
        );
    }
    let target =
        fs::read_link(host).with_context(|| format!("cannot read the link {}", host.display()))?;
    let content = Content::Symlink(utf8(target.as_os_str())?.to_owned());
    Ok(Entry {
        permissions: 0o777,
        modified: modified(meta),
        content,
    })
}

fn regular(host: &Path, meta: &Metadata) -> Result<Entry> {
    File::open(host).with_context(|| format!("cannot read {}", host.display()))?;
    let length = u32::try_from(meta.len()).map_err(|_| {
        anyhow!(
            "{} is too large: the initramfs holds files of up to 4 GiB",
            host.display()
        )
    })?;
    let content = Content::File {
        host: host.to_owned(),
        length,
    };
    Ok(Entry {
        permissions: meta.permissions().mode(),
        modified: modified(meta),
        content,
    })
}

/// Follows links: who names a link on the command line means the file behind it.
fn metadata(host: &Path) -> Result<Metadata> {
    fs::metadata(host).with_context(|| format!("cannot find {}", host.display()))
}

fn modified(meta: &Metadata) -> u32 {
    u32::try_from(meta.mtime()).unwrap_or(0)
}

/// Splits `HOST[:GUEST]`. A host path that holds a colon and exists is taken as it is.
fn split_request(request: &OsStr) -> Result<(PathBuf, String)> {
    let whole = Path::new(request);
    if !whole.exists()
        && let Some((host, guest)) = utf8(request)?.rsplit_once(':')
    {
        let host = PathBuf::from(host);
        let merges = guest == "/" && host.is_dir();
        let guest = if guest.ends_with('/') && !merges {
            format!("{guest}{}", base_name(&host)?)
        } else {
            guest.to_owned()
        };
        return Ok((host, guest_path(&guest)?));
    }
    Ok((whole.to_owned(), guest_path(&base_name(whole)?)?))
}

/// The last name of a host path, also of `.` and `..`.
fn base_name(host: &Path) -> Result<String> {
    let full = host
        .canonicalize()
        .with_context(|| format!("cannot find {}", host.display()))?;
    let name = host.file_name().or_else(|| full.file_name());
    name.map_or(Ok(String::new()), |name| Ok(utf8(name)?.to_owned()))
}

/// A guest path as the archive wants it: no leading slash, no `.`, and `..` is refused.
fn guest_path(path: &str) -> Result<String> {
    let mut names = Vec::new();
    for component in Path::new(path).components() {
        match component {
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
            Component::Normal(name) => names.push(utf8(name)?),
            Component::ParentDir => bail!("the guest path {path} must not hold `..`"),
        }
    }
    Ok(names.join("/"))
}

fn utf8(name: &OsStr) -> Result<&str> {
    name.to_str().ok_or_else(|| {
        anyhow!(
            "the name {} is not UTF-8, so it cannot go into the image",
            name.display()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_folder_is_taken_whole_and_its_links_stay_links() -> Result<()> {
        let host = tempfile::tempdir()?;
        fs::create_dir_all(host.path().join("data/deep"))?;
        fs::write(host.path().join("data/deep/file"), "text")?;
        symlink("deep/file", host.path().join("data/link"))?;
        let mut tree = Tree::default();
        tree.add(host.path().join("data").as_os_str())?;
        let names: Vec<_> = tree.entries.keys().map(String::as_str).collect();
        assert_eq!(names, ["data", "data/deep", "data/deep/file", "data/link"]);
        assert!(
            matches!(&tree.entries["data/link"].content, Content::Symlink(to) if to == "deep/file")
        );
        Ok(())
    }

    #[test]
    fn the_guest_path_is_the_users_choice() -> Result<()> {
        let host = tempfile::tempdir()?;
        let file = host.path().join("a.out");
        fs::write(&file, "text")?;
        for (suffix, expected) in [
            ("", "a.out"),
            (":/", "a.out"),
            (":/x/y", "x/y"),
            (":x", "x"),
            (":/opt/", "opt/a.out"),
        ] {
            let mut request = file.clone().into_os_string();
            request.push(suffix);
            assert_eq!(split_request(&request)?.1, expected, "{suffix}");
        }
        Ok(())
    }

    #[test]
    fn a_file_never_hides_a_folder_or_what_comes_behind_it() -> Result<()> {
        let host = tempfile::NamedTempFile::new()?;
        let mut tree = Tree::default();
        tree.add_program("init", host.path())?;
        for guest in ["/bin", "/bin/init/deeper", "", "/../etc", "/TRAILER!!!"] {
            let mut request = host.path().as_os_str().to_owned();
            request.push(":");
            request.push(guest);
            assert!(tree.add(&request).is_err(), "{guest} is accepted");
        }
        Ok(())
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = Tree::default()
            .add(OsStr::new("/no/such/file:/x"))
            .expect_err("it does not exist");
        assert!(error.to_string().contains("/no/such/file"), "{error}");
    }
}
