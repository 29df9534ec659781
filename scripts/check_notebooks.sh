#!/usr/bin/env bash
# check_notebooks.sh - every notebook, every cell, headless, on runs of every experiment with fewer trees, draws and levels.
# Usage: check_notebooks.sh JA4-LAB VENV   VENV is made once, with what notebooks/requirements.txt pins.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
lab=${1:?usage: check_notebooks.sh JA4-LAB VENV}
venv=${2:?usage: check_notebooks.sh JA4-LAB VENV}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if ! cmp -s "$root/notebooks/requirements.txt" "$venv/requirements.txt"; then
  python3 -m venv "$venv"
  if ! "$venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: -r "$root/notebooks/requirements.txt"; then
    echo "notebooks: skipped, their Python packages cannot be installed (no network?)" >&2
    exit 0
  fi
  cp "$root/notebooks/requirements.txt" "$venv/"
fi
for plan in "$root"/datasets/experiments/*.toml; do
  name=$(basename "$plan" .toml)
  # Reduced: few draws and trees, the ends of every list of levels.
  sed -E -e '/^(bootstrap|trees|folds) *=/d' -e 's/^(levels = \[[^,]*,).*,([^,]*\])/\1\2/' "$plan" > "$work/$name.toml"
  printf 'bootstrap = 20\ntrees = 20\nfolds = 2\n' >> "$work/$name.toml"
  "$lab" -q experiment run "$work/$name.toml" -o "$work/runs/$name" > /dev/null
done
"$venv/bin/python" "$root/notebooks/run.py" "$work/runs"
