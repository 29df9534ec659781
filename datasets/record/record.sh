#!/usr/bin/env bash
# record.sh - makes a recorded, labelled data set from real clients and a real Apache, on one Debian machine, as root.
# Nothing leaves the machine's own network namespaces while it records; only installing needs a package mirror.
# Usage: record.sh OUT [TOOLS]    e.g. datasets/record/record.sh datasets/recorded/site-small
# OUT is replaced whole at the end, TOOLS (venv, node_modules; kept between runs) defaults to a folder below /var/tmp.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=${1:?usage: record.sh OUT [TOOLS]}
tools=${2:-${TMPDIR:-/var/tmp}/ja4-record-tools}
export PYTHONDONTWRITEBYTECODE=1
work=$(mktemp -d)
chmod 755 "$work"
trap 'rm -rf "$work"' EXIT

"$here/install.sh" "$tools"
/usr/bin/python3 "$here/record.py" "$work/run" "$tools"
/usr/bin/python3 "$here/label.py" "$work/run"
/usr/bin/python3 "$here/pack.py" "$work/run" "$out"
