#!/usr/bin/env python3
"""What the module costs Apache: latency under `wrk` without it, and with its collector present, absent and stopped.

Run by hand after `cargo build --release -p mod_reqin_log` (needs apache2, wrk; loopback only, under two minutes):

    apache-mod/tests/load.py [PATH/libmod_reqin_log.so]

Each round measures every case once, in turn, so that a slow minute of the machine touches all of them alike; printed are the
medians over the rounds. `cpu_us_per_request` is the processor time of all httpd processes over the requests served: it says what
the module costs even on a busy machine, where latencies do not. Case "off" has the module loaded with ReqinLogEnabled Off. Read next: docs/APACHE.md, "What it costs".
"""

import json
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

ROUNDS, SECONDS, CONNECTIONS, THREADS = 3, 2, 200, 1
CASES = ["none", "off", "present", "absent", "stopped"]
MPMS = sys.argv[2].split(",") if len(sys.argv) > 2 else ["event"]
REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
COLLECTOR = """
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1]); os.chmod(sys.argv[1], 0o666)
print("ready", flush=True)
while True:
    s.recv(1 << 17)
"""


def config(directory, mpm, port, module, case):
    modules = subprocess.run(["apxs", "-q", "LIBEXECDIR"], capture_output=True, text=True).stdout.strip()
    lines = [f"LoadModule mpm_{mpm}_module {modules}/mod_mpm_{mpm}.so", f"LoadModule authz_core_module {modules}/mod_authz_core.so"]
    if case != "none":
        lines += [f"LoadModule reqin_log_module {module}", f"ReqinLogSocket {directory}/http.socket"]
        lines += ["ReqinLogEnabled " + ("Off" if case == "off" else "On")]
    if mpm == "prefork":
        lines += ["StartServers 32", "MaxRequestWorkers 250", "ServerLimit 250"]
    else:
        lines += ["StartServers 2", "ThreadsPerChild 64", "MaxRequestWorkers 256", "ServerLimit 4"]
    lines += [f"ServerRoot {directory}", "ServerName localhost", f"PidFile {directory}/httpd.pid", f"DefaultRuntimeDir {directory}",
              f"ErrorLog {directory}/error.log", f"Listen 127.0.0.1:{port}", f"DocumentRoot {directory}/www",
              "MaxKeepAliveRequests 0", "MaxConnectionsPerChild 0", "<Directory />", "Require all granted", "</Directory>"]
    if os.getuid() == 0:
        lines += ["User www-data", "Group www-data"]
    return "\n".join(lines) + "\n"


def micros(text):
    value, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()
    return float(value) * {"us": 1, "ms": 1000, "s": 1_000_000}[unit]


def measure(mpm, module, case):
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
        collector = None
        if case in ("present", "stopped"):
            collector = subprocess.Popen([sys.executable, "-c", COLLECTOR, f"{directory}/http.socket"], stdout=subprocess.PIPE)
            collector.stdout.readline()
            if case == "stopped":
                collector.send_signal(signal.SIGSTOP)
        server = subprocess.Popen(["/usr/sbin/apache2", "-d", directory, "-f", str(file), "-DFOREGROUND"], start_new_session=True)
        log = pathlib.Path(directory, "error.log")
        try:
            for _ in range(500):
                if log.exists() and "resuming normal" in log.read_text():
                    break
                time.sleep(0.01)
            url = f"http://127.0.0.1:{port}/index.html"
            headers = ["-H", "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36", "-H", "Accept-Language: en",
                       "-H", "Accept: text/html,application/xhtml+xml", "-H", "Cookie: session=0123456789abcdef0123456789abcdef"]
            command = ["wrk", "--latency", "-t", str(THREADS), "-c", str(CONNECTIONS)]
            warm = subprocess.run([*command, "-d", "1s", *headers, url], capture_output=True, text=True, check=True).stdout
            text = subprocess.run([*command, "-d", f"{SECONDS}s", *headers, url], capture_output=True, text=True, check=True).stdout
        finally:
            server.terminate()
            usage = os.wait4(server.pid, 0)[2]
            server.returncode = 0
            if collector:
                collector.kill()
                collector.wait()
        percentile = dict(re.findall(r"^\s+(50|99)%\s+(\S+)", text, re.M))
        served = sum(int(re.search(r"(\d+) requests in", run)[1]) for run in (warm, text))
        return {"cpu_us_per_request": round((usage.ru_utime + usage.ru_stime) * 1e6 / served, 2), "p50_us": micros(percentile["50"]), "p99_us": micros(percentile["99"]),
                "requests_per_s": float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1]),
                "errors": sum(map(int, re.findall(r"(?:Non-2xx or 3xx responses: |connect |read |write |timeout )(\d+)", text))),
                "log_lines": log.read_text().count("records dropped")}


def main():
    target = os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target")
    module = sys.argv[1] if len(sys.argv) > 1 else f"{target}/release/libmod_reqin_log.so"
    for mpm in MPMS:
        results = {case: [] for case in CASES}
        for _ in range(ROUNDS):
            for case in CASES:
                results[case].append(measure(mpm, module, case))
        base = statistics.median(run["p99_us"] for run in results["none"])
        for case in CASES:
            row = {key: statistics.median(run[key] for run in results[case]) for key in results[case][0]}
            print(json.dumps({"mpm": mpm, "case": case, **row, "p99_ratio": round(row["p99_us"] / base, 3)}), flush=True)


main()
