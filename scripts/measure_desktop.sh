#!/usr/bin/env bash
# Figures of the desktop on this machine: frames of a table of 1,000,000 rows, start to the first frame, a filled overview of a 2 GB database,
# processor time while nothing happens.
#
#   scripts/measure_desktop.sh [DB]      a database of the wanted size (default: one of JA4_MEASURE_BYTES, 2 GB, is made by grow_database.py, with
#                                        JA4_PYTHON, which needs the package duckdb; some minutes)
#
# Promises: everything it makes is in a temporary folder; figures are printed, not judged; for a figure worth keeping the machine is quiet.
# Read next: docs/DESKTOP.md (Speed).
set -euo pipefail
cd "$(dirname "$0")/.."
bin="${CARGO_TARGET_DIR:-target}/release"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
echo "machine: $(nproc) cores, load $(cut -d' ' -f1 /proc/loadavg)"

cargo test --release --workspace --test it -- --ignored frames 2>/dev/null | grep -E '^(scrolling|typing|first frame|overview)' || true

db="${1:-}"
if [ -z "$db" ]; then
  db="$work/large.duckdb"
  wanted="${JA4_MEASURE_BYTES:-2000000000}"
  "$bin/ja4-lab" demo --db "$work/small.duckdb" --top 0 >/dev/null
  "${JA4_PYTHON:-python3}" scripts/grow_database.py "$work/small.duckdb" "$db" "$wanted"
fi
echo "database: $(stat -c %s "$db") bytes"

export LIBGL_ALWAYS_SOFTWARE=1 XDG_CONFIG_HOME="$work"
Xvfb :87 -screen 0 1280x800x24 >/dev/null 2>&1 &
screen=$!
trap 'kill $screen 2>/dev/null || true; rm -rf "$work"' EXIT
sleep 1
# `--timings` prints when the first frame and the filled overview were there, and leaves the window open. Twice: first with nothing of the file in memory.
"${JA4_PYTHON:-python3}" -c 'import os, sys; f = os.open(sys.argv[1], os.O_RDONLY); os.fsync(f); os.posix_fadvise(f, 0, 0, os.POSIX_FADV_DONTNEED)' "$db"
DISPLAY=:87 "$bin/ja4-desktop" --timings "$db" >"$work/cold" 2>&1 &
window=$!
for _ in $(seq 600); do grep -q '^overview' "$work/cold" && break; sleep 0.1; done
kill $window
sed 's/$/ (file read from disk)/' "$work/cold"
DISPLAY=:87 "$bin/ja4-desktop" --timings "$db" >"$work/timings" 2>&1 &
window=$!
for _ in $(seq 600); do grep -q '^overview' "$work/timings" && break; sleep 0.1; done
cat "$work/timings"
sleep 5
ticks() { awk '{print $14 + $15}' "/proc/$window/stat"; }
before=$(ticks); sleep 30; after=$(ticks)
awk -v t=$((after - before)) -v hz="$(getconf CLK_TCK)" 'BEGIN { printf "idle: %.2f %% of a core over 30 s\n", 100 * t / hz / 30 }'
echo "memory: $(awk '/VmRSS/ {print $2 * 1024}' "/proc/$window/status") bytes resident"
kill $window
