#!/usr/bin/env python3
"""Compares the sensor's speed with its peers on one large capture: same run, interleaved, medians of five.

usage: peers.py --ours BIN [--walk BIN] [--huginn BIN] [--nfstream PYTHON] [--tshark BIN] [--megabytes 400] [--runs 5]
                [--peer-runs N] [--folder DIR] [--prefix 'chrt -r 10']

--ours      the example `fingerprint` of the capture crate (run with THREADS=1 and THREADS=2)
--walk      the example `header_walk`: a bare pass over the packet headers of the mapped file
--huginn    the program of benches/huginn (huginn-net-tls from crates.io, sequential mode)
--nfstream  a Python that has nfstream (PyPI); --tshark a tshark (JA3 fields of client and server)

The capture: copies of datasets/recorded/site-small (real browsers and bots against Apache) with shifted client addresses
(so that no two copies share a connection), each followed by bulk: 24 connections with a ClientHello and ServerHello of the recording and 600 segments of
1,448 bytes of application data each. A peer left out is not measured. Every program writes its results to a file. Prints a
Markdown table: wall time, processor time (user + system), and how many times ours is faster.
"""
import argparse
import gzip
import json
import os
import pathlib
import platform
import resource
import shlex
import statistics
import struct
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
RECORDED = ROOT / "datasets/recorded/site-small"
NFSTREAM = """
import sys
from nfstream import NFStreamer
for flow in NFStreamer(source=sys.argv[1], n_meters=1, statistical_analysis=False):
    print(flow.src_ip, flow.src_port, flow.application_name, flow.client_fingerprint, flow.server_fingerprint)
"""


def packets(data):
    at = 24
    while at + 16 <= len(data):
        caplen = struct.unpack_from("<I", data, at + 8)[0]
        yield data[at:at + 16], data[at + 16:at + 16 + caplen]
        at += 16 + caplen


def hellos(data):
    """-> TLS payloads of one ClientHello and one ServerHello, each whole within its segment (IPv4)."""
    found = {}
    for _, frame in packets(data):
        if frame[12:14] != b"\x08\x00" or frame[23] != 6:
            continue
        tcp = 14 + (frame[14] & 15) * 4
        payload = frame[tcp + (frame[tcp + 12] >> 4) * 4:14 + struct.unpack_from(">H", frame, 16)[0]]
        if len(payload) > 9 and payload[0] == 22 and struct.unpack_from(">H", payload, 3)[0] + 5 <= len(payload):
            found.setdefault(payload[5], payload)
        if 1 in found and 2 in found:
            return found[1], found[2]
    sys.exit("peers: no whole hellos in the recording")


def segment(client, port, up, seq, ack, flags, payload):
    ends = (client, bytes([198, 51, 100, 7]))
    ports = (port, 443)
    if not up:
        ends, ports = ends[::-1], ports[::-1]
    tcp = struct.pack(">HHIIBBHHH", *ports, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, 0x50, flags, 64240, 0, 0) + payload
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), 1, 0x4000, 64, 6, 0) + ends[0] + ends[1]
    return b"\x02" * 12 + b"\x08\x00" + ip + tcp


def bulk(copy, seconds, client_hello, server_hello):
    """Connections that carry much: handshake, then records of application data downwards with an acknowledgement every second one."""
    data = (b"\x17\x03\x03\x40\x00" + os.urandom(1443))
    lanes = []
    for n in range(24):
        client, port = bytes([172, 16 + (copy >> 8 & 15), copy & 255, n + 1]), 40000 + n
        frames = [segment(client, port, True, 0, 0, 2, b""), segment(client, port, False, 0, 1, 18, b""), segment(client, port, True, 1, 1, 16, b""),
                  segment(client, port, True, 1, 1, 24, client_hello), segment(client, port, False, 1, 1 + len(client_hello), 24, server_hello)]
        seq, ack = 1 + len(server_hello), 1 + len(client_hello)
        for i in range(600):
            frames.append(segment(client, port, False, seq, ack, 16, data))
            seq += len(data)
            if i % 2:
                frames.append(segment(client, port, True, ack, seq, 16, b""))
        lanes.append(frames)
    out = bytearray()
    for step in range(max(map(len, lanes))):
        for frames in lanes:
            if step < len(frames):
                frame = frames[step]
                out += struct.pack("<IIII", seconds, min(step * 1000, 999_999), len(frame), len(frame)) + frame
    return out


