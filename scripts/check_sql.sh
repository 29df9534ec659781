#!/usr/bin/env bash
# The SQL on both real engines (DuckDB and ClickHouse's, both from PyPI): schema, feature catalogue, oracle, and bit-for-bit parity.
set -euo pipefail
cd "$(dirname "$0")/.."

python=$(scripts/sql_engines.sh)
"$python" sql/testing/check_schema.py
"$python" sql/testing/check_statements.py
"$python" sql/testing/bounded.py --check
"$python" sql/testing/sharded.py --check
"$python" sql/testing/features_doc.py --check
"$python" sql/testing/database_doc.py --check
"$python" sql/testing/oracle.py
"$python" sql/testing/parity.py "${JA4_PARITY_ROWS:-100000}"
"$python" sql/testing/window.py
"$python" sql/testing/access.py
"$python" sql/testing/api.py
"$python" sql/testing/shared_queries.py "${CARGO_TARGET_DIR:-target}/release/ja4-lab"
"$python" sql/testing/upgrades.py "${CARGO_TARGET_DIR:-target}/release/ja4-lab"
