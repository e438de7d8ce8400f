//! What several programs share.
#![no_std]
#![forbid(unsafe_code)]
