//! What the command behind `cargo run` promises besides booting: streams, exit codes, files of the user's own, and one
//! clear sentence for each way in which things go wrong.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;

use crate::run::{Input, Running};
use crate::tool::{self, LATEST, Run};

type Body = fn() -> Result<()>;

const TESTS: &[(&str, Body)] = &[
    (
        "a_wrong_option_is_refused_by_usage",
        a_wrong_option_is_refused_by_usage,
    ),
    ("a_missing_file_is_named", a_missing_file_is_named),
    (
        "an_unknown_program_is_told_from_the_known",
        an_unknown_program_is_told_from_the_known,
    ),
    (
        "a_machine_that_qemu_does_not_know_is_a_failure_of_the_tool",
        a_machine_that_qemu_does_not_know,
    ),
    ("exit_codes_pass_through", exit_codes_pass_through),
    (
        "a_signal_is_an_exit_code_and_a_name",
        a_signal_is_an_exit_code_and_a_name,
    ),
    (
        "a_timeout_has_a_code_of_its_own",
        a_timeout_has_a_code_of_its_own,
    ),
    ("ctrl_c_leaves_nothing_behind", ctrl_c_leaves_nothing_behind),
    (
        "every_byte_of_input_comes_back",
        every_byte_of_input_comes_back,
    ),
    (
        "more_input_than_any_buffer_holds_comes_back",
        more_input_than_any_buffer_holds_comes_back,
    ),
    (
        "the_end_of_an_empty_input_is_seen",
        the_end_of_an_empty_input_is_seen,
    ),
    (
        "input_that_nobody_reads_holds_nothing_up",
        input_that_nobody_reads_holds_nothing_up,
    ),
    (
        "arguments_arrive_as_they_were_given",
        arguments_arrive_as_they_were_given,
    ),
    (
        "a_folder_is_added_whole_with_links_and_modes",
        a_folder_is_added_whole_with_links_and_modes,
    ),
    (
        "programs_of_forty_mebibytes_come_along",
        programs_of_forty_mebibytes_come_along,
    ),
    (
        "the_log_goes_to_standard_error_and_quiet_hides_it",
        the_log_goes_to_standard_error_and_quiet_hides_it,
    ),
    (
        "a_picture_is_taken_before_the_end",
        a_picture_is_taken_before_the_end,
    ),
    (
        "the_image_is_written_and_nothing_else",
        the_image_is_written_and_nothing_else,
    ),
];

pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    TESTS.iter().map(|(name, body)| trial(name, *body))
}

fn trial(name: &str, body: Body) -> Trial {
    Trial::test(format!("tool::{name}"), move || {
        body().map_err(|error| format!("{error:#}").into())
    })
}

fn a_wrong_option_is_refused_by_usage() -> Result<()> {
    for arguments in [
        &["--memory", "lots"][..],
        &["--cpus", "0"],
        &["--nonsense"],
        &["--timeout", "soon"],
    ] {
        let refused = Run::new(arguments)?.end(Input::Nothing)?;
        refused.expect_code(2)?;
        refused.expect_words(&["error: ", arguments[0]])?;
    }
    Ok(())
}

fn a_missing_file_is_named() -> Result<()> {
    let refused = Run::boot(["--add", "/no/such/file", "hello"])?.end(Input::Nothing)?;
    refused.expect_code(253)?;
    refused.expect_words(&["boot: cannot find /no/such/file"])
}

fn an_unknown_program_is_told_from_the_known() -> Result<()> {
    let refused = Run::boot(["helo"])?.end(Input::Nothing)?;
    refused.expect_code(253)?;
    refused.expect_words(&["no program `helo`", "hello"])
}

fn a_machine_that_qemu_does_not_know() -> Result<()> {
    let refused = Run::boot(["--cpu", "abacus", "hello"])?.end(Input::Nothing)?;
    refused.expect_code(253)?;
    refused.expect_words(&["boot: QEMU failed", "abacus"])
}

