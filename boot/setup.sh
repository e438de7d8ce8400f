#!/usr/bin/env bash
# Brings a machine to where `cargo run` and `cargo test` work: the pinned compiler, QEMU, OVMF, Bochs, gdb, e2fsprogs and a
# linker.
# It looks first and changes nothing that is there, so every `make` target can afford to call it. The compiler comes from
# rustup or, where rustup cannot or must not fetch, from Debian's packages of the same version.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

host=x86_64-unknown-linux-gnu
channel=$(sed -n 's/^channel *= *"\(.*\)"/\1/p' rust-toolchain.toml)
ovmf_files=(/usr/share/{ovmf,OVMF,qemu}/OVMF.fd /usr/share/OVMF/OVMF_CODE_4M.fd /usr/share/qemu/edk2-x86_64-code.fd
    /usr/share/edk2/{ovmf/OVMF_CODE.fd,x64/OVMF.4m.fd,x64/OVMF_CODE.4m.fd} /usr/share/edk2-ovmf/x64/OVMF.fd)

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }

# --- What is there -----------------------------------------------------------------------------------------------------

# Whether plain cargo, in this folder, is the pinned one with all that the build needs of it. Never lets rustup fetch.
compiler_is_ready() {
    local sysroot
    has cargo && has rustc || return 1
    [[ $(RUSTUP_AUTO_INSTALL=0 cargo --version 2>/dev/null) == "cargo $channel "* ]] || return 1
    [[ $(RUSTUP_AUTO_INSTALL=0 rustc --version 2>/dev/null) == "rustc $channel "* ]] || return 1
    sysroot=$(RUSTUP_AUTO_INSTALL=0 rustc --print sysroot)
    [[ -d $sysroot/lib/rustlib/src/rust/library/core && -x $sysroot/lib/rustlib/$host/bin/llvm-objcopy ]] || return 1
    RUSTUP_AUTO_INSTALL=0 cargo fmt --version >/dev/null 2>&1 && RUSTUP_AUTO_INSTALL=0 cargo clippy --version >/dev/null 2>&1
}

debian_compiler_is_there() {
    [[ -x /usr/bin/cargo && $(/usr/bin/cargo --version) == "cargo $channel "* && -x /usr/bin/rustfmt &&
        -x /usr/bin/cargo-clippy && -d /usr/lib/rustlib/src/rust/library/core &&
        -x /usr/lib/rustlib/$host/bin/llvm-objcopy ]]
}

ovmf_is_there() {
    local file
    [[ -n ${OVMF:-} ]] && return
    for file in "${ovmf_files[@]}"; do [[ -f $file ]] && return; done
    return 1
}

# --- How it gets there -------------------------------------------------------------------------------------------------

as_root() {
    if [[ $(id -u) == 0 ]]; then
        "$@"
    elif has sudo; then
        sudo "$@"
    else
        fail "only root may install packages, and there is no sudo: run boot/setup.sh as root, then try again"
    fi
}

apt_is_updated=no
apt_update() {
    [[ $apt_is_updated == yes ]] && return
    say "asking Debian's servers what there is"
    as_root apt-get -qq update >&2 || say "apt-get update failed; going on with what it knew"
    apt_is_updated=yes
}

# --no-remove: a package that would push out one of the user's must not.
apt_install() {
    apt_update
    say "installing $*"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 \
        install -y --no-install-recommends --no-remove "$@" >&2 ||
        fail "apt-get cannot install what is missing, see above; please install by hand: $*"
}

rustup_may_fetch() { has rustup && [[ ${RUSTUP_AUTO_INSTALL:-1} != 0 ]]; }

fetch_by_rustup() {
    say "fetching Rust $channel by rustup"
    rustup toolchain install "$channel" --profile minimal --component rust-src,llvm-tools,rustfmt,clippy >&2 &&
        compiler_is_ready
}

install_debian_compiler() {
    local candidate llvm
    apt_update
    candidate=$(apt-cache policy rustc-web | sed -n 's/^ *Candidate: //p')
    case $candidate in
        "$channel"[+-]*) ;;
        "" | "(none)") fail "neither rustup nor Debian's packages offer Rust $channel here: install rustup from https://rustup.rs, then try again" ;;
        *) fail "Debian's rustc-web is at $candidate, but Faultline is pinned to Rust $channel (rust-toolchain.toml says why): install rustup from https://rustup.rs, then try again" ;;
    esac
    llvm=$(apt-cache depends rust-web-llvm | sed -n 's/^ *Depends: llvm-\([0-9]*\)$/\1/p' | head -n1)
    [[ -n $llvm ]] || fail "Debian's package rust-web-llvm does not say which LLVM it belongs to: install rustup from https://rustup.rs, then try again"
    apt_install {rustc-web,cargo-web,rust-web-src,rust-web-llvm,rust-web-clippy,rustfmt-web}="$candidate" "lld-$llvm" "llvm-$llvm"
    # The llvm-tools component, as bootloader's build script looks for it.
    local tool
    for tool in objcopy objdump; do
        as_root ln -sf "../../../../bin/llvm-$tool-$llvm" "/usr/lib/rustlib/$host/bin/llvm-$tool"
    done
}

