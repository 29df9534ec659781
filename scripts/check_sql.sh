#!/usr/bin/env bash
# The SQL on both real engines (DuckDB and ClickHouse's, both from PyPI): schema, feature catalogue, oracle, and bit-for-bit parity.
set -euo pipefail
cd "$(dirname "$0")/.."

python=$(scripts/sql_engines.sh)
"$python" sql/testing/check_schema.py
"$python" sql/testing/check_statements.py
"$python" sql/testing/features_doc.py --check
"$python" sql/testing/database_doc.py --check
"$python" sql/testing/oracle.py
"$python" sql/testing/parity.py "${JA4_PARITY_ROWS:-100000}"
venv="${JA4_VENV:-$HOME/.cache/ja4-venv}"
if ! "$venv/bin/python" -c 'import chdb, duckdb, pyarrow, numpy' 2>/dev/null; then
  echo "check_sql: installing the engines into $venv" >&2
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r sql/testing/requirements.txt
fi
"$venv/bin/python" sql/testing/check_schema.py
"$venv/bin/python" sql/testing/features_doc.py --check
"$venv/bin/python" sql/testing/oracle.py
"$venv/bin/python" sql/testing/parity.py "${JA4_PARITY_ROWS:-100000}"
"$venv/bin/python" sql/testing/api.py
