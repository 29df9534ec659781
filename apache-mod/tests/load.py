#!/usr/bin/env python3
"""What the module costs Apache: latency under `wrk` without it, and with its collector present, absent, stopped and slow.

Run by hand after `cargo build --release -p mod_reqin_log` (needs apache2, wrk; loopback only, three minutes for each MPM):

    apache-mod/tests/load.py [--module PATH] [--mpm event,worker,prefork] [--rounds 5] [--seconds 3] [--rate 2000 | --rate 0]

200 connections. With `--rate` they pause at random between requests, so that Apache is busy but not saturated, and the
percentiles are what a visitor waits; with `--rate 0` they ask as fast as they are answered, and every microsecond of processor
time lengthens the queue that wrk itself makes. Each round measures every case once, in turn, so that a slow minute of the machine
touches all of them alike; printed are the medians over the rounds. "µs a request" is the processor time of all httpd processes
over the requests served: it says what the module costs even on a busy machine, where latencies do not. Case "off" has the module
loaded with ReqinLogEnabled Off. The aim: p99 longer by less than 2 % or 0.2 ms, whichever is larger; the exit status is 1 where
it is missed, or where wrk saw an error that it does not see without the module. Read next: docs/APACHE.md, "What it costs".
"""

import argparse
import os
import pathlib
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

CONNECTIONS = 200
CASES = ["none", "off", "present", "absent", "stopped", "slow"]
REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
# `slow` reads fifty records a second.
COLLECTOR = """
import os, socket, sys, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1]); os.chmod(sys.argv[1], 0o666)
print("ready", flush=True)
while True:
    s.recv(1 << 17)
    if sys.argv[2] == "slow":
        time.sleep(0.02)
"""
PACE = """
math.randomseed(os.time())
function delay() return math.random(0, %d) end
"""


def config(directory, mpm, port, module, case):
    # As many workers as connections from the start, so that no connection waits for a process to be made: that would be measured instead.
    modules = subprocess.run(["apxs", "-q", "LIBEXECDIR"], capture_output=True, text=True).stdout.strip()
    lines = [f"LoadModule mpm_{mpm}_module {modules}/mod_mpm_{mpm}.so", f"LoadModule authz_core_module {modules}/mod_authz_core.so"]
    if case != "none":
        lines += [f"LoadModule reqin_log_module {module}", f"ReqinLogSocket {directory}/http.socket"]
        lines += ["ReqinLogEnabled " + ("Off" if case == "off" else "On")]
    if mpm == "prefork":
        lines += ["StartServers 250", "MaxSpareServers 250", "MaxRequestWorkers 250", "ServerLimit 250"]
    else:
        lines += ["StartServers 4", "ThreadsPerChild 64", "MaxSpareThreads 256", "MaxRequestWorkers 256", "ServerLimit 4"]
    lines += [f"ServerRoot {directory}", "ServerName localhost", f"PidFile {directory}/httpd.pid", f"DefaultRuntimeDir {directory}",
              f"ErrorLog {directory}/error.log", f"Listen 127.0.0.1:{port}", f"DocumentRoot {directory}/www",
              "MaxKeepAliveRequests 0", "MaxConnectionsPerChild 0", "<Directory />", "Require all granted", "</Directory>"]
    if os.getuid() == 0:
        lines += ["User www-data", "Group www-data"]
    return "\n".join(lines) + "\n"


def micros(text):
    value, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()
    return float(value) * {"us": 1, "ms": 1000, "s": 1_000_000}[unit]


def start_collector(directory, case):
    if case not in ("present", "stopped", "slow"):
        return None
    command = [sys.executable, "-c", COLLECTOR, f"{directory}/http.socket", case]
    collector = subprocess.Popen(command, stdout=subprocess.PIPE)
    collector.stdout.readline()
    if case == "stopped":
        collector.send_signal(signal.SIGSTOP)
    return collector