fn exit_codes_pass_through() -> Result<()> {
    for code in [1, 17, 250, 255] {
        let ended = Run::boot(["--uefi", "exit_code", &code.to_string()])?.end(Input::Nothing)?;
        ended.expect_code(code)?;
        ended.expect_words(&[&format!("exit code {code}")])?;
    }
    Ok(())
}

fn a_signal_is_an_exit_code_and_a_name() -> Result<()> {
    for (signal, name) in [(9, "SIGKILL"), (11, "SIGSEGV")] {
        let ended = Run::boot(["--uefi", "kill_self", &signal.to_string()])?.end(Input::Nothing)?;
        ended.expect_code(128 + signal)?;
        ended.expect_words(&[name])?;
    }
    Ok(())
}

fn a_timeout_has_a_code_of_its_own() -> Result<()> {
    let ended = Run::boot(["--timeout", "8", "cat"])?.end(Input::Silence)?;
    ended.expect_code(252)?;
    ended.expect_words(&["--timeout", "8 s"])
}

fn ctrl_c_leaves_nothing_behind() -> Result<()> {
    const WHILE_IT_RUNS: Duration = Duration::from_secs(5);
    let (mut command, folder) = Run::boot(["--quiet", "cat"])?.into_parts();
    command.process_group(0).stderr(Stdio::null());
    let running = Running::start(command, Input::Silence)?;
    thread::sleep(WHILE_IT_RUNS);
    let boot = running.child.id();
    let qemu = fs::read_to_string(format!("/proc/{boot}/task/{boot}/children"))?;
    let qemu = qemu
        .split_whitespace()
        .next()
        .context("QEMU does not run")?;
    let sent = Command::new("kill")
        .args(["-INT", &boot.to_string()])
        .status()?;
    ensure!(sent.success(), "the signal cannot be sent");
    let code = running.wait(LATEST)?;
    ensure!(code == 130, "the exit code is {code}, not 130");
    ensure!(!Path::new("/proc").join(qemu).exists(), "QEMU lives on");
    tool::ensure_empty(&tool::scratch(&folder))
}

fn every_byte_of_input_comes_back() -> Result<()> {
    echo(
        (0..=255)
            .chain((0..=255).rev())
            .chain([0x10, 0x10, 0x10, 0x04, 0x04, 0x10])
            .collect(),
    )
}

fn more_input_than_any_buffer_holds_comes_back() -> Result<()> {
    const LENGTH: u32 = 300_000;
    echo(
        (0..LENGTH)
            .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
            .collect(),
    )
}

fn echo(bytes: Vec<u8>) -> Result<()> {
    let ended = Run::boot(["cat"])?.end(Input::Bytes(bytes.clone()))?;
    ended.expect_code(0)?;
    let output = &ended.ended.output;
    let alike = output
        .iter()
        .zip(&bytes)
        .take_while(|(one, other)| one == other)
        .count();
    ensure!(
        *output == bytes,
        "{} of {} bytes came back, alike up to {alike}",
        output.len(),
        bytes.len()
    );
    Ok(())
}

fn the_end_of_an_empty_input_is_seen() -> Result<()> {
    echo(Vec::new())
}

fn input_that_nobody_reads_holds_nothing_up() -> Result<()> {
    const LENGTH: usize = 1 << 20;
    let ended = Run::boot(["exit_code", "3"])?.end(Input::Bytes(vec![b'x'; LENGTH]))?;
    ended.expect_code(3)
}

fn arguments_arrive_as_they_were_given() -> Result<()> {
    let ended =
        Run::boot(["echo", "two words", "", "--uefi", "--", "käse"])?.end(Input::Nothing)?;
    ended.expect_code(0)?;
    let text = String::from_utf8_lossy(&ended.ended.output);
    ensure!(
        text == "two words  --uefi -- käse\n",
        "the program printed {text:?}"
    );
    Ok(())
}

