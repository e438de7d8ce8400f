//! Trials that need something of the workstation's which not all have: without it they are ignored, and say why in their
//! line of the results, so that nobody takes a run without them for a whole one.

use anyhow::Result;
use libtest_mimic::{Completion, Trial};

/// The trial `name`; where `missing` says what is not there, it is ignored for that reason.
pub(crate) fn trial(
    name: impl Into<String>,
    missing: Option<&'static str>,
    body: impl FnOnce() -> Result<()> + Send + 'static,
) -> Trial {
    Trial::ignorable_test(name, move || match missing {
        Some(missing) => Ok(Completion::ignored_with(missing)),
        None => body()
            .map(|()| Completion::Completed)
            .map_err(|error| format!("{error:#}").into()),
    })
}
