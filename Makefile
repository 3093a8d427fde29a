# The two commands: `make demo` and `make test`. Both install what is missing on Debian and Ubuntu.

CARGO ?= cargo
DDBWATCH := target/release/ddbwatch

.PHONY: help demo build test bench captures ebpf fuzz clean

help: ## This list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 20

demo: build ## Build, then analyse the shipped captures and show what is wrong in them
	@echo
	@echo "$$ ddbwatch analyze --config captures/demo.toml captures"
	@$(DDBWATCH) analyze --config captures/demo.toml captures || [ $$? = 4 ]

build: ## Build target/release/ddbwatch
	@packaging/setup.sh
	$(CARGO) build --release --locked

test: ## Everything that must hold: format, lints, tests, and the other programs' opinion
	@packaging/setup.sh test
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) test --locked

bench: ## Cost per packet, against the floor and tshark, in one run
	@packaging/setup.sh test
	python3 benches/compare.py

captures: ## Record the shipped captures again (root, Linux)
	python3 captures/make.py

ebpf: ## Compile the kept eBPF object again (clang, llvm-strip)
	cd src/capture/ebpf && clang --target=bpfel -mcpu=v3 -O2 -g -Wall -Wextra -Wno-sign-compare -nostdinc \
		-ffile-prefix-map=./= -fdebug-compilation-dir=. -c program.c -o program.o
	cd src/capture/ebpf && llvm-strip -g program.o && clang --version | head -n 1 > program.o.clang

fuzz: ## Each fuzz target for FUZZ_SECONDS (nightly Rust and cargo-fuzz)
	python3 fuzz/run.py

clean: ## Remove what was built
	$(CARGO) clean
