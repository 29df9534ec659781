#!/usr/bin/env bash
# record.sh - makes a recorded, labelled data set from real clients and a real Apache, on one Debian machine, as root.
# Nothing leaves the machine's own network namespaces while it records; only installing needs a package mirror.
# Usage: record.sh OUT [--module] [TOOLS]    e.g. datasets/record/record.sh datasets/recorded/site-small
#   --module   plan-module.toml: four sites, Apache also logs through mod_reqin_log, which is built first (needs apache2-dev)
# OUT is replaced whole at the end, TOOLS (venv, node_modules; kept between runs) defaults to a folder below /var/tmp.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=${1:?usage: record.sh OUT [--module] [TOOLS]}
shift
plan=()
if [ "${1:-}" = --module ]; then
  shift
  target=${CARGO_TARGET_DIR:-$here/../../target}
  (cd "$here/../.." && cargo build --release -p mod_reqin_log --target-dir "$target/module")
  plan=(--plan "$here/plan-module.toml" --module "$target/module/release/libmod_reqin_log.so")
fi
tools=${1:-${TMPDIR:-/var/tmp}/ja4-record-tools}
export PYTHONDONTWRITEBYTECODE=1
work=$(mktemp -d)
chmod 755 "$work"
trap 'rm -rf "$work"' EXIT

"$here/install.sh" "$tools"
/usr/bin/python3 "$here/record.py" "$work/run" "$tools" "${plan[@]}"
/usr/bin/python3 "$here/label.py" "$work/run"
/usr/bin/python3 "$here/pack.py" "$work/run" "$out"
