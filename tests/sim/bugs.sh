#!/bin/sh
# Proves the tests of mm by breaking mm on purpose: each patch of bugs/ is put into a scratch copy, and must be found.
#
#   tests/sim/bugs.sh            all of them
#   tests/sim/bugs.sh cow fork   those whose names contain one of the words
#
# Prints a row of bugs/README.md's table for each: the bug, what found it, and how long that took from the ring's start.
# The rings are asked in this order: the seeds one by one, the scenes of exhaustion, the units of mm. A patch with a line
# "Ring: units" is for the last of these alone, one with "Ring: threads SCENE" for that scene of tests/threads. All of them
# are asked without a bug first. The exit code is 1 where they find something then, where a bug survived, a patch no longer
# applies, or no name has such a word.
#
# One build holds all bugs that weave.rs can weave, and SEEDED_BUG picks one; the few others are built one by one, at the
# end. Builds go to a folder of their own and are kept for the next time.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$root/target}/bugs"
scratch=$(mktemp -d)
log=$scratch/log
trap 'rm -rf "$scratch"' EXIT

# Longer than any bug needs: one that makes mm loop is found by the clock.
patience=120

# Schedules of each kind that a scene of threads is run in.
export SHUTTLE_RUNS=10000

copy_the_tree() {
    mkdir "$1"
    cd "$root"
    git ls-files -z --cached --others --exclude-standard |
        tar --create --null --files-from=- --ignore-failed-read 2>/dev/null |
        tar --extract --directory "$1"
}

# The patches whose names contain one of the words, each as a path.
wanted() {
    for patch in "$here"/bugs/*.patch; do
        name=$(basename "$patch" .patch)
        [ $# -eq 0 ] && echo "$patch"
        for word in "$@"; do
            case $name in *"$word"*) echo "$patch" && break ;; esac
        done
    done
}

ring_of() {
    sed -n 's/^Ring: //p' "$here/bugs/$1.patch"
}

# Runs tests of the broken copy; what they say is in the log, and how long it took in `lasted`.
ask() {
    began=$(date +%s.%N)
    answer=0
    timeout "$patience" cargo test --quiet --profile bugs "$@" >"$log" 2>&1 || answer=$?
    lasted=$(echo "$began $(date +%s.%N)" | awk '{ printf "%.2f s", $2 - $1 }')
    return "$answer"
}

# The row of a bug, which the copy in this folder has or SEEDED_BUG picks; fails where nothing finds it.
find_bug() {
    printf '| %s | ' "$(echo "$1" | tr _ ' ')"
    ring=$(ring_of "$1")
    case $ring in
    threads*) find_race "${ring#threads }" ;;
    units) find_by_units ;;
    *) find_by_seeds ;;
    esac
}

find_by_seeds() {
    builds --package sim --test sim || return 1
    if ! ask --package sim --test sim -- --ignored hunt; then
        sed -n 's/^found by \(seed .*, step .*\), after \(.* s\): .*/\1 | \2 |/p' "$log" | grep . ||
            echo "$(without_words) | $lasted |"
    elif ! ask --package sim --test sim -- _without_; then
        first_failure scene
    else
        find_by_units
    fi
}

# What found a bug that no ring has words for; `timeout` answers 124 when its time is up.
without_words() {
    if [ "$answer" -eq 124 ]; then echo "the clock"; else echo "the end of the process"; fi
}

# What only the units of mm can see ...
find_by_units() {
    builds --package mm --lib || return 1
    if ask --package mm --lib; then survived; else first_failure unit; fi
}

# ... and what only threads can show, in the scene of that name.
find_race() {
    builds --package test-mm-threads --test model || return 1
    if ask --package test-mm-threads --test model -- --exact "$1"; then survived; else first_failure threads "$1"; fi
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

# The test that failed first, or that ended the process, and the ring's clock with it; a thread's panic doesn't name its
# scene, which was asked alone.
first_failure() {
    name=$(sed -n -e 's/^---- \([^ ]*\) .*----$/\1/p' -e "s/^thread '\([^<'][^']*\)'.* panicked at .*/\1/p" "$log" | head -n 1)
    time=$(sed -n 's/^test result: FAILED.* finished in \(.*\)s$/\1 s/p' "$log" | head -n 1)
    echo "$1 \`${2:-${name:-none by name}}\` | ${time:-$lasted} |"
}

# Counts the row that `find_bug` prints.
seeded=0 found=0
look_for() {
    seeded=$((seeded + 1))
    find_bug "$1" && found=$((found + 1))
    return 0
}

# Nothing may be found where nothing is seeded; a part of the seeds and schedules is enough to see that.
look_for_nothing() {
    builds --package mm --lib && builds --package sim --test sim && builds --package test-mm-threads --test model
    ask --package mm --lib || fails "The units fail"
    SIM_SEEDS=50 ask --package sim --test sim -- --ignored hunt || fails "The seeds fail"
    ask --package sim --test sim -- _without_ || fails "The scenes fail"
    SHUTTLE_RUNS=50 ask --package test-mm-threads --test model || fails "The threads fail"
}

fails() {
    echo "$1 without a bug." >&2
    cat "$log" >&2
    exit 1
}

for word in "$@"; do
    [ -n "$(wanted "$word")" ] || { echo "No bug has \"$word\" in its name." >&2 && exit 1; }
done
rustc --edition 2024 -o "$scratch/weave" "$here/weave.rs"
copy_the_tree "$scratch/woven"
cd "$scratch/woven"
# shellcheck disable=SC2046 # no path of a patch has a space
"$scratch/weave" . $(wanted "$@") >"$scratch/numbers"
# For cargo older files are built files.
find kernel/mm/src -name '*.rs' -exec touch {} +
SEEDED_BUG=0 look_for_nothing
echo "| bug | found by | after |"
echo "|---|---|---|"
while read -r name number; do
    [ "$number" -eq 0 ] && continue
    export SEEDED_BUG="$number"
    look_for "$name" </dev/null
done <"$scratch/numbers"

for name in $(sed -n 's/ 0$//p' "$scratch/numbers"); do
    rm -rf "$scratch/alone"
    copy_the_tree "$scratch/alone"
    cd "$scratch/alone"
    patch --strip=1 --fuzz=0 --silent --forward --no-backup-if-mismatch <"$here/bugs/$name.patch"
    find kernel/mm/src -name '*.rs' -exec touch {} +
    look_for "$name"
done
echo "$found of $seeded seeded bugs were found."
[ "$found" -eq "$seeded" ]
