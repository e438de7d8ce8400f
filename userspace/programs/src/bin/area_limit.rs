//! Shows how many areas a process may have: 65,530, and one more by `mmap`, while what would split one is refused.
#![no_std]
#![forbid(unsafe_code)]

use rt::memory::{
    MAP_FIXED, MAP_NORESERVE, Mapping, PAGE, PROT_EXEC, PROT_NONE, PROT_READ, mmap, mprotect,
    munmap,
};
use rt::{Errno, println};

/// Pages for far more splits than are allowed.
const PAGES: usize = 200_000;

fn main() {
    let field = Mapping::with(PAGES, PROT_NONE, MAP_NORESERVE);
    // Each change of one page among its neighbours makes three areas of one.
    let split = |number: usize| mprotect(field.page(2 * number + 1), PAGE, PROT_READ);
    let refused = (0..).find_map(|number| Some((number, split(number).err()?)));
    let (number, errno) = refused.expect("there is a bound");
    assert_eq!(errno, Errno::ENOMEM);
    assert!((32_000..32_765).contains(&number), "{number} splits");
    println!("mprotect in the middle of an area: ENOMEM at the bound");

    // The last split may have made one area of its two; what is cut next makes up for that.
    let last = field.page(PAGES - 1);
    let filled = mprotect(last, PAGE, PROT_READ);
    println!(
        "mprotect at an end, which needs a single cut: {}",
        filled.is_ok() || filled == Err(Errno::ENOMEM)
    );
    let below = field.page(0) - 64 * PAGE;
    let more =
        |number: usize| mmap(below - 2 * number * PAGE, PAGE, PROT_EXEC | PROT_READ, 0).map(drop);
    let allowed = (0..8).take_while(|&number| more(number).is_ok()).count();
    assert!((1..=2).contains(&allowed), "{allowed} areas more");
    println!("mmap: one area beyond the bound, then {:?}", more(9));
    println!(
        "mmap in place of a page amid an area: {:?}",
        mmap(field.page(150_000), PAGE, PROT_EXEC, MAP_FIXED).map(drop)
    );
    println!(
        "munmap of a page amid an area: {:?}",
        munmap(field.page(150_000), PAGE)
    );
    println!(
        "munmap of a page at an area's end: {:?}",
        munmap(last, PAGE)
    );
}
