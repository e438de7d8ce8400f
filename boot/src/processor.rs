//! Whether the machine's processor can come as far as the kernel, which then says itself what else it needs. Firmware and
//! loader take the following for granted, and reset the machine, or hang it, without a word where it is missing; so QEMU is
//! asked, whose models know.

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::control::Control;

/// QEMU's names for it, and ours.
const NEEDS: [(&str, &str); 5] = [
    ("lm", "64-bit mode"),
    ("nx", "no-execute pages (NX)"),
    ("fpu", "an x87 unit"),
    ("cx8", "CMPXCHG8B"),
    ("cmov", "CMOV"),
];

/// Refuses a processor without any of that. A QEMU that can't be asked is about to say itself what is wrong.
pub(crate) fn check(control: &mut Control) -> Result<()> {
    let missing = missing(control).unwrap_or_default().join(" and ");
    ensure!(
        missing.is_empty(),
        "this processor lacks {missing}, which Faultline needs: take another --cpu"
    );
    Ok(())
}

fn missing(control: &mut Control) -> Option<Vec<&'static str>> {
    let processors = control.ask("query-cpus-fast", &json!({}))?;
    let path = processors["return"][0]["qom-path"].as_str()?.to_owned();
    let mut missing = Vec::new();
    for (property, name) in NEEDS {
        let question = json!({ "path": path, "property": property });
        let answer = control.ask("qom-get", &question)?;
        if answer["return"] == Value::Bool(false) {
            missing.push(name);
        }
    }
    Some(missing)
}