def wrk(directory, port, rate, seconds):
    pace = pathlib.Path(directory, "pace.lua")
    # Uniform pauses of the mean that gives the rate.
    pace.write_text(PACE % (2 * 1000 * CONNECTIONS // rate) if rate else "")
    headers = ["-H", "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36", "-H", "Accept-Language: en",
               "-H", "Accept: text/html,application/xhtml+xml", "-H", "Cookie: session=0123456789abcdef0123456789abcdef"]
    command = ["wrk", "--latency", "-t", "1", "-c", str(CONNECTIONS), "-d", f"{seconds}s", "-s", str(pace), *headers]
    return subprocess.run([*command, f"http://127.0.0.1:{port}/index.html"], capture_output=True, text=True, check=True).stdout


def measure(mpm, module, case, options):
    with tempfile.TemporaryDirectory(prefix="reqin-load-") as directory:
        os.chmod(directory, 0o755)
        www = pathlib.Path(directory, "www")
        www.mkdir()
        (www / "index.html").write_text("hello\n")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        file = pathlib.Path(directory, "httpd.conf")
        file.write_text(config(directory, mpm, port, module, case))
        collector = start_collector(directory, case)
        server = subprocess.Popen(["/usr/sbin/apache2", "-d", directory, "-f", str(file), "-DFOREGROUND"], start_new_session=True)
        log = pathlib.Path(directory, "error.log")
        try:
            for _ in range(500):
                if log.exists() and "resuming normal" in log.read_text():
                    break
                time.sleep(0.01)
            warm = wrk(directory, port, options.rate, 1)
            text = wrk(directory, port, options.rate, options.seconds)
        finally:
            server.terminate()
            usage = os.wait4(server.pid, 0)[2]
            server.returncode = 0
            if collector:
                collector.kill()
                collector.wait()
        percentile = dict(re.findall(r"^\s+(50|99)%\s+(\S+)", text, re.M))
        served = sum(int(re.search(r"(\d+) requests in", run)[1]) for run in (warm, text))
        failures = re.findall(r"(?:Non-2xx or 3xx responses: |connect |read |write |timeout )(\d+)", text)
        return {"cpu_us": (usage.ru_utime + usage.ru_stime) * 1e6 / served, "p50_us": micros(percentile["50"]),
                "p99_us": micros(percentile["99"]), "per_s": float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1]),
                "errors": sum(map(int, failures)),
                "dropped": sum(map(int, re.findall(r"mod_reqin_log: (\d+) records dropped", log.read_text())))}


def main():
    target = os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--module", default=f"{target}/release/libmod_reqin_log.so")
    parser.add_argument("--mpm", default="prefork,worker,event")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rate", type=int, default=2000, help="requests a second over all connections; 0: as fast as possible")
    parser.add_argument("--cases", default=",".join(CASES))
    options = parser.parse_args()
    cases = options.cases.split(",")
    missed = []
    print("| MPM | case | requests/s | µs a request | p50 ms | p99 ms | added p99 ms | errors | dropped |\n|" + "---|" * 9, flush=True)
    for mpm in options.mpm.split(","):
        results = {case: [] for case in cases}
        for _ in range(options.rounds):
            for case in cases:
                results[case].append(measure(mpm, options.module, case, options))
        medians = {case: {key: statistics.median(run[key] for run in runs) for key in runs[0]} for case, runs in results.items()}
        base = medians[cases[0]]
        for case, row in medians.items():
            added = row["p99_us"] - base["p99_us"]
            print(f"| {mpm} | {case} | {row['per_s']:.0f} | {row['cpu_us']:.1f} | {row['p50_us'] / 1000:.2f} | {row['p99_us'] / 1000:.2f} "
                  f"| {added / 1000:+.2f} | {row['errors']:.0f} | {row['dropped']:.0f} |", flush=True)
            if added > max(200, base["p99_us"] * 0.02) or row["errors"] > base["errors"]:
                missed.append(f"{mpm}, {case}")
        spread = [run["p99_us"] / 1000 for run in results[cases[0]]]
        print(f"p99 of the rounds without the module: {min(spread):.2f} to {max(spread):.2f} ms", file=sys.stderr, flush=True)
    if missed:
        sys.exit("aim missed: " + "; ".join(missed))


main()