# A rustup that cannot fetch the pinned version finds Debian's under its name.
link_for_rustup() {
    local link=${RUSTUP_HOME:-$HOME/.rustup}/toolchains/$channel-$host
    has rustup || return 0
    [[ -e $link && ! -L $link ]] && fail "rustup's own Rust $channel is incomplete: run rustup toolchain uninstall $channel, then try again"
    mkdir -p "$(dirname "$link")"
    ln -sfn /usr "$link"
}

provide_compiler() {
    compiler_is_ready && return
    if rustup_may_fetch; then
        fetch_by_rustup && return
        say "rustup has no complete Rust $channel; trying Debian's packages"
    fi
    has apt-get || fail "Rust $channel is missing and this system has no apt-get: install rustup from https://rustup.rs, then try again"
    debian_compiler_is_there || install_debian_compiler
    link_for_rustup
    compiler_is_ready && return
    fail "Rust $channel is installed in /usr/bin, but plain cargo means $(command -v cargo || echo nothing) here: put the right one first in PATH"
}

# QEMU's packages are of one version, and a newer qemu-utils (from backports, say) bars the emulator. Where the archive has
# the emulator in that version, that one is taken; where not, qemu-utils goes to the archive's: its tools stay, older.
name_qemu_packages() {
    local utils archive
    qemu_packages=(qemu-system-x86)
    has apt-get || return 0
    apt_update
    utils=$(dpkg-query -Wf '${Version}' qemu-utils 2>/dev/null || true)
    archive=$(apt-cache policy qemu-system-x86 | sed -n 's/^ *Candidate: //p')
    [[ -n $utils ]] && dpkg --compare-versions "$utils" gt "$archive" || return 0
    if apt-cache madison qemu-system-x86 | grep -qF " $utils "; then
        qemu_packages=(qemu-system-{x86,common,data}="$utils")
    else
        say "qemu-utils $utils does not go with the archive's QEMU $archive, so it becomes $archive too"
        qemu_packages+=(qemu-utils="$archive" --allow-downgrades)
    fi
}

provide_tools() {
    local packages=() names=() qemu_packages
    has cc || { packages+=(gcc libc6-dev); names+=("a C compiler, which Rust needs to link"); }
    has qemu-system-x86_64 || { name_qemu_packages; packages+=("${qemu_packages[@]}"); names+=("QEMU for x86 (qemu-system-x86_64)"); }
    ovmf_is_there || { packages+=(ovmf); names+=("OVMF, UEFI firmware for QEMU (or name it in the variable OVMF)"); }
    [[ ${#packages[@]} == 0 ]] && return
    has apt-get || fail "this system has no apt-get, so please install by hand: $(printf '%s; ' "${names[@]}")then try again"
    apt_install "${packages[@]}"
}

bochs_is_there() {
    has bochs && [[ -f /usr/share/vgabios/vgabios.cirrus.bin ]] &&
        compgen -G '/usr/lib/*/bochs/plugins/libbx_sdl2_gui.so' >/dev/null
}

provide_bochs() {
    bochs_is_there && return
    has apt-get || fail "this system has no apt-get, so please install Bochs with its SDL display by hand"
    apt_install bochs bochs-sdl bochsbios vgabios
}

gdb_is_there() { has gdb; }

provide_gdb() {
    gdb_is_there && return
    has apt-get || fail "this system has no apt-get, so please install gdb by hand"
    apt_install gdb
}

e2fsprogs_is_there() {
    local tool
    for tool in mke2fs e2fsck debugfs; do [[ -x /usr/sbin/$tool || -x /sbin/$tool ]] || return 1; done
}

provide_e2fsprogs() {
    e2fsprogs_is_there && return
    has apt-get || fail "this system has no apt-get, so please install e2fsprogs by hand"
    apt_install e2fsprogs
}

# Some tests need Bochs, gdb and e2fsprogs, and are ignored without: what stands in the way is no failure, and nobody is asked for a
# password.
offer() {
    "$1_is_there" && return
    has apt-get || return 0
    if [[ $(id -u) == 0 ]] || sudo -n true 2>/dev/null; then
        ("provide_$1") || say "going on without $1: its tests will be ignored"
    else
        say "$1 is not installed, so its tests will be ignored: boot/setup.sh $1 installs it"
    fi
}

[[ $(uname -sm) == "Linux x86_64" ]] || fail "Faultline is built on Linux on x86-64, and this is $(uname -sm)"
provide_tools
for extra in bochs gdb e2fsprogs; do
    if [[ ${1:-} == "$extra" ]]; then "provide_$extra"; else offer "$extra"; fi
done
provide_compiler
