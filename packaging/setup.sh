#!/usr/bin/env bash
# Installs what building ddbwatch needs, on Debian and Ubuntu; with "test" also what testing and measuring it
# needs, with "captures" also what recording the shipped captures needs.
# Elsewhere it says what to install. It changes nothing where everything is there already.
set -euo pipefail

purpose=${1:-build}
minimum_rust=1.95
# Whether more than building is wanted, and whether that includes recording.
tests=false captures=false
case "$purpose" in
test) tests=true ;;
captures) tests=true captures=true ;;
esac

has() { command -v "$1" >/dev/null 2>&1; }

if ! has cargo; then
    echo "Rust $minimum_rust or newer is needed: install it from https://rustup.rs and run this again." >&2
    exit 1
fi
rust=$(rustc --version | cut -d' ' -f2)
if [ "$(printf '%s\n%s\n' "$minimum_rust" "$rust" | sort -V | head -n 1)" != "$minimum_rust" ]; then
    echo "Rust $rust is too old, $minimum_rust or newer is needed: run 'rustup update stable'." >&2
    exit 1
fi

# command:Debian package
wanted="cc:gcc python3:python3"
if $tests; then
    wanted="$wanted tshark:tshark ip:iproute2 promtool:prometheus prometheus-alertmanager:prometheus-alertmanager"
    wanted="$wanted openssl:openssl zstd:zstd gzip:gzip chromium:chromium"
    # The lab: its network, its observers, its clients.
    wanted="$wanted tc:iproute2 nft:nftables ss:iproute2 clang:clang curl:curl dumpcap:wireshark-common npm:npm sysctl:procps"
    # Spark, which reads Parquet files of the tests, runs on Java.
    wanted="$wanted java:default-jre-headless"
    # The soak and the cost benchmark.
    wanted="$wanted nsenter:util-linux ethtool:ethtool tcpdump:tcpdump"
    # Another kernel, in a virtual machine.
    if [ "$(uname -m)" = x86_64 ]; then
        wanted="$wanted qemu-system-x86_64:qemu-system-x86 busybox:busybox-static cpio:cpio modprobe:kmod"
    fi
    # The service.
    wanted="$wanted systemd-sysusers:systemd"
fi
missing=""
for pair in $wanted; do
    has "${pair%%:*}" || missing="$missing ${pair#*:}"
done
[ -f /usr/include/stdio.h ] || missing="$missing libc6-dev"
[ -f /usr/include/pcap.h ] || missing="$missing libpcap-dev"
if $tests && ! cargo clippy --version >/dev/null 2>&1; then
    echo "clippy and rustfmt are needed for the tests: run 'rustup component add clippy rustfmt'." >&2
    exit 1
fi

# DuckDB and Spark read the Parquet files of the tests, boto3 and moto are client and server of the lab, numpy makes the
# large captures; they are kept apart from the system's Python.
make_python() {
    $tests || return 0
    if ! target/python/bin/python -c 'import boto3, cryptography, duckdb, moto.server, numpy, pyspark' 2>/dev/null; then
        python3 -m venv target/python
        target/python/bin/pip install --quiet duckdb 'pyspark>=3.5,<4' \
            $(grep -E '^(boto3|cryptography|moto|numpy)' captures/requirements.txt)
    fi
    if $captures; then
        target/python/bin/pip install --quiet -r captures/requirements.txt
    fi
}

# The schema of the Prometheus Operator.
make_node() {
    $tests || return 0
    [ -d target/node/node_modules/@kubernetes-models/prometheus-operator ] && return 0
    npm install --silent --no-audit --no-fund --prefix target/node @kubernetes-models/prometheus-operator@6.0.0 js-yaml@5.5.0
}

if $tests && ! python3 -c 'import ensurepip' 2>/dev/null; then
    missing="$missing python3-venv"
fi
if [ -z "$missing" ]; then
    make_python
    make_node
    exit 0
fi

if ! has apt-get; then
    echo "Please install (names as in Debian):$missing" >&2
    exit 1
fi
sudo=""
if [ "$(id -u)" != 0 ]; then
    if ! has sudo; then
        echo "Please run as root: apt-get install -y$missing" >&2
        exit 1
    fi
    sudo=sudo
fi
echo "Installing:$missing" >&2
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq
# shellcheck disable=SC2086
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
make_python
make_node
