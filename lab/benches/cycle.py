#!/usr/bin/env python3
"""Seconds and memory of one cycle (features, three voices, explanations, scores, campaigns, fleets) over many sessions; run by hand.

usage: cycle.py [SESSIONS] [--lab PATH] [--runs N] [--requests 5] [--anomalous 0.1] [--keep FOLDER]

SESSIONS × REQUESTS requests are made by sql/testing/gen_rows.py (needs numpy and pyarrow) and imported once; how long that took is
said and not counted. The first cycle fits its models (`ja4-lab score --save-model`), those after it score with them, as a service does.
Both run on two threads and say how long each part took. Three quarters of the generated sessions are programs; `--anomalous` adds a
cycle with the threshold that this share of the scores reaches, nearer to ordinary traffic (many programs score 1, so more than the
share may reach it; how many is said). The default is the aim's million of sessions; --keep
leaves rows and database in a folder, and takes them from there when they are.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
GENERATOR = os.path.join(HERE, "..", "..", "sql", "testing", "gen_rows.py")
# What the generator calls a session is an address with a start; two of five meet another one in the same hour.
MEETING = 0.6


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


def cycle(what, lab, db, more):
    wall, used, peak, said = child([lab, "-q", "--threads", "2", "score", "--db", db, "--timings", "--summary", "json", *more])
    report = json.loads(said)
    print(f"{what}: {wall:.1f} s, {used:.1f} processor s, peak {peak / 1024:.0f} MiB; {report['sessions']} sessions, "
          f"{report['anomalies']} anomalous; load {os.getloadavg()[0]:.1f}", flush=True)


def threshold(lab, db, share):
    """The score that this share of the sessions reaches."""
    text = f"SELECT quantile_disc(score, {1 - share}) AS score FROM ja4_processing.ml_all_scores"
    return json.loads(subprocess.check_output([lab, "sql", "--db", db, "--format", "jsonl", text]))["score"]


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("sessions", type=int, nargs="?", default=1_000_000)
    arguments.add_argument("--lab", default="ja4-lab")
    arguments.add_argument("--runs", type=int, default=1)
    arguments.add_argument("--requests", type=int, default=5)
    arguments.add_argument("--anomalous", type=float, default=0.1)
    arguments.add_argument("--keep")
    o = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = o.keep or scratch
        os.makedirs(folder, exist_ok=True)
        rows, db, models = (os.path.join(folder, name) for name in ("rows.parquet", "cycle.duckdb", "models"))
        if not os.path.exists(db):
            per_session = str(max(1, round(o.requests * MEETING)))
            subprocess.check_call([sys.executable, GENERATOR, str(o.sessions * o.requests), rows, "--per-session", per_session], stdout=sys.stderr)
            wall, used, _, _ = child([o.lab, "-q", "--threads", "2", "db", "import", rows, "--db", db])
            print(f"import: {wall:.1f} s, {used:.1f} processor s ({o.sessions * o.requests / wall:,.0f} rows/s)", flush=True)
        cycle("with a fit", o.lab, db, ["--save-model", models])
        for _ in range(o.runs):
            cycle("with the models kept", o.lab, db, ["--model", models])
        if o.anomalous > 0:
            least = threshold(o.lab, db, o.anomalous)
            cycle(f"the same, threshold {least:.4f} (asked for {o.anomalous:.0%} anomalous; ties count)", o.lab, db, ["--model", models, "--set", f"threshold={least}"])
    print("aim: 60 s for 1,000,000 sessions on two processors")


if __name__ == "__main__":
    main()
