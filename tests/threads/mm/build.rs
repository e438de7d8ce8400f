//! Sets the one flag by which this build of `mm` differs from the kernel's.

fn main() {
    println!("cargo::rustc-cfg=shuttle");
}
