#!/usr/bin/env bash
# The programs that do not hold DuckDB, linked against the C library of el8 (2.28), for packaging/build.sh.
#
#   packaging/old_glibc.sh [GLIBC]         needs cargo-zigbuild (crates.io) and ziglang (PyPI) in PATH
#
# Promises: the result is in $CARGO_TARGET_DIR/x86_64-unknown-linux-gnu/release and runs where the C library is that old; libpcap is
# linked under the name that Red Hat gives it, by a library that holds its names and no code, so nothing but the headers of this machine's
# library is used. ja4-lab and ja4-correlator hold DuckDB (C++) and are not built here: see docs/DEPLOYMENT.md.
set -euo pipefail
cd "$(dirname "$0")/.."
glibc="${1:-2.28}"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
library="$(ldconfig -p | awk '/libpcap\.so / && !seen++ {print $NF}')"
[ -n "$library" ] || { echo "old_glibc.sh: no libpcap.so; install libpcap-dev" >&2; exit 1; }
nm -D --defined-only "$library" | awk '$2 == "T" {print "void " $3 "(void) {}"}' > "$work/names.c"
gcc -shared -fno-builtin -nostdlib -w -Wl,-soname,libpcap.so.1 -o "$work/libpcap.so" "$work/names.c"
# 1.9.1 is what el8 has.
LIBPCAP_LIBDIR="$work" LIBPCAP_VER=1.9.1 cargo zigbuild --release -p ja4-capture --bin ja4-sentinel --target "x86_64-unknown-linux-gnu.$glibc"
cargo zigbuild --release -p mod_reqin_log --lib --target "x86_64-unknown-linux-gnu.$glibc"
