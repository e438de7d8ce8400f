//! Files: the standard streams and the boot image's files, for reading.
use alloc::vec::Vec;
use core::sync::atomic::Ordering::Relaxed;

use abi::Errno;
use abi::general::{
    AT_EMPTY_PATH, AT_FDCWD, AT_NO_AUTOMOUNT, AT_SYMLINK_NOFOLLOW, F_DUPFD, F_DUPFD_CLOEXEC,
    F_GETFD, F_GETFL, F_SETFD, F_SETFL, FD_CLOEXEC, O_ACCMODE, O_CLOEXEC, O_CREAT, O_DIRECTORY,
    O_EXCL, O_NOFOLLOW, O_RDONLY, O_RDWR, S_IFCHR, S_IFIFO, SEEK_CUR, SEEK_END, SEEK_SET, W_OK,
};

use super::{Answer, Arguments, user};
use crate::console::{self, Input};
use crate::fs::files::{Descriptor, Kind, OnExec, OpenFile};
use crate::fs::{self, File, Links};
use crate::process::{current, sched};
use crate::{arch::timer, options};

/// Most bytes that one call transfers: Linux's MAX_RW_COUNT.
const MAX_COUNT: u64 = 0x7fff_f000;

/// Bytes copied at a time.
const PIECE: usize = 512;

/// Most buffers in a vector.
const MAX_VECTOR: u64 = 1024;

fn descriptor(number: u64) -> Result<Descriptor, Errno> {
    current().files.get(u64::from(number as u32))
}

/// read(2).
pub(super) fn read([number, buffer, length, ..]: Arguments) -> Answer {
    let open = descriptor(number)?.file;
    check_range(buffer, length)?;
    read_into(&open, buffer, length.min(MAX_COUNT))
}

fn read_into(open: &OpenFile, buffer: u64, length: u64) -> Answer {
    match &open.kind {
        Kind::Console => read_console(buffer, length),
        Kind::File(file) => {
            let count = read_file(file, open.position.load(Relaxed), buffer, length)?;
            open.advance(count);
            Ok(count)
        }
    }
}

/// Waits for input, then takes what there is.
fn read_console(buffer: u64, length: u64) -> Answer {
    let mut piece = [0; PIECE];
    let room = &mut piece[..length.min(PIECE as u64) as usize];
    if room.is_empty() {
        return Ok(0);
    }
    loop {
        match console::read_available(room) {
            Input::Bytes(count) => {
                user::write_bytes(buffer, &room[..count])?;
                return Ok(count as u64);
            }
            Input::Eof => return Ok(0),
            Input::Empty if current().signals.is_ending() => return Err(Errno::EINTR),
            Input::Empty => sched::park_until(timer::nanoseconds() + timer::TICK_NANOSECONDS),
        }
    }
}

fn read_file(file: &File, offset: u64, buffer: u64, length: u64) -> Answer {
    if file.is_directory() {
        return Err(Errno::EISDIR);
    }
    let mut done = 0;
    while done < length {
        let mut piece = [0; PIECE];
        let want = (length - done).min(PIECE as u64) as usize;
        let count = file.read_at(offset.saturating_add(done), &mut piece[..want]);
        if count == 0 {
            break;
        }
        match user::write_bytes(buffer.wrapping_add(done), &piece[..count]) {
            Ok(()) => done += count as u64,
            Err(errno) if done == 0 => return Err(errno),
            Err(_) => break,
        }
    }
    Ok(done)
}

/// pread(2).
pub(super) fn pread64([number, buffer, length, offset, ..]: Arguments) -> Answer {
    if (offset as i64) < 0 {
        return Err(Errno::EINVAL);
    }
    match &descriptor(number)?.file.kind {
        Kind::Console => Err(Errno::ESPIPE),
        Kind::File(file) => {
            check_range(buffer, length)?;
            read_file(file, offset, buffer, length.min(MAX_COUNT))
        }
    }
}

/// write(2).
pub(super) fn write([number, buffer, length, ..]: Arguments) -> Answer {
    let open = descriptor(number)?.file;
    check_writable(&open)?;
    check_range(buffer, length)?;
    write_console(buffer, length.min(MAX_COUNT))
}

fn check_writable(open: &OpenFile) -> Result<(), Errno> {
    match open.kind {
        Kind::Console => Ok(()),
        Kind::File(_) => Err(Errno::EBADF),
    }
}

