//! What a failing run says: the contradiction in words.
use std::fmt;

/// Something that must not happen, happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken(pub String);

/// The result of whatever may expose a contradiction.
pub type Sound<T = ()> = Result<T, Broken>;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<String> for Broken {
    fn from(words: String) -> Self {
        Self(words)
    }
}

/// Leaves with the formatted contradiction unless the condition holds.
macro_rules! demand {
    ($condition:expr, $($words:tt)+) => {
        if !$condition {
            return Err($crate::broken::Broken(format!($($words)+)));
        }
    };
}
pub(crate) use demand;
