//! What the tool answers where the workstation fails it: full disks, readers that went away, limits, names and files that
//! are none for it, somebody else's hand on QEMU. One sentence each, no panic, nothing left behind. Hardly any of it takes
//! a machine.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;

use crate::run::{self, Input, Running};
use crate::tool::{self, LATEST, Run};

type Body = fn() -> Result<()>;

const TESTS: &[(&str, Body)] = &[
    ("a_full_disk_is_no_panic", a_full_disk_is_no_panic),
    (
        "a_reader_that_went_away_is_no_panic",
        a_reader_that_went_away_is_no_panic,
    ),
    (
        "a_limit_of_file_sizes_leaves_nothing_behind",
        a_limit_of_file_sizes_leaves_nothing_behind,
    ),
    (
        "files_that_are_none_for_it_are_named",
        files_that_are_none_for_it_are_named,
    ),
    (
        "a_machine_too_small_for_its_programs_never_starts",
        a_machine_too_small_for_its_programs_never_starts,
    ),
    (
        "a_list_of_processors_is_no_machine",
        a_list_of_processors_is_no_machine,
    ),
    (
        "a_missing_debugger_is_said_before_anything_is_built",
        a_missing_debugger_is_said,
    ),
    (
        "ctrl_c_in_the_middle_of_an_image_leaves_nothing_behind",
        ctrl_c_in_the_middle_of_an_image,
    ),
    (
        "qemu_ended_by_somebody_else_is_no_success",
        qemu_ended_by_somebody_else_is_no_success,
    ),
];

pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    TESTS.iter().map(|&(name, body)| {
        Trial::test(format!("tool::{name}"), move || {
            body().map_err(|error| format!("{error:#}").into())
        })
    })
}

/// Ends what somebody else started, and says so.
fn refused<I: AsRef<OsStr>>(words: impl IntoIterator<Item = I>, sentence: &str) -> Result<()> {
    let refused = Run::new(words)?.end(Input::Nothing)?;
    refused.expect_code(253)?;
    refused.expect_words(&["boot: ", sentence])
}

/// Runs a command with streams that take nothing, and looks at what it left.
fn ends(run: Run, output: Stdio, errors: Stdio, code: i32) -> Result<()> {
    let (mut command, folder) = run.into_parts();
    command.stdout(output).stderr(errors);
    let ended = Running::start(command, Input::Nothing)?.wait(LATEST)?;
    ensure!(ended == code, "the exit code is {ended}, not {code}");
    tool::ensure_empty(&tool::scratch(&folder))
}

fn full() -> Result<Stdio> {
    let file = File::options().write(true).open("/dev/full")?;
    Ok(file.into())
}

fn a_full_disk_is_no_panic() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let image = Run::new(image_words(folder.path().as_os_str()))?;
    ends(image, full()?, Stdio::null(), 253)?;
    // Nobody can be told then, but the code remains.
    let missing = Run::boot(["--add", "/no/such/file"])?;
    ends(missing, Stdio::null(), full()?, 253)
}

fn image_words(folder: &OsStr) -> Vec<&OsStr> {
    let words = ["image", "--no-build", "--output"];
    words.into_iter().map(OsStr::new).chain([folder]).collect()
}

fn a_reader_that_went_away_is_no_panic() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (_, closed) = io::pipe()?;
    let image = Run::new(image_words(folder.path().as_os_str()))?;
    ends(image, closed.into(), Stdio::null(), 141)
}

/// `ulimit -f` counts in blocks of a shell's own; a hundred are less than an image in any.
fn a_limit_of_file_sizes_leaves_nothing_behind() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (command, scratch) = Run::new(image_words(folder.path().as_os_str()))?.into_parts();
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -f 100; exec \"$0\" \"$@\""]);
    shell.arg(command.get_program()).args(command.get_args());
    shell.env("TMPDIR", tool::scratch(&scratch));
    let ended = run::apart(shell, Input::Nothing, LATEST)?;
    ensure!(ended.code == 253, "{}: {}", ended.code, ended.errors);
    ensure!(ended.errors.contains("boot: cannot"), "{}", ended.errors);
    tool::ensure_empty(&tool::scratch(&scratch))?;
    tool::ensure_empty(folder.path())
}

