#!/bin/sh
# The capture crate without what a distributor may leave out: without `ja4plus` (methods under the FoxIO licence) and without `live`
# (libpcap), and with each of them alone. In a target directory of its own, so that the features of the shared one stay as they are.
set -eu
cd "$(dirname "$0")/.."
CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/light"
export CARGO_TARGET_DIR
for features in "" ja4plus live; do
    cargo clippy --quiet -p ja4-capture --lib --bins --no-default-features --features "$features" -- -D warnings
done
