#!/usr/bin/env python3
"""Seconds and memory of one cycle (features, three voices, explanations, scores written) over many sessions; run by hand.

usage: cycle.py [SESSIONS] [--lab PATH] [--runs N] [--requests 5] [--keep FOLDER]

Requests are made by sql/testing/gen_rows.py (REQUESTS of a session in the mean; needs numpy and pyarrow) and imported once, which
is not timed. Each run is `ja4-lab score --db DB` on two threads. The default is the aim's million of sessions; --keep leaves rows and
database in a folder, and takes them from there when they are.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
GENERATOR = os.path.join(HERE, "..", "..", "sql", "testing", "gen_rows.py")


def child(command):
    """-> (seconds, processor seconds, peak kilobytes, what it printed)"""
    begin = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        running = subprocess.Popen(command, stdout=said)
        _, status, usage = os.wait4(running.pid, 0)
        if status != 0:
            sys.exit(f"cycle: {' '.join(command)} ended with status {status}")
        said.seek(0)
        return time.perf_counter() - begin, usage.ru_utime + usage.ru_stime, usage.ru_maxrss, said.read().decode()


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("sessions", type=int, nargs="?", default=1_000_000)
    arguments.add_argument("--lab", default="ja4-lab")
    arguments.add_argument("--runs", type=int, default=1)
    arguments.add_argument("--requests", type=int, default=5)
    arguments.add_argument("--keep")
    o = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = o.keep or scratch
        os.makedirs(folder, exist_ok=True)
        rows, db = os.path.join(folder, "rows.parquet"), os.path.join(folder, "cycle.duckdb")
        if not os.path.exists(db):
            count = str(o.sessions * o.requests)
            subprocess.check_call([sys.executable, GENERATOR, count, rows, "--per-session", str(o.requests)], stdout=sys.stderr)
            child([o.lab, "-q", "--threads", "2", "db", "import", rows, "--db", db])
        walls = []
        for _ in range(o.runs):
            wall, used, peak, said = child([o.lab, "-q", "--threads", "2", "score", "--db", db, "--summary", "json"])
            report = json.loads(said)
            walls.append(wall)
            print(f"  {wall:.1f} s, {used:.1f} processor s, peak {peak / 1024:.0f} MiB, {report['anomalies']} anomalous", flush=True)
        load = os.getloadavg()[0]
        print(f"cycle over {report['sessions']} sessions: median {statistics.median(walls):.1f} s (aim: 60 s for 1,000,000), load {load:.1f}")


if __name__ == "__main__":
    main()
