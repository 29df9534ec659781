#!/usr/bin/env python3
"""A database of a wanted size, made of a small one: its rows again and again, later and from other addresses.

    python3 scripts/grow_database.py SMALL.duckdb LARGE.duckdb BYTES

Promises: requests and scores stay what they were together (a session's requests are its requests), keys stay unique, what differs
from client to client in life (addresses, connections, query strings) differs here too, so that nothing compresses better than it
would; tables are in the order of time, as an import leaves them. It needs the package `duckdb` in the version of the program.
Read next: scripts/measure_desktop.sh, which measures with it.
"""

import os
import shutil
import sys

import duckdb

# Copies a statement adds; the first batch says how many bytes a copy takes.
BATCH = 64

# The k-th copy: another /8 for every address, three hours later each, keys of its own.
ADDRESS = "CASE WHEN contains({0}, '.') THEN CAST((CAST(split_part({0}, '.', 1) AS BIGINT) + k) % 223 + 1 AS VARCHAR) || substr({0}, strpos({0}, '.')) ELSE {0} || to_hex(k) END"
STEP_NS = 3 * 3_600_000_000_000
# As lab/src/cycle/write.rs makes it, of the key that the copy has.
SESSION_ID = f"substr(sha256(CAST(win_ms + k * {{step}} // 1000000 AS VARCHAR) || chr(10) || {ADDRESS.format('src_ip')} || chr(10) || ja4 || chr(10) || host), 1, 16)"
HTTP = {
    "row_hi": "CAST(hash(row_hi, k) >> 1 AS BIGINT)",
    "row_lo": "CAST(hash(row_lo, k) >> 1 AS BIGINT)",
    "ts_ns": "ts_ns + k * {step}",
    "hello_ts_ns": "CASE WHEN hello_ts_ns > 0 THEN hello_ts_ns + k * {step} ELSE hello_ts_ns END",
    "src_ip": ADDRESS.format("src_ip"),
    "client_ip": ADDRESS.format("client_ip"),
    "conn_id": "md5(conn_id || k)",
    "query": "CASE WHEN query = '' THEN '' ELSE query || '&r=' || to_hex(hash(row_lo, k)) END",
    "duration_us": "duration_us + CAST(hash(row_lo, k) % 5000 AS BIGINT)",
    "ja4l_us": "CASE WHEN ja4l_us > 0 THEN ja4l_us + CAST(hash(row_lo, k) % 900 AS BIGINT) ELSE ja4l_us END",
}
SCORES = {
    "win_ms": "win_ms + k * {step} // 1000000",
    "src_ip": ADDRESS.format("src_ip"),
    "client_ip": ADDRESS.format("client_ip"),
    "session_id": SESSION_ID,
    "first_ns": "first_ns + k * {step}",
    "last_ns": "last_ns + k * {step}",
    "score_eif": "score_eif * (0.97 + (hash(session_id, k) % 1000) / 40000.0)",
}
TABLES = [
    ("ja4_logs.http_logs", HTTP, "ts_ns, row_hi, row_lo"),
    ("ja4_processing.ml_all_scores", SCORES, "win_ms, src_ip"),
    ("ja4_processing.ml_detected_anomalies", SCORES, "win_ms, src_ip"),
]


def main() -> None:
    small, large, wanted = sys.argv[1], sys.argv[2], int(sys.argv[3])
    shutil.copyfile(small, large)
    db = duckdb.connect(large)
    for table, _, _ in TABLES:
        db.execute(f"CREATE TEMP TABLE {table.split('.')[1]}_first AS SELECT * FROM {table}")
    copies = 0
    while os.path.getsize(large) < wanted:
        for table, changed, order in TABLES:
            columns = [name for name, *_ in db.sql(f"DESCRIBE {table}").fetchall()]
            shown = ", ".join(changed.get(name, name).replace("{step}", str(STEP_NS)) + f" AS {name}" for name in columns)
            source = f"{table.split('.')[1]}_first, range({copies + 1}, {copies + BATCH + 1}) AS copies(k)"
            db.execute(f"INSERT INTO {table} SELECT {shown} FROM {source} ORDER BY {order}")
        copies += BATCH
        db.execute("CHECKPOINT")
    requests, sessions = (db.sql(f"SELECT count(*) FROM {table}").fetchall()[0][0] for table, _, _ in TABLES[:2])
    db.close()
    print(f"{large}: {os.path.getsize(large)} bytes, {requests} requests, {sessions} sessions")


if __name__ == "__main__":
    main()
