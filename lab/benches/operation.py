#!/usr/bin/env python3
"""The lab in operation over a million scored sessions: how fast it answers and how fast it ranks anew. Run by hand.

usage: operation.py api|rescore|cycle|all [--lab PATH] [--sessions N] [--rate N] [--seconds N]

  api      `ja4-lab detect --listen` asked for 14 lists at --rate requests a second (default 100) for --seconds (default 20); 15 % of the
           requests filter by an address or host that nobody asked for before. Latency counts from when a request was due, so that a queue
           shows. Prints p50 and p99 of all, and of kept and new answers apart.
  rescore  `ja4-lab score --set threshold=0.8`, `--set fpr=0.02` and `--set weights.eif=0.3`, three times each: wall and processor seconds.
  cycle    `ja4-lab score` over the sessions of the recorded set copied to --sessions (made by repeat.py), wall seconds.

A store is made from the recorded data set and its scores multiplied by SQL (`range`) in a temporary folder, which is removed at the end.
Needs PyPI duckdb of the same version as the crate. Everything is bounded and stops by itself.
"""
import argparse
import http.client
import json
import os
import queue
import random
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SET = os.path.join(HERE, "..", "..", "datasets", "recorded", "site-small")
LISTS = ["overview", "timeline", "sessions", "sessions?sort=hits", "scores", "detections", "traffic", "fingerprints", "campaigns", "fleets",
         "brute-force", "rotation", "models", "audit"]
NEW_SHARE = 0.15


def recorded(lab, db):
    names = os.listdir(SET)
    capture = next(os.path.join(SET, name) for name in names if name.startswith("capture"))
    log = next(os.path.join(SET, name) for name in names if name.startswith("access.jsonl"))
    subprocess.run([lab, "-q", "replay", capture, "--http-log", log, "--db", db, "--top", "0"], check=True, stdout=subprocess.DEVNULL)


def million(lab, db, sessions):
    """A store of so many scores: copies of the recorded ones in the hours before, with addresses and scores of their own."""
    import duckdb

    recorded(lab, db)
    with duckdb.connect(db) as store:
        store.execute("SET threads = 2")
        have = store.execute("SELECT count(*) FROM ja4_processing.ml_all_scores").fetchone()[0]
        copies = sessions // have
        address = "'10.' || (i // 65536) || '.' || ((i // 256) % 256) || '.' || (i % 256)"
        changed = {
            "win_ms": "win_ms - 3600000 * (1 + i % 167)", "first_ns": "first_ns - 3600000000000 * (1 + i % 167)",
            "last_ns": "last_ns - 3600000000000 * (1 + i % 167)", "src_ip": address, "client_ip": address,
            "session_id": "left(md5(session_id || i), 16)",
        }
        names = [row[0] for row in store.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = 'ja4_processing' AND table_name = 'ml_all_scores' "
            "ORDER BY ordinal_position").fetchall()]
        columns = ", ".join(changed.get(name, name) for name in names)
        # A tenth is anomalous, as in ordinary traffic; the recorded set is mostly programs.
        keep = "WHERE anomaly = 0 OR hash(session_id, i) % 20 = 0"
        store.execute(f"INSERT INTO ja4_processing.ml_all_scores SELECT {columns} FROM ja4_processing.ml_all_scores, range(1, {3 * copies}) r(i) {keep} "
                      f"LIMIT {sessions - have}")
        store.execute("INSERT INTO ja4_processing.ml_detected_anomalies SELECT * FROM ja4_processing.ml_all_scores WHERE anomaly = 1 AND win_ms < "
                      "(SELECT max(win_ms) FROM ja4_processing.ml_all_scores)")
        store.execute("CHECKPOINT")
        print("store:", store.execute("SELECT count(*), sum(anomaly) FROM ja4_processing.ml_all_scores").fetchone(), "sessions, anomalous", flush=True)


def quantile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))] * 1000 if values else float("nan")


def ask(port, jobs, results):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    while True:
        job = jobs.get()
        if job is None:
            return
        due, path, new = job
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            status = answer.status
        except OSError:
            connection.close()
            status = 0
        results.append((time.perf_counter() - due, status, new))