fn files_that_are_none_for_it_are_named() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let empty = folder.path().join("empty");
    fs::write(&empty, "")?;
    let empty = empty.display().to_string();
    let trailer = format!("{empty}:/TRAILER!!!");
    for (words, sentence) in [
        (["--add", "/dev/null"], "is neither a file, a folder"),
        (["--add", &trailer], "ends an archive"),
        (["--add", ":/x"], "names no file"),
        (["--stick", "/"], "neither a disk nor a file"),
        (["--stick", &empty], "it has no boot sector"),
        (["--monitor", &empty], "is no socket"),
        (["--log", "/no/such/folder/log"], "cannot write the log"),
    ] {
        refused(["run", "--no-build"].iter().chain(&words), sentence)?;
    }
    ensure!(fs::read(&empty)?.is_empty(), "a file of the user's is gone");
    Ok(())
}

fn a_machine_too_small_for_its_programs_never_starts() -> Result<()> {
    const LENGTH: u64 = 8 << 20;
    let file = tempfile::NamedTempFile::new()?;
    file.as_file().set_len(LENGTH)?;
    let name = file.path().display().to_string();
    let words = ["run", "--no-build", "--memory", "24M", "--add", &name];
    refused(words, "or more, or add less")
}

fn a_list_of_processors_is_no_machine() -> Result<()> {
    let words = ["run", "--no-build", "--cpu", "help"];
    refused(words, "without starting the machine")
}

fn a_missing_debugger_is_said() -> Result<()> {
    let (mut command, _folder) = Run::new(["debug", "hello"])?.into_parts();
    command.env("PATH", "/no/such/folder");
    let ended = run::apart(command, Input::Nothing, LATEST)?;
    ensure!(ended.code == 253, "{}: {}", ended.code, ended.errors);
    let sentence = "boot: there is no gdb: install it";
    ensure!(ended.errors.contains(sentence), "{}", ended.errors);
    Ok(())
}

fn ctrl_c_in_the_middle_of_an_image() -> Result<()> {
    const LENGTH: u64 = 64 << 20;
    let (input, target) = (tempfile::NamedTempFile::new()?, tempfile::tempdir()?);
    input.as_file().set_len(LENGTH)?;
    let words = image_words(target.path().as_os_str());
    let add = [OsStr::new("--add"), input.path().as_os_str()];
    let (mut command, folder) = Run::new(words.into_iter().chain(add))?.into_parts();
    command.stderr(Stdio::null());
    let running = Running::start(command, Input::Nothing)?;
    let begins = || Ok(fs::read_dir(target.path())?.next().map(drop));
    await_some(begins)?.context("no image was begun")?;
    send("-INT", &running.child.id().to_string())?;
    let code = running.wait(LATEST)?;
    ensure!(code == 130, "the exit code is {code}, not 130");
    tool::ensure_empty(&tool::scratch(&folder))?;
    tool::ensure_empty(target.path())
}

fn qemu_ended_by_somebody_else_is_no_success() -> Result<()> {
    let (mut command, folder) = Run::boot(["cat"])?.into_parts();
    command.stderr(Stdio::null());
    let running = Running::start(command, Input::Silence)?;
    let qemu = child_of(&running.child)?;
    send("-TERM", &qemu)?;
    let code = running.wait(LATEST)?;
    ensure!(code == 253, "the exit code is {code}, not 253");
    tool::ensure_empty(&tool::scratch(&folder))
}

fn send(signal: &str, to: &str) -> Result<()> {
    let sent = Command::new("kill").args([signal, to]).status()?;
    ensure!(sent.success(), "the signal cannot be sent");
    Ok(())
}

/// The process id of QEMU, once the tool has started it.
fn child_of(boot: &Child) -> Result<String> {
    let boot = boot.id();
    let list = format!("/proc/{boot}/task/{boot}/children");
    let child = || {
        let children = fs::read_to_string(&list)?;
        let Some(child) = children.split_whitespace().next() else {
            return Ok(None);
        };
        let name = fs::read_to_string(format!("/proc/{child}/comm")).unwrap_or_default();
        Ok(name.starts_with("qemu").then(|| child.to_owned()))
    };
    await_some(child)?.context("QEMU does not run")
}

/// Looks again and again, for half a minute.
fn await_some<T>(mut look: impl FnMut() -> Result<Option<T>>) -> Result<Option<T>> {
    const PAUSE: Duration = Duration::from_millis(5);
    const LOOKS: usize = 6000;
    for _ in 0..LOOKS {
        if let Some(found) = look()? {
            return Ok(Some(found));
        }
        thread::sleep(PAUSE);
    }
    Ok(None)
}
