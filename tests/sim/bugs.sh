#!/bin/sh
# Proves the simulator by breaking mm on purpose: each patch of bugs/ is applied in a scratch copy, and must be found.
#
#   tests/sim/bugs.sh            all of them
#   tests/sim/bugs.sh cow fork   those whose names contain one of the words
#
# One line a bug: its name, then which seed found it, at which step, after how long, and in what words. The exit code is 1
# where a bug survived or a patch no longer applies. Builds go to a folder of their own and are kept for the next time.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}/bugs
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Longer than any bug needs: one that makes mm loop is found by the clock.
patience=300

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

simulate() {
    CARGO_TARGET_DIR=$target timeout "$patience" cargo test --quiet --package sim --test sim -- "$@" 2>&1
}

# Prints which scene of threads found the bug that is in the scratch copy; fails where none did.
find_race() {
    if ! CARGO_TARGET_DIR=$target cargo test --quiet --package test-mm-threads --test model --no-run >"$scratch/build.log" 2>&1; then
        echo "does not build:"
        cat "$scratch/build.log"
        return 1
    fi
    start=$(date +%s)
    if SHUTTLE_RUNS=2000 CARGO_TARGET_DIR=$target timeout "$patience" \
        cargo test --quiet --package test-mm-threads --test model >"$scratch/races.log" 2>&1; then
        echo "SURVIVED"
        return 1
    fi
    scene=$(sed -n 's/^---- \(.*\) ----$/\1/p' "$scratch/races.log" | head -n 1)
    echo "found by ${scene:-the clock, or by the end of the process}, within $(($(date +%s) - start)) s"
}

# Prints what found the bug that is in the scratch copy; fails where nothing did.
find_bug() {
    if ! CARGO_TARGET_DIR=$target cargo test --quiet --package sim --test sim --no-run >"$scratch/build.log" 2>&1; then
        echo "does not build:"
        cat "$scratch/build.log"
        return 1
    fi
    if ! simulate --ignored hunt >"$scratch/hunt.log"; then
        grep '^found by' "$scratch/hunt.log" || echo "found by the clock, or by the end of the process"
        return 0
    fi
    if ! simulate _without_ >"$scratch/scenes.log"; then
        sed -n 's/^---- \(.*\) ----$/found by \1/p' "$scratch/scenes.log" | head -n 1
        return 0
    fi
    echo "SURVIVED"
    return 1
}

copy_the_tree
cd "$scratch"
survivors=0
for patch in "$here"/bugs/*.patch; do
    name=$(basename "$patch" .patch)
    wanted "$name" "$@" || continue
    printf '%-36s ' "$name"
    if ! patch --strip=1 --silent --forward <"$patch" >"$scratch/patch.log" 2>&1; then
        echo "DOES NOT APPLY"
        survivors=$((survivors + 1))
        continue
    fi
    # A patch says by a line which ring must find it; the simulator, unless it does.
    case $(sed -n 's/^Ring: //p' "$patch") in
        threads) find_race || survivors=$((survivors + 1)) ;;
        *) find_bug || survivors=$((survivors + 1)) ;;
    esac
    patch --strip=1 --silent --reverse <"$patch"
done
[ "$survivors" -eq 0 ]