/// Writes all of it; up to the first byte that can't be read.
fn write_console(buffer: u64, length: u64) -> Answer {
    let mut done = 0;
    while done < length {
        let mut piece = [0; PIECE];
        let at = buffer.wrapping_add(done);
        let to_page_end = mm::PAGE_SIZE - at % mm::PAGE_SIZE;
        let count = (length - done).min(PIECE as u64).min(to_page_end) as usize;
        match user::read_bytes(at, &mut piece[..count]) {
            Ok(()) => console::write(&piece[..count]),
            Err(errno) if done == 0 => return Err(errno),
            Err(_) => break,
        }
        done += count as u64;
    }
    Ok(done)
}

/// Refuses buffers that reach out of the user half, as Linux does before it touches them.
fn check_range(buffer: u64, length: u64) -> Result<(), Errno> {
    let end = buffer.checked_add(length).ok_or(Errno::EFAULT)?;
    if end <= mm::space::USER_END.address() {
        Ok(())
    } else {
        Err(Errno::EFAULT)
    }
}

/// readv(2).
pub(super) fn readv([number, vector, count, ..]: Arguments) -> Answer {
    let open = descriptor(number)?.file;
    each_buffer(vector, count, |buffer, length| {
        read_into(&open, buffer, length)
    })
}

/// writev(2).
pub(super) fn writev([number, vector, count, ..]: Arguments) -> Answer {
    let open = descriptor(number)?.file;
    check_writable(&open)?;
    each_buffer(vector, count, write_console)
}

/// Transfers the buffers of a vector one after another until one comes up short.
fn each_buffer(vector: u64, count: u64, mut transfer: impl FnMut(u64, u64) -> Answer) -> Answer {
    let buffers = read_vector(vector, count)?;
    let mut done = 0;
    for [buffer, length] in buffers {
        match transfer(buffer, length) {
            Ok(count) => done += count,
            Err(errno) if done == 0 => return Err(errno),
            Err(_) => break,
        }
        if done == 0 || length == 0 {
            continue;
        }
        if done % length != 0 && done < length {
            break;
        }
    }
    Ok(done)
}

/// Copies a vector in and checks it as a whole.
fn read_vector(vector: u64, count: u64) -> Result<Vec<[u64; 2]>, Errno> {
    if count > MAX_VECTOR {
        return Err(Errno::EINVAL);
    }
    let mut buffers = Vec::new();
    buffers
        .try_reserve_exact(count as usize)
        .map_err(|_| Errno::ENOMEM)?;
    let mut left = MAX_COUNT;
    for number in 0..count {
        let [buffer, length]: [u64; 2] = user::read_words(vector.wrapping_add(16 * number))?;
        if (length as i64) < 0 {
            return Err(Errno::EINVAL);
        }
        check_range(buffer, length)?;
        buffers.push([buffer, length.min(left)]);
        left -= length.min(left);
    }
    Ok(buffers)
}

/// open(2).
pub(super) fn open([path, flags, mode, ..]: Arguments) -> Answer {
    openat([AT_FDCWD as u64, path, flags, mode, 0, 0])
}

/// openat(2), for reading: the boot image can't be written.
pub(super) fn openat([directory, path, flags, ..]: Arguments) -> Answer {
    let flags = flags as u32;
    let path = user::path(path)?;
    let links = if flags & O_NOFOLLOW != 0 {
        Links::Keep
    } else {
        Links::Follow
    };
    let file = match at(directory, &path).and_then(|path| fs::lookup(&path, links)) {
        Err(Errno::ENOENT) if flags & O_CREAT != 0 => return Err(Errno::EROFS),
        found => found?,
    };
    if flags & (O_CREAT | O_EXCL) == O_CREAT | O_EXCL {
        return Err(Errno::EEXIST);
    }
    if flags & O_DIRECTORY != 0 && !file.is_directory() {
        return Err(Errno::ENOTDIR);
    }
    if flags & O_ACCMODE != O_RDONLY {
        return Err(if file.is_directory() {
            Errno::EISDIR
        } else {
            Errno::EROFS
        });
    }
    let open = OpenFile::try_new(Kind::File(file)).map_err(|_| Errno::ENOMEM)?;
    let on_exec = if flags & O_CLOEXEC != 0 {
        OnExec::Close
    } else {
        OnExec::Keep
    };
    current()
        .files
        .add(
            Descriptor {
                file: open,
                on_exec,
            },
            0,
        )
        .map(|number| number as u64)
}

