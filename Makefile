# Faultline's commands, a target each. Every one sets up the machine by itself where something is missing.
.DEFAULT_GOAL := help
.PHONY: help setup run test sim oracle bugs qemu bochs cuts lives fuzz check image usb debug clean

# For shells that were open before rustup was installed.
export PATH := $(PATH):$(HOME)/.cargo/bin

LOCKED := $(if $(filter true,$(CI)),--locked)

help: ## Show this list
	@echo "Faultline: a kernel that pages on demand. Targets:"
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16
	@echo "After make run or make test, plain cargo run and cargo test work too: cargo run -- --help"

setup: ## Install what is missing: compiler, QEMU, OVMF, Bochs
	@boot/setup.sh

run: setup ## Boot in QEMU: the tour and a shell, or PROGRAM=cow_fork ARGS="..." OPTIONS="--uefi"
	cargo run $(LOCKED) -- $(OPTIONS) -- $(PROGRAM) $(ARGS)

test: setup ## Run every test, fastest first
	cargo test $(LOCKED)

sim: setup ## Run the simulator's tests alone
	cargo test $(LOCKED) -p sim

bugs: setup ## Prove the simulator: it must find every bug of tests/sim/bugs
	tests/sim/bugs.sh

qemu: setup ## Run each program on Linux and in QEMU, on BIOS and on UEFI
	cargo test $(LOCKED) -p test-programs

oracle: setup ## Compare the kernel with Linux on random programs: SEED=0 RUNS=1000
	SEED=$(SEED) RUNS=$(RUNS) cargo test $(LOCKED) -p test-oracle -- --include-ignored

bochs: setup ## Boot in Bochs, a second emulator, or fail where it can't be installed; make test does so where it is there
	boot/setup.sh bochs
	cargo test $(LOCKED) -p test-programs -- bochs::

cuts: setup ## Cut the power of machines that write, some 500 times for each of RUNS=10
	CUT_RUNS=$(or $(RUNS),10) cargo test $(LOCKED) -p test-programs -- --nocapture cut::

lives: setup ## Fork, execute and end 100,000 processes, then count every frame (a minute or two)
	cargo run $(LOCKED) -- --checked --quiet fork_tree 100000

fuzz: setup ## Throw ten million random system calls at the kernel, or CALLS=..., from SEED=...
	cargo run $(LOCKED) -- --checked --quiet fuzz_calls $(or $(SEED),1) $(or $(CALLS),10000000)

check: setup ## All that a change must pass: formatting, clippy, every test
	cargo fmt --all --check
	cargo clippy $(LOCKED) --all-targets -- -Dwarnings
	cargo run $(LOCKED) -- lint
	cargo test $(LOCKED)

image: setup ## Write a disk image that boots on BIOS and UEFI machines (target/images)
	cargo run $(LOCKED) -- image

debug: setup ## Boot in QEMU with gdb beside it: PROGRAM=cow_fork ARGS="..." OPTIONS="--uefi"
	boot/setup.sh gdb
	cargo run $(LOCKED) -- debug $(OPTIONS) -- $(PROGRAM) $(ARGS)

usb: setup ## Write a USB stick that boots on BIOS and UEFI machines: DEVICE=/dev/sdX
	@[ -n "$(DEVICE)" ] || { echo "say which stick: make usb DEVICE=/dev/sdX (lsblk lists the disks)" >&2; exit 1; }
	cargo run $(LOCKED) -- flash "$(DEVICE)"

clean: ## Remove everything that was built
	rm -rf target