fn a_folder_is_added_whole_with_links_and_modes() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let tree = folder.path().join("tree");
    fs::create_dir_all(tree.join("deep"))?;
    fs::copy(tool::program("exit_code")?, tree.join("deep/run"))?;
    symlink("deep/run", tree.join("link"))?;
    fs::write(tree.join("plain"), "not executable")?;
    let request = format!("{}:/opt", tree.display());
    for (words, code) in [(&["/opt/deep/run", "7"], 7), (&["/opt/link", "8"], 8)] {
        Run::boot(["--add", &request, "--"].iter().chain(words))?
            .end(Input::Nothing)?
            .expect_code(code)?;
    }
    let refused = Run::boot(["--add", &request, "exec", "/opt/plain"])?.end(Input::Nothing)?;
    ensure!(
        refused.ended.code != 0,
        "a file without the right to be executed was executed"
    );
    Ok(())
}

/// FAT16 counts sectors of up to 32 MiB in 16 bits, those of more in 32, and the loader is not at home in the second kind.
fn programs_of_forty_mebibytes_come_along() -> Result<()> {
    let folder = tempfile::tempdir()?;
    fs::File::create(folder.path().join("before"))?.set_len(40 << 20)?;
    fs::write(folder.path().join("behind"), "still here\n")?;
    let request = format!("{}:/opt", folder.path().display());
    for firmware in [&[][..], &["--uefi"]] {
        let words = ["--add", &request, "cat", "/opt/behind"];
        let ended = Run::boot(firmware.iter().chain(&words))?.end(Input::Nothing)?;
        ended.expect_code(0)?;
        let text = String::from_utf8_lossy(&ended.ended.output);
        ensure!(text == "still here\n", "it printed {text:?}");
    }
    Ok(())
}

fn the_log_goes_to_standard_error_and_quiet_hides_it() -> Result<()> {
    let loud = Run::new(["--no-build", "hello"])?.end(Input::Nothing)?;
    loud.expect_code(0)?;
    loud.expect_words(&["faultline:"])?;
    let quiet = Run::new(["--no-build", "--quiet", "hello"])?.end(Input::Nothing)?;
    quiet.expect_code(0)?;
    ensure!(
        quiet.ended.errors.is_empty(),
        "--quiet is not quiet\n{}",
        quiet.report()
    );
    ensure!(
        quiet.ended.output == loud.ended.output,
        "the log is mixed into the output"
    );
    Ok(())
}

fn a_picture_is_taken_before_the_end() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let picture = folder.path().join("screen.png");
    let options = ["--screenshot".as_ref(), picture.as_os_str()];
    Run::boot(
        options
            .into_iter()
            .chain(["exit_code", "5"].map(AsRef::as_ref)),
    )?
    .end(Input::Nothing)?
    .expect_code(5)?;
    let bytes = fs::read(&picture).context("there is no picture")?;
    ensure!(
        bytes.starts_with(b"\x89PNG") && bytes.len() > 1000,
        "the picture is no PNG file with something on it"
    );
    Ok(())
}

fn the_image_is_written_and_nothing_else() -> Result<()> {
    const SIGNATURE: std::ops::Range<usize> = 510..512;
    let folder = tempfile::tempdir()?;
    let options = ["image", "--no-build", "--output"].map(AsRef::as_ref);
    Run::new(options.into_iter().chain([folder.path().as_os_str()]))?
        .end(Input::Nothing)?
        .expect_code(0)?;
    let names: Vec<_> = fs::read_dir(folder.path())?
        .filter_map(|entry| Some(entry.ok()?.file_name()))
        .collect();
    ensure!(names == ["faultline.img"], "the folder holds {names:?}");
    let image = fs::read(folder.path().join("faultline.img"))?;
    ensure!(
        image.get(SIGNATURE) == Some(&[0x55, 0xaa]),
        "it does not start a machine"
    );
    Ok(())
}