/// `path`, if it starts at the root or at the working directory, which is the root.
fn at(directory: u64, path: &[u8]) -> Result<Vec<u8>, Errno> {
    if !path.starts_with(b"/") && directory as i32 != AT_FDCWD {
        descriptor(directory)?;
        return Err(Errno::ENOTDIR);
    }
    let mut copy = Vec::new();
    copy.try_reserve_exact(path.len())
        .map_err(|_| Errno::ENOMEM)?;
    copy.extend_from_slice(path);
    Ok(copy)
}

/// close(2).
pub(super) fn close([number, ..]: Arguments) -> Answer {
    current().files.close(u64::from(number as u32)).map(|()| 0)
}

/// lseek(2).
pub(super) fn lseek([number, offset, whence, ..]: Arguments) -> Answer {
    let open = descriptor(number)?.file;
    let Kind::File(file) = &open.kind else {
        return Err(Errno::ESPIPE);
    };
    let base = match whence as u32 {
        SEEK_SET => 0,
        SEEK_CUR => open.position.load(Relaxed) as i64,
        SEEK_END => file.size() as i64,
        _ => return Err(Errno::EINVAL),
    };
    let position = base.checked_add(offset as i64).ok_or(Errno::EOVERFLOW)?;
    let position = u64::try_from(position).map_err(|_| Errno::EINVAL)?;
    open.position.store(position, Relaxed);
    Ok(position)
}

/// fstat(2).
pub(super) fn fstat([number, buffer, ..]: Arguments) -> Answer {
    let status = match &descriptor(number)?.file.kind {
        Kind::Console => console_status(),
        Kind::File(file) => file_status(file),
    };
    user::write_words(buffer, status)?;
    Ok(0)
}

/// stat(2).
pub(super) fn stat([path, buffer, ..]: Arguments) -> Answer {
    newfstatat([AT_FDCWD as u64, path, buffer, 0, 0, 0])
}

/// lstat(2).
pub(super) fn lstat([path, buffer, ..]: Arguments) -> Answer {
    newfstatat([
        AT_FDCWD as u64,
        path,
        buffer,
        AT_SYMLINK_NOFOLLOW.into(),
        0,
        0,
    ])
}

/// fstatat(2).
pub(super) fn newfstatat([directory, path, buffer, flags, ..]: Arguments) -> Answer {
    let flags = flags as u32;
    if flags & !(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT) != 0 {
        return Err(Errno::EINVAL);
    }
    let path = user::path(path)?;
    if path.is_empty() && flags & AT_EMPTY_PATH != 0 && directory as i32 != AT_FDCWD {
        return fstat([directory, buffer, 0, 0, 0, 0]);
    }
    let links = if flags & AT_SYMLINK_NOFOLLOW != 0 {
        Links::Keep
    } else {
        Links::Follow
    };
    let path = at(directory, &path)?;
    user::write_words(buffer, file_status(&*fs::lookup(&path, links)?))?;
    Ok(0)
}

/// The words of `struct stat` for a file.
fn file_status(file: &File) -> [u64; 18] {
    let mut words = [0; 18];
    words[0] = 1;
    words[1] = file.number();
    words[2] = 1;
    words[3] = file.mode().into();
    words[6] = file.size();
    words[7] = mm::PAGE_SIZE;
    words[8] = file.size().div_ceil(512);
    words
}

/// The words of `struct stat` for a standard stream: a pipe, or a terminal.
fn console_status() -> [u64; 18] {
    const TTY_DEVICE: u64 = 4 << 8 | 64;
    let terminal = is_terminal();
    let mut words = [0; 18];
    words[0] = 2;
    words[1] = 1;
    words[2] = 1;
    words[3] = if terminal {
        S_IFCHR | 0o620
    } else {
        S_IFIFO | 0o600
    }
    .into();
    words[5] = if terminal { TTY_DEVICE } else { 0 };
    words[7] = if terminal { 1024 } else { mm::PAGE_SIZE };
    words
}

/// access(2): the caller may do all that can be done.
pub(super) fn access([path, mode, ..]: Arguments) -> Answer {
    if mode & !7 != 0 {
        return Err(Errno::EINVAL);
    }
    fs::lookup(&user::path(path)?, Links::Follow)?;
    if mode as u32 & W_OK != 0 {
        Err(Errno::EROFS)
    } else {
        Ok(0)
    }
}

/// readlink(2).
pub(super) fn readlink([path, buffer, length, ..]: Arguments) -> Answer {
    let length = usize::try_from(length as i32)
        .ok()
        .filter(|&length| length > 0)
        .ok_or(Errno::EINVAL)?;
    let link = fs::read_link(&user::path(path)?)?;
    let mut target = [0; PIECE];
    let count = link.read_at(0, &mut target).min(length);
    user::write_bytes(buffer, &target[..count])?;
    Ok(count as u64)
}

