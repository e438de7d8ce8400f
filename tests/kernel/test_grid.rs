//! Text on the screen: wraps, scrolls, and what escape sequences leave of themselves.
use core::sync::atomic::AtomicU16;

use crate::grid::{Colour, Grid};

fn grid(columns: usize, rows: usize) -> Grid {
    grid_with_history(columns, rows, 0)
}

/// A screen of which so many rows more are kept.
fn grid_with_history(columns: usize, rows: usize, old: usize) -> Grid {
    let count = columns * (rows + old);
    let cells: Vec<AtomicU16> = (0..count).map(|_| AtomicU16::new(0)).collect();
    let mut grid = Grid::new(Vec::leak(cells));
    grid.resize(columns, rows);
    grid
}

/// The rows of the screen, without spaces at their ends.
fn rows(grid: &Grid) -> Vec<String> {
    let (columns, rows) = grid.size();
    let character = |column, row| match grid.cell(column, row).character {
        0 => ' ',
        character => char::from(character),
    };
    let row = |row| {
        (0..columns)
            .map(|column| character(column, row))
            .collect::<String>()
    };
    (0..rows)
        .map(|number| row(number).trim_end().into())
        .collect()
}

#[test]
fn a_full_line_wraps_with_the_next_character_and_not_before() {
    let mut grid = grid(4, 3);
    grid.write(b"abcd\nef");
    assert_eq!(rows(&grid), ["abcd", "ef", ""]);
    grid.write(b"ghi");
    assert_eq!(rows(&grid), ["abcd", "efgh", "i"]);
}

#[test]
fn the_last_rows_stay_when_the_first_scroll_away() {
    let mut grid = grid(8, 3);
    for line in 0..10 {
        grid.write(format!("line {line}\n").as_bytes());
    }
    assert_eq!(rows(&grid), ["line 8", "line 9", ""]);
    assert_eq!(grid.cursor(), (0, 2));
}

#[test]
fn control_characters_move_and_draw_nothing() {
    let mut grid = grid(20, 2);
    grid.write(b"abc\rX\tY\x08Z\x07\0");
    assert_eq!(rows(&grid), ["Xbc     Z", ""]);
    grid.write(b"\r\x08\x08");
    assert_eq!(grid.cursor(), (0, 0));
}

#[test]
fn escape_sequences_leave_no_rubbish() {
    let mut grid = grid(20, 2);
    grid.write(b"a\x1b[1;31mb\x1b[0m\x1b[2K\x1b[?25hc\x1b(d\x1b[999999999999C");
    assert_eq!(rows(&grid), ["abcd", ""]);
    assert_eq!(grid.cell(1, 0).colour, Colour::RED);
    assert_eq!(grid.cell(2, 0).colour, Colour::NORMAL);
    grid.write(b"\x1b[2Jnew");
    assert_eq!(rows(&grid), ["new", ""]);
}

#[test]
fn a_character_of_several_bytes_takes_one_cell() {
    let mut grid = grid(20, 1);
    grid.write("é→😀.".as_bytes());
    assert_eq!(rows(&grid), ["???."]);
}

#[test]
fn the_log_does_not_begin_in_the_middle_of_a_line() {
    let mut grid = grid(20, 3);
    grid.write(b"$ \x1b[");
    grid.begin_line();
    grid.begin_line();
    grid.write(b"1m");
    assert_eq!(rows(&grid), ["$", "1m", ""]);
}

fn write_lines(grid: &mut Grid, lines: core::ops::Range<usize>) {
    for line in lines {
        grid.write(format!("\n{line}").as_bytes());
    }
}

#[test]
fn what_scrolled_away_is_seen_again_and_no_further_than_it_is_kept() {
    let mut grid = grid_with_history(4, 4, 3);
    write_lines(&mut grid, 0..10);
    assert_eq!(rows(&grid), ["6", "7", "8", "9"]);
    grid.look_back();
    assert_eq!(rows(&grid), ["4", "5", "6", "7"]);
    assert_eq!(grid.cursor(), (1, 5), "the cursor is out of sight");
    grid.look_back();
    assert_eq!(rows(&grid), ["3", "4", "5", "6"], "three rows are kept");
    grid.look_ahead();
    grid.look_ahead();
    assert_eq!(rows(&grid), ["6", "7", "8", "9"]);
    grid.look_ahead();
    assert_eq!(grid.cursor(), (1, 3));
}

#[test]
fn an_empty_past_is_never_shown() {
    let mut grid = grid_with_history(4, 4, 3);
    write_lines(&mut grid, 0..4);
    grid.look_back();
    assert_eq!(
        rows(&grid),
        ["", "0", "1", "2"],
        "one row has scrolled away"
    );
}

#[test]
fn new_lines_do_not_move_what_somebody_looks_at_until_it_is_gone() {
    let mut grid = grid_with_history(4, 4, 4);
    write_lines(&mut grid, 0..10);
    grid.look_back();
    write_lines(&mut grid, 10..12);
    assert_eq!(rows(&grid), ["4", "5", "6", "7"]);
    write_lines(&mut grid, 12..14);
    assert_eq!(rows(&grid), ["6", "7", "8", "9"], "4 and 5 are gone");
    grid.look_here();
    assert_eq!(rows(&grid), ["10", "11", "12", "13"]);
}

#[test]
fn another_size_and_a_clear_screen_forget_nothing_that_could_be_wrong() {
    let mut grid = grid_with_history(4, 4, 3);
    write_lines(&mut grid, 0..10);
    grid.look_back();
    grid.write(b"\x1b[2J");
    grid.look_here();
    assert_eq!(rows(&grid), ["", "", "", ""]);
    grid.look_back();
    assert_eq!(
        rows(&grid)[..2],
        ["4", "5"],
        "what scrolled away before stays"
    );
    grid.resize(5, 2);
    grid.look_back();
    assert_eq!(
        rows(&grid),
        ["", ""],
        "rows of another length make no sense"
    );
}
