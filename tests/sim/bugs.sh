#!/bin/sh
# Proves the tests of mm by breaking mm on purpose: each patch of bugs/ is applied in a scratch copy, and must be found.
#
#   tests/sim/bugs.sh            all of them
#   tests/sim/bugs.sh cow fork   those whose names contain one of the words
#
# Prints a row of bugs/README.md's table for each: the bug, what found it, and how long that took from the ring's start.
# The rings are asked in this order: the seeds one by one, the scenes of exhaustion, the units of mm. A patch with a line
# "Ring: units" is for the last of these alone, one with "Ring: threads" for tests/threads; "Ring: threads SCENE" names the
# scene, which saves running the others. The exit code is 1 where a bug survived or a patch no longer applies. Builds go to
# a folder of their own and are kept for the next time.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$root/target}/bugs"
scratch=$(mktemp -d)
log=$scratch/log
trap 'rm -rf "$scratch"' EXIT

# Longer than any bug needs: one that makes mm loop is found by the clock.
patience=300

# Schedules that each scene of threads is run in.
export SHUTTLE_RUNS=2000

copy_the_tree() {
    cd "$root"
    git ls-files -z --cached --others --exclude-standard |
        tar --create --null --files-from=- --ignore-failed-read 2>/dev/null |
        tar --extract --directory "$scratch"
}

wanted() {
    name=$1
    shift
    [ $# -eq 0 ] && return 0
    for word in "$@"; do
        case $name in *"$word"*) return 0 ;; esac
    done
    return 1
}

# The files that a patch is about to change are kept: taken back, a hunk that only removes lines could land elsewhere.
keep_whole() {
    for file in $(changed_by "$1"); do cp "$file" "$file.whole"; done
}

make_whole() {
    for file in $(changed_by "$1"); do mv "$file.whole" "$file" && touch "$file"; done
}

changed_by() {
    sed -n 's|^--- a/||p' "$1"
}

# Runs tests of the broken copy; what they say is in the log.
ask() {
    timeout "$patience" cargo test --quiet --profile bugs "$@" >"$log" 2>&1
}

# The row of the bug in the scratch copy; fails where no ring finds it.
find_bug() {
    builds --package sim --test sim || return 1
    if ! ask --package sim --test sim -- --ignored hunt; then
        sed -n 's/^found by \(seed .*, step .*\), after \(.* s\): .*/\1 | \2 |/p' "$log" | grep . ||
            echo "the clock, or the end of the process | |"
    elif ! ask --package sim --test sim -- _without_; then
        first_failure scene
    else
        find_by_units
    fi
}

# The same for a bug that only the units of mm can see ...
find_by_units() {
    builds --package mm --lib || return 1
    if ask --package mm --lib; then survived; else first_failure unit; fi
}

# ... and for one that only threads can show, in the scene of that name.
find_race() {
    builds --package test-mm-threads --test model || return 1
    if ask --package test-mm-threads --test model -- "$@"; then survived; else first_failure threads "$@"; fi
}

# Says so where the broken copy can't be built: that finds nothing.
builds() {
    cargo test --quiet --profile bugs "$@" --no-run >"$log" 2>&1 && return
    echo "DOES NOT BUILD | |"
    cat "$log" >&2
    return 1
}

survived() {
    echo "SURVIVED | |"
    return 1
}

# The test that failed first, or that ended the process; of scenes on threads without a name, the one that was asked.
first_failure() {
    name=$(sed -n -e 's/^---- \([^ ]*\) .*----$/\1/p' -e "s/^thread '\([^<'][^']*\)'.* panicked at .*/\1/p" "$log" | head -n 1)
    time=$(sed -n 's/^test result: FAILED.* finished in \(.*\)s$/\1 s/p' "$log" | head -n 1)
    echo "$1 \`${name:-${2:-none by name}}\` | $time |"
}

copy_the_tree
cd "$scratch"
seeded=0 found=0
echo "| bug | found by | after |"
echo "|---|---|---|"
for patch in "$here"/bugs/*.patch; do
    name=$(basename "$patch" .patch)
    wanted "$name" "$@" || continue
    seeded=$((seeded + 1))
    printf '| %s | ' "$(echo "$name" | tr _ ' ')"
    keep_whole "$patch"
    if ! patch --strip=1 --fuzz=0 --silent --forward --no-backup-if-mismatch <"$patch" >"$log" 2>&1; then
        echo "DOES NOT APPLY | |"
        cat "$log" >&2
        exit 1
    fi
    ring=$(sed -n 's/^Ring: //p' "$patch")
    # shellcheck disable=SC2086 # the scene is a word of its own, or none
    case $ring in
    threads*) find_race ${ring#threads} && found=$((found + 1)) ;;
    units) find_by_units && found=$((found + 1)) ;;
    *) find_bug && found=$((found + 1)) ;;
    esac
    make_whole "$patch"
done
echo "$found of $seeded seeded bugs were found."
[ "$found" -eq "$seeded" ]