/// ioctl(2): what a terminal is asked, which only a console on a terminal answers.
pub(super) fn ioctl([number, request, argument, ..]: Arguments) -> Answer {
    const TCGETS: u64 = 0x5401;
    const TIOCGWINSZ: u64 = 0x5413;
    let open = descriptor(number)?.file;
    if !matches!(open.kind, Kind::Console) || !is_terminal() {
        return Err(Errno::ENOTTY);
    }
    match request {
        TCGETS => user::write_bytes(argument, &cooked_terminal())?,
        // 24 rows of 80 columns, 16 bits each.
        TIOCGWINSZ => user::write_words(argument, [24 | 80 << 16])?,
        _ => return Err(Errno::ENOTTY),
    }
    Ok(0)
}

/// The kernel's `struct termios` of a terminal as Linux starts one: lines, echo, the usual control characters.
fn cooked_terminal() -> [u8; 36] {
    const MODES: [u32; 4] = [0x500, 0x5, 0xcbf, 0x8a3b];
    const CONTROL: [u8; 19] = [
        3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0, 0, 0,
    ];
    let mut bytes = [0; 36];
    for (place, mode) in bytes.chunks_exact_mut(4).zip(MODES) {
        place.copy_from_slice(&mode.to_le_bytes());
    }
    bytes[17..].copy_from_slice(&CONTROL);
    bytes
}

/// Whether the standard streams claim to be a terminal.
fn is_terminal() -> bool {
    options::get().stdio == options::Stdio::Tty
}

/// fcntl(2).
pub(super) fn fcntl([number, command, argument, ..]: Arguments) -> Answer {
    let open = descriptor(number)?;
    match command as u32 {
        F_DUPFD => duplicate(open, argument, OnExec::Keep),
        F_DUPFD_CLOEXEC => duplicate(open, argument, OnExec::Close),
        F_GETFD => Ok(if open.on_exec == OnExec::Close {
            FD_CLOEXEC.into()
        } else {
            0
        }),
        F_SETFD => {
            let on_exec = if argument as u32 & FD_CLOEXEC != 0 {
                OnExec::Close
            } else {
                OnExec::Keep
            };
            current().files.set_on_exec(number, on_exec).map(|()| 0)
        }
        F_GETFL => Ok(match open.file.kind {
            Kind::Console => O_RDWR.into(),
            Kind::File(_) => O_RDONLY.into(),
        }),
        F_SETFL => Ok(0),
        _ => Err(Errno::EINVAL),
    }
}

fn duplicate(open: Descriptor, lowest: u64, on_exec: OnExec) -> Answer {
    let lowest = usize::try_from(lowest as i32)
        .ok()
        .filter(|&lowest| lowest < 1024)
        .ok_or(Errno::EINVAL)?;
    current()
        .files
        .add(Descriptor { on_exec, ..open }, lowest)
        .map(|number| number as u64)
}

/// dup(2).
pub(super) fn dup([number, ..]: Arguments) -> Answer {
    duplicate(descriptor(number)?, 0, OnExec::Keep)
}

/// dup2(2).
pub(super) fn dup2([old, new, ..]: Arguments) -> Answer {
    let open = descriptor(old)?;
    if old as u32 != new as u32 {
        put(open, new, OnExec::Keep)?;
    }
    Ok(u64::from(new as u32))
}

/// dup3(2).
pub(super) fn dup3([old, new, flags, ..]: Arguments) -> Answer {
    if old as u32 == new as u32 || flags & !u64::from(O_CLOEXEC) != 0 {
        return Err(Errno::EINVAL);
    }
    put(
        descriptor(old)?,
        new,
        if flags == 0 {
            OnExec::Keep
        } else {
            OnExec::Close
        },
    )?;
    Ok(u64::from(new as u32))
}

fn put(open: Descriptor, number: u64, on_exec: OnExec) -> Result<(), Errno> {
    let number = usize::try_from(number as i32).map_err(|_| Errno::EBADF)?;
    current().files.put(Descriptor { on_exec, ..open }, number)
}

/// getcwd(2): the root.
pub(super) fn getcwd([buffer, length, ..]: Arguments) -> Answer {
    if length < 2 {
        return Err(Errno::ERANGE);
    }
    user::write_bytes(buffer, b"/\0")?;
    Ok(2)
}
