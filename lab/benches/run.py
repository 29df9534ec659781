#!/usr/bin/env python3
"""The benchmarks of docs/PERFORMANCE.md, run by hand: prints each run and the medians.

usage: run.py fingerprint|memory|replay [--lab PATH] [--runs N]

  fingerprint  ja4-lab fingerprint against `tshark -T fields -e tls.handshake.ja3` on a capture of at least 500 MB, in turn
  memory       peak memory of `ja4-lab fingerprint` and `replay` on a 200 MB and a 2 GB capture
  replay       requests per second from capture and log to scored rows in DuckDB

Inputs are made from the recorded data set by repeat.py in a temporary folder and removed at the end. A child's peak memory is
that of the kernel's accounting (ru_maxrss). Everything is bounded and stops by itself.
"""
import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SET = os.path.join(HERE, "..", "..", "datasets", "recorded", "site-small")


def inputs(folder, copies):
    names = os.listdir(SET)
    capture = next(os.path.join(SET, name) for name in names if name.startswith("capture"))
    log = next(os.path.join(SET, name) for name in names if name.startswith("access.jsonl"))
    prefix = os.path.join(folder, f"x{copies}")
    made = json.loads(subprocess.check_output([sys.executable, os.path.join(HERE, "repeat.py"), capture, log, str(copies), prefix]))
    return prefix + ".pcap", prefix + ".jsonl", made


def copies_for(folder, megabytes):
    pcap, jsonl, _ = inputs(folder, 1)
    size = os.path.getsize(pcap)
    os.remove(pcap), os.remove(jsonl)
    return max(1, -(-megabytes * 1_000_000 // size))


def timed(command):
    """-> (seconds, peak kilobytes of the child, its processor seconds: what to compare on a machine that does other work)"""
    begin = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    if status != 0:
        sys.exit(f"run: {' '.join(command)} ended with status {status}")
    return time.perf_counter() - begin, usage.ru_maxrss, usage.ru_utime + usage.ru_stime


def fingerprint(lab, runs, folder):
    pcap, _, made = inputs(folder, copies_for(folder, 500))
    ours, theirs = [], []
    for _ in range(runs):
        ours.append(timed([lab, "fingerprint", "--threads", "1", pcap])[0])
        theirs.append(timed(["tshark", "-r", pcap, "-T", "fields", "-e", "tls.handshake.ja3"])[0])
        print(f"  ja4-lab {ours[-1]:.2f} s, tshark {theirs[-1]:.2f} s", flush=True)
    mine, other = statistics.median(ours), statistics.median(theirs)
    print(f"fingerprint: {os.path.getsize(pcap) / 1e6:.0f} MB, {made['packets']} packets; medians of {runs}: "
          f"ja4-lab {mine:.2f} s, tshark {other:.2f} s, ratio {other / mine:.1f}")


def memory(lab, runs, folder):
    for what in ("fingerprint", "replay"):
        peaks = []
        for megabytes in (200, 2000):
            pcap, jsonl, _ = inputs(folder, copies_for(folder, megabytes))
            db = os.path.join(folder, "memory.duckdb")
            command = [lab, "fingerprint", pcap] if what == "fingerprint" else [lab, "replay", pcap, "--db", db, "--no-score", "--top", "0"]
            peaks.append(timed(command)[1])
            for path in (pcap, jsonl, db):
                if os.path.exists(path):
                    os.remove(path)
        print(f"memory: {what}: 200 MB {peaks[0] / 1024:.0f} MiB, 2 GB {peaks[1] / 1024:.0f} MiB, ratio {peaks[1] / peaks[0]:.2f} "
              f"(resident, pages of the mapped file included)")


def replay(lab, runs, folder):
    _, _, one = inputs(folder, 1)
    pcap, jsonl, made = inputs(folder, -(-300_000 // one["requests"]))
    rates = []
    for run in range(runs):
        db = os.path.join(folder, f"replay{run}.duckdb")
        seconds, peak, processor = timed([lab, "replay", pcap, "--http-log", jsonl, "--db", db, "--top", "0"])
        os.remove(db)
        rates.append(made["requests"] / seconds)
        print(f"  {seconds:.2f} s, {processor:.2f} s of processor time, {rates[-1]:.0f} requests/s, peak {peak / 1024:.0f} MiB", flush=True)
    print(f"replay: {made['requests']} requests, {made['packets']} packets; median of {runs}: {statistics.median(rates):.0f} requests/s")


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[1].removeprefix("usage: "))
    parser.add_argument("what", choices=["fingerprint", "memory", "replay"])
    parser.add_argument("--lab", default=shutil.which("ja4-lab") or os.path.join(os.environ.get("CARGO_TARGET_DIR", "target"), "release", "ja4-lab"))
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with tempfile.TemporaryDirectory(prefix="ja4-bench-") as folder:
        {"fingerprint": fingerprint, "memory": memory, "replay": replay}[args.what](args.lab, args.runs, folder)


if __name__ == "__main__":
    main()