def api(lab, db, rate, seconds):
    service = subprocess.Popen([lab, "detect", "--db", db, "--every", "1h", "--listen", "127.0.0.1:0", "--rate", "100000"],
                               stderr=subprocess.PIPE, text=True)
    try:
        port = None
        for line in service.stderr:
            found = re.search(r"http://127\.0\.0\.1:(\d+)", line)
            port = int(found.group(1)) if found else port
            if "cycle: " in line:
                print(line.strip(), flush=True)
                break
        threading.Thread(target=lambda: [None for _ in service.stderr], daemon=True).start()
        time.sleep(1)
        rng, jobs, results = random.Random(1), queue.Queue(), []
        threads = [threading.Thread(target=ask, args=(port, jobs, results)) for _ in range(32)]
        [thread.start() for thread in threads]
        begin = time.perf_counter()
        for number in range(rate * seconds):
            due = begin + number / rate
            time.sleep(max(0, due - time.perf_counter()))
            path, new = "/api/v1/" + rng.choice(LISTS), rng.random() < NEW_SHARE
            if new:
                address = f"10.{rng.randrange(16)}.{rng.randrange(256)}.{rng.randrange(256)}"
                path = rng.choice([f"/api/v1/sessions?ip={address}", f"/api/v1/scores?ip={address}", f"/api/v1/sessions?host=h{number}.example"])
            jobs.put((due, path, new))
        [jobs.put(None) for _ in threads]
        [thread.join() for thread in threads]
    finally:
        service.terminate()
        service.wait(60)
    good = [took for took, status, _ in results if status == 200]
    print(f"api: {len(results)} requests at {rate}/s, {len(results) - len(good)} not 200; p50 {quantile(good, 0.5):.1f} ms, p99 {quantile(good, 0.99):.1f} ms; "
          f"kept p99 {quantile([t for t, s, new in results if s == 200 and not new], 0.99):.1f} ms, "
          f"new p99 {quantile([t for t, s, new in results if s == 200 and new], 0.99):.1f} ms")


def timed(command):
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - begin, cpu, output


def rescore(lab, db):
    for setting in ["threshold=0.8", "fpr=0.02", "weights.eif=0.3"]:
        runs = [timed([lab, "-q", "score", "--db", db, "--set", setting]) for _ in range(3)]
        what = "ranked anew" if runs[0][2].startswith("ranked") else "a full run was needed"
        print(f"rescore {setting}: {what}; wall {statistics.median(run[0] for run in runs):.2f} s, "
              f"processor {statistics.median(run[1] for run in runs):.2f} s", flush=True)


def cycle(lab, folder, sessions):
    import glob

    capture, log = (glob.glob(os.path.join(SET, name))[0] for name in ("capture*", "access.jsonl*"))
    prefix, db = os.path.join(folder, "many"), os.path.join(folder, "many.duckdb")
    made = json.loads(subprocess.check_output([sys.executable, os.path.join(HERE, "repeat.py"), capture, log, str(max(1, sessions // 327)), prefix]))
    print("made:", made, flush=True)
    command = [lab, "-q", "replay", prefix + ".pcap", "--http-log", prefix + ".jsonl", "--db", db, "--no-score"]
    print(f"replay: wall {timed(command)[0]:.1f} s", flush=True)
    wall, cpu, output = timed([lab, "-q", "score", "--db", db])
    print(f"cycle: wall {wall:.1f} s, processor {cpu:.1f} s: {output.splitlines()[0]}")


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("what", choices=["api", "rescore", "cycle", "all"])
    parser.add_argument("--lab", default="target/release/ja4-lab")
    parser.add_argument("--sessions", type=int, default=1_000_000)
    parser.add_argument("--rate", type=int, default=100)
    parser.add_argument("--seconds", type=int, default=20)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        db = os.path.join(folder, "million.duckdb")
        if args.what in ("api", "rescore", "all"):
            million(args.lab, db, args.sessions)
        if args.what in ("api", "all"):
            api(args.lab, db, args.rate, args.seconds)
        if args.what in ("rescore", "all"):
            rescore(args.lab, db)
        if args.what in ("cycle", "all"):
            cycle(args.lab, folder, args.sessions)


if __name__ == "__main__":
    main()
