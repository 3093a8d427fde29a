# `make demo`, `make run` and `make test` install what is missing on Debian and Ubuntu.

CARGO ?= cargo
DDBWATCH := $(or $(CARGO_TARGET_DIR),target)/release/ddbwatch
PREFIX ?= /usr/local
DESTDIR ?=
# Of the replay of `make run`.
SPEED ?= 1

.PHONY: help demo run build install test lab soak kernels bench cost captures ebpf fuzz clean

help: ## This list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 20

demo: build ## Build, then analyse the shipped captures and show what is wrong in them
	@echo
	@echo "$$ ddbwatch analyze --config captures/demo.toml captures"
	@$(DDBWATCH) analyze --config captures/demo.toml captures || [ $$? = 4 ]

run: build ## Watch live: the shipped captures in an endless loop, or an interface: make run IFACE=eth0
	@echo "The status page is http://127.0.0.1:9477/ - stop with Ctrl-C."
ifdef IFACE
	@echo "$$ ddbwatch watch -i $(IFACE) > flows.jsonl"
	@$(DDBWATCH) watch -i $(IFACE) > flows.jsonl
else
	@echo "$$ ddbwatch watch --replay captures --speed $(SPEED) --loop --config captures/demo.toml"
	@$(DDBWATCH) watch --replay captures --speed $(SPEED) --loop --config captures/demo.toml > /dev/null || [ $$? = 4 ]
endif

install: ## Install program, manual page, completions, service, configuration: PREFIX=/usr/local DESTDIR=
	test -x $(DDBWATCH) || $(MAKE) build
	install -D -m 755 $(DDBWATCH) $(DESTDIR)$(PREFIX)/bin/ddbwatch
	install -d $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/bash-completion/completions \
	    $(DESTDIR)$(PREFIX)/share/zsh/site-functions $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
	$(DDBWATCH) man > $(DESTDIR)$(PREFIX)/share/man/man1/ddbwatch.1
	$(DDBWATCH) completions bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/ddbwatch
	$(DDBWATCH) completions zsh > $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_ddbwatch
	$(DDBWATCH) completions fish > $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/ddbwatch.fish
	install -d $(DESTDIR)/usr/lib/systemd/system
	sed 's|@PREFIX@|$(PREFIX)|' packaging/systemd/ddbwatch.service > $(DESTDIR)/usr/lib/systemd/system/ddbwatch.service
	# Everybody reads them, whatever the umask of who installs.
	chmod 644 $(DESTDIR)$(PREFIX)/share/man/man1/ddbwatch.1 $(DESTDIR)/usr/lib/systemd/system/ddbwatch.service \
	    $(DESTDIR)$(PREFIX)/share/bash-completion/completions/ddbwatch \
	    $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_ddbwatch \
	    $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/ddbwatch.fish
	install -D -m 644 packaging/systemd/sysusers.conf $(DESTDIR)/usr/lib/sysusers.d/ddbwatch.conf
	install -D -m 644 packaging/systemd/tmpfiles.conf $(DESTDIR)/usr/lib/tmpfiles.d/ddbwatch.conf
	test -e $(DESTDIR)/etc/ddbwatch/ddbwatch.toml || \
	    install -D -m 644 packaging/ddbwatch.toml $(DESTDIR)/etc/ddbwatch/ddbwatch.toml
	install -d $(DESTDIR)/usr/share/doc/ddbwatch/runbooks
	install -m 644 dashboards/runbooks/*.md $(DESTDIR)/usr/share/doc/ddbwatch/runbooks
	install -m 644 README.md $(DESTDIR)/usr/share/doc/ddbwatch
ifeq ($(DESTDIR),)
	@# The user that the service runs as, and its folder. A package does that when it is installed.
	if [ -d /run/systemd/system ]; then \
	    systemd-sysusers ddbwatch.conf && systemd-tmpfiles --create ddbwatch.conf && systemctl daemon-reload; \
	fi
	@echo "As root, next: systemctl enable --now ddbwatch"
else
	@echo "As root, on the host: systemd-sysusers; systemd-tmpfiles --create; systemctl enable --now ddbwatch"
endif

build: ## Build target/release/ddbwatch
	@packaging/setup.sh
	$(CARGO) build --release --locked

test: ## Everything that must hold: format, lints, tests, and the other programs' opinion
	@packaging/setup.sh test
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) test --locked

lab: ## Real clients through a gateway of network namespaces, for each back-end (root, Linux)
	@packaging/setup.sh test
	$(CARGO) build --release --locked
	target/python/bin/python tests/lab/run.py $(DDBWATCH)

soak: ## The daemon for SOAK_SECONDS (1800) under churn, reloads and floods (root, Linux)
	@packaging/setup.sh test
	$(CARGO) build --release --locked
	python3 tests/soak/run.py $(DDBWATCH) --seconds $(or $(SOAK_SECONDS),1800) --backend $(or $(BACKEND),ebpf)

kernels: ## The eBPF tests under Debian's own kernel, in software emulation (PACKAGE=linux-image-... for another)
	@packaging/setup.sh test
	$(CARGO) test --locked --no-run
	python3 tests/kernels/run.py $$($(CARGO) test --locked --no-run --message-format=json | \
	    python3 tests/kernels/program.py) $(if $(PACKAGE),--package $(PACKAGE)) -- ebpf:: --test-threads 2

bench: ## Cost per packet, against the floor and tshark, in one run
	@packaging/setup.sh test
	target/python/bin/python benches/compare.py

cost: ## What watching costs: throughput, CPU per packet, losses, memory, for each back-end and tcpdump (root, Linux)
	@packaging/setup.sh test
	$(CARGO) build --release --locked
	python3 benches/cost.py --binary $(DDBWATCH)

captures: ## Record the shipped captures again (root, Linux)
	@packaging/setup.sh captures
	target/python/bin/python captures/make.py

ebpf: ## Compile the kept eBPF object again (clang, llvm-strip)
	cd src/capture/ebpf && clang --target=bpfel -mcpu=v3 -O2 -g -Wall -Wextra -Wno-sign-compare -nostdinc \
		-ffile-prefix-map=./= -fdebug-compilation-dir=. -c program.c -o program.o
	cd src/capture/ebpf && llvm-strip -g program.o && clang --version | head -n 1 > program.o.clang

fuzz: ## Each fuzz target for FUZZ_SECONDS (nightly Rust and cargo-fuzz)
	python3 fuzz/run.py

clean: ## Remove what was built
	$(CARGO) clean