def make(folder, megabytes):
    folder.mkdir(parents=True, exist_ok=True)
    capture = folder / f"peers-{megabytes}.pcap"
    if capture.exists():
        return capture
    data = bytearray(gzip.decompress((RECORDED / "capture.pcap.gz").read_bytes()))
    client_hello, server_hello = hellos(bytes(data))
    piece = len(data) + len(bulk(0, 0, client_hello, server_hello))
    copies = max(1, round(megabytes * 1e6 / piece))
    records, at = [], 24
    for head, frame in packets(bytes(data)):
        records.append((at, struct.unpack_from("<I", head)[0], frame[12:14]))
        at += 16 + len(frame)
    span = records[-1][1] - records[0][1] + 120
    # Where the addresses of the recording's network (10.77.0.0/16, fd77::/16) begin.
    starts = {b"\x08\x00": (42, 46), b"\x86\xdd": (38, 54)}
    places = [at + place for at, _, kind in records for place in starts.get(kind, ()) if data[at + place:at + place + 2] in (b"\x0a\x4d", b"\xfd\x77")]
    first = bytes(data[place] for place in places)
    with open(capture, "wb") as out:
        out.write(data[:24])
        for copy in range(copies):
            for place, byte in zip(places, first):
                data[place], data[place + 1] = (byte - copy // 256) & 255, (0x4D if byte == 0x0A else 0x77) + copy & 255
            for at, seconds, _ in records:
                struct.pack_into("<I", data, at, seconds + copy * span)
            out.write(data[24:])
            out.write(bulk(copy, records[-1][1] + copy * span + 10, client_hello, server_hello))
    return capture


def measure(command, out, environment, capture):
    # A new file each time: where an old one is cut to nothing, ext4 allocates its blocks when it is closed, which none of the programs does.
    out.unlink(missing_ok=True)
    with open(out, "wb") as file:
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        done = subprocess.run([*command, capture], stdout=file, stderr=subprocess.PIPE, env={**os.environ, **environment})
        wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"peers: {command[0]} failed: {done.stderr.decode(errors='replace')[-500:]}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    options = argparse.ArgumentParser(usage=__doc__)
    for name in ("--ours", "--walk", "--huginn", "--nfstream", "--tshark"):
        options.add_argument(name)
    options.add_argument("--megabytes", type=int, default=400)
    options.add_argument("--runs", type=int, default=5)
    options.add_argument("--peer-runs", type=int, default=None)
    options.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("/tmp/ja4-peers"))
    options.add_argument("--prefix", default="")
    given = options.parse_args()
    capture = make(given.folder, given.megabytes)
    programs = {}
    if given.walk:
        programs["bare header walk"] = ([given.walk], {})
    programs["ours, 1 thread"] = ([given.ours], {"THREADS": "1"})
    programs["ours, 2 threads"] = ([given.ours], {"THREADS": "2"})
    if given.huginn:
        programs["huginn-net-tls"] = ([given.huginn], {})
    if given.nfstream:
        programs["nfstream"] = ([given.nfstream, "-c", NFSTREAM], {})
    if given.tshark:
        fields = ["-e", "ip.src", "-e", "tcp.srcport", "-e", "tls.handshake.ja3", "-e", "tls.handshake.ja3s"]
        programs["tshark, JA3"] = ([given.tshark, "-T", "fields", *fields, "-Y", "tls.handshake.type in {1,2}", "-r"], {})
    slow = {"nfstream", "tshark, JA3"}
    results = {name: [] for name in programs}
    prefix = shlex.split(given.prefix)
    load = os.getloadavg()
    for run in range(given.runs):
        for name, (command, environment) in programs.items():
            if name in slow and given.peer_runs is not None and run >= given.peer_runs:
                continue
            out = given.folder / (name.replace(" ", "-").replace(",", "") + ".out")
            results[name].append(measure([*prefix, *command], out, environment, capture))
    same = (given.folder / "ours-1-thread.out").read_bytes() == (given.folder / "ours-2-threads.out").read_bytes()
    medians = {name: [statistics.median(values) for values in zip(*runs)] for name, runs in results.items()}
    ours_wall, ours_cpu = medians["ours, 1 thread"]
    print(f"{capture.stat().st_size / 1e6:.0f} MB; {platform.machine()}, {os.cpu_count()} processors, {platform.system()} {platform.release()}; "
          f"load average {load[0]:.1f} before, {os.getloadavg()[0]:.1f} after; same output with 1 and 2 threads: {same}\n")
    print("| program | runs | wall, s (median) | processor, s (median) | wall ÷ ours | processor ÷ ours | lines |\n|---|---|---|---|---|---|---|")
    for name, (wall, cpu) in medians.items():
        out = given.folder / (name.replace(" ", "-").replace(",", "") + ".out")
        lines = out.read_bytes().count(b"\n")
        print(f"| {name} | {len(results[name])} | {wall:.3f} | {cpu:.3f} | {wall / ours_wall:.2f} | {cpu / ours_cpu:.2f} | {lines} |")
    print("\n" + json.dumps({name: runs for name, runs in results.items()}))


if __name__ == "__main__":
    main()
