#!/usr/bin/env python3
"""Whether a correlator's memory stays flat: 5,000 requests a second for as long as you like, its resident memory over time.

Run by hand after `cargo build --release --workspace --bin ja4-correlator` (Linux; `sysctl -w net.unix.max_dgram_qlen=512` first):

    replay/tests/soak.py --minutes 30 [--program PATH] [--rate 5000] [--store] [--folder DIR]

Every connection brings one handshake and twenty requests over ten seconds; 5,000 clients take turns, so that ports are used again after
twenty seconds. (Clients that never come back are remembered for `keepalive_ms`, up to 512 MiB: that is a setting, not a leak.) Rows go to
a rotating file, with `--store` also to a DuckDB file. The exit status is 1 if the memory of any sample after the warm-up is off the median
by more than a tenth, or if an event could not be sent. Read next: docs/PERFORMANCE.md, "Live path".
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
import urllib.request

REQUESTS_PER_CONNECTION, CLIENTS, PAUSE_TICKS = 20, 5000, 125
REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
HANDSHAKE = ('{"v":1,"ts_ns":%d,"src_ip":"10.9.%d.%d","src_port":%d,"dst_ip":"192.0.2.80","dst_port":443,"sni":"www.example",'
             '"alpn":["h2","http/1.1"],"tls_version":772,"ja3":"cd08e31494f9531f560d64c695473da9",'
             '"ja4":"t13d1516h2_8daaf6152771_02713d6af862","ja4t":"64240_2-4-8-1-3_1460_7","tcp_options":"2-4-8-1-3"}')
REQUEST = ('{"v":1,"ts_ns":%d,"ts_resolution_ns":1000,"src_ip":"10.9.%d.%d","src_port":%d,"dst_ip":"192.0.2.80","dst_port":443,'
           '"conn_id":"%x","request_no":%d,"scheme":"https","method":"GET","host":"www.example","path":"/articles/%d",'
           '"http_version":"HTTP/1.1","status":200,"response_bytes":5000,"duration_us":900,"headers":[["Host","www.example"],'
           '["User-Agent","Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/138.0.0.0"],'
           '["Accept","text/html,application/xhtml+xml"],["Accept-Language","en"],["Accept-Encoding","gzip, deflate, br"]]}')


class Sender:
    """Sends as the module and the sentinel do: it never waits, and counts what it could not send."""

    def __init__(self, run):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.paths = {name: str(run / name) for name in ("http", "network")}
        self.sent = {"http": 0, "network": 0}
        self.lost = 0

    def send(self, name, text):
        try:
            self.socket.sendto(text.encode(), self.paths[name])
            self.sent[name] += 1
        except BlockingIOError:
            self.lost += 1

    def tick(self, number):
        """One new connection, and one request of each of the twenty that are open."""
        now_ns = time.time_ns()
        for request_no in range(REQUESTS_PER_CONNECTION):
            connection = number - request_no * PAUSE_TICKS
            if connection < 0:
                return
            client = connection % CLIENTS
            address = (client >> 8, client & 255, 20_000 + client)
            if request_no == 0:
                self.send("network", HANDSHAKE % (now_ns, *address))
            self.send("http", REQUEST % (now_ns + 1_000_000 + request_no, *address, connection, request_no, connection % 5000))


def metrics(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return {name: float(value) for name, value in re.findall(r"^(ja4_\S+) (\S+)$", text, re.M)}


def resident_mib(process):
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024


def start(options, folder):
    for name in ("run", "out"):
        (folder / name).mkdir()
        os.chmod(folder / name, 0o755 if name == "run" else 0o777)
    os.chmod(folder, 0o755)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = folder / "ja4-correlator"
    program.write_bytes(pathlib.Path(options.program).read_bytes())
    program.chmod(0o755)
    command = [program, "--http-socket", folder / "run/http", "--network-socket", folder / "run/network", "--spool", folder / "out/spool",
               "--file", folder / "out/rows.jsonl", "--file-keep", "1", "--outbox-mib", "256", "--listen", f"127.0.0.1:{port}",
               "--stop-ms", "120000"]
    if options.store:
        command += ["--store", folder / "out/rows.duckdb"]
    process = subprocess.Popen(list(map(str, command)))
    for _ in range(600):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=5)
            return process, port
        except OSError:
            time.sleep(0.1)
    sys.exit("the correlator never was ready")


def main():
    target = os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default=f"{target}/release/ja4-correlator")
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument("--warm-up", type=float, help="minutes that do not count; default: a fifth, 1 to 5")
    parser.add_argument("--rate", type=int, default=5000, help="requests a second")
    parser.add_argument("--store", action="store_true", help="also into a DuckDB file")
    parser.add_argument("--folder", help="where the temporary folder is made")
    options = parser.parse_args()
    warm_up_s = 60 * (min(max(options.minutes / 5, 1), 5) if options.warm_up is None else options.warm_up)
    with tempfile.TemporaryDirectory(prefix="ja4-soak-", dir=options.folder) as name:
        folder = pathlib.Path(name)
        process, port = start(options, folder)
        sender, samples = Sender(folder / "run"), []
        begin, ticks, next_look = time.monotonic(), 0, 10.0
        ticks_per_s = options.rate / REQUESTS_PER_CONNECTION
        print("seconds  requests  per second  not sent  resident MiB  waiting  handshakes  lag s", flush=True)
        while (elapsed := time.monotonic() - begin) < options.minutes * 60:
            # Late ticks are made up for, a few at a time: the rate holds on a busy machine too.
            for _ in range(min(int(elapsed * ticks_per_s) - ticks, 5)):
                sender.tick(ticks)
                ticks += 1
            if elapsed >= next_look:
                next_look += 10.0
                shown = metrics(port)
                samples.append((elapsed, resident_mib(process)))
                print(f"{elapsed:7.0f}  {sender.sent['http']:8}  {sender.sent['http'] / elapsed:10.0f}  {sender.lost:8}  {samples[-1][1]:12.1f}"
                      f"  {shown['ja4_pending_requests']:7.0f}  {shown['ja4_handshakes']:10.0f}  {shown['ja4_lag_seconds']:5.1f}", flush=True)
            time.sleep(0.002)
        process.send_signal(signal.SIGTERM)
        status = process.wait(timeout=600)
        held = [mib for elapsed, mib in samples if elapsed >= warm_up_s]
        middle = statistics.median(held)
        off = max(abs(mib - middle) for mib in held) / middle
        print(f"{len(held)} samples after {warm_up_s:.0f} s: median {middle:.1f} MiB, none off by more than {off:.1%}; "
              f"{sender.sent['http']} requests sent, {sender.lost} events not sent; exit status {status}")
        if off > 0.1 or sender.lost or status:
            sys.exit("memory is not flat, or something was lost")


main()
