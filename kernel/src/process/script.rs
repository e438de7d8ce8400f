//! The first line of a script, `#!INTERPRETER ARGUMENT`, as Linux reads it: within the first 256 bytes, blanks around the
//! parts dropped, everything behind the first blank one argument. Pure: tested on the workstation.

/// As many bytes of a file decide what it is.
pub(crate) const START: usize = 256;

/// Whom a script names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    pub(crate) interpreter: &'a [u8],
    pub(crate) argument: Option<&'a [u8]>,
}

/// What the file that begins so is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum First<'a> {
    /// A script.
    Script(Line<'a>),
    /// It says that it is one, and names nobody whose path can be trusted to be whole.
    Nobody,
    /// Something else.
    Other,
}

/// Reads the start of a file, behind whose end there are zeroes.
pub(crate) fn read(start: &[u8; START]) -> First<'_> {
    if !start.starts_with(b"#!") {
        return First::Other;
    }
    let text = &start[2..];
    let line = match text.iter().position(|&byte| byte == b'\n') {
        Some(end) => &text[..end],
        None if is_cut(text) => return First::Nobody,
        // The last byte is where Linux puts the end.
        None => &text[..text.len() - 1],
    };
    let line = trim(line);
    let (interpreter, behind) = match line.iter().position(|&byte| is_blank(byte) || byte == 0) {
        Some(end) => line.split_at(end),
        None => (line, &[][..]),
    };
    if line.is_empty() {
        return First::Nobody;
    }
    // A NUL ends everything, as in all strings of C.
    let argument = match behind.first() {
        None | Some(0) => None,
        Some(_) => Some(until_nul(trim(behind))),
    };
    First::Script(Line {
        interpreter,
        argument,
    })
}

/// Whether nothing says that the name in `text`, which has no end of a line, is whole.
fn is_cut(text: &[u8]) -> bool {
    match text.iter().position(|&byte| !is_blank(byte)) {
        Some(name) => !text[name..].iter().any(|&byte| is_blank(byte) || byte == 0),
        None => true,
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn trim(text: &[u8]) -> &[u8] {
    let Some(start) = text.iter().position(|&byte| !is_blank(byte)) else {
        return &[];
    };
    let end = text.iter().rposition(|&byte| !is_blank(byte));
    &text[start..=end.unwrap_or(start)]
}

fn until_nul(text: &[u8]) -> &[u8] {
    let end = text.iter().position(|&byte| byte == 0);
    &text[..end.unwrap_or(text.len())]
}
