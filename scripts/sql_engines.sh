#!/usr/bin/env bash
# Prints the Python that has both engines (DuckDB and ClickHouse's, both from PyPI), installing them on first use.
set -euo pipefail
cd "$(dirname "$0")/.."

venv="${JA4_VENV:-$HOME/.cache/ja4-venv}"
if ! "$venv/bin/python" -c 'import chdb, duckdb, pyarrow, numpy' 2>/dev/null; then
  echo "sql_engines: installing the engines into $venv" >&2
  python3 -m venv "$venv" >&2
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r sql/testing/requirements.txt >&2
fi
echo "$venv/bin/python"
