"""Packs one labelled recording: WORK -> OUT with capture.pcap.gz, access.jsonl.gz (the module's, where Apache had it; then mod_log_config's is
access_logformat.jsonl.gz), access_combined_ports.log.gz, labels.csv, keys.log.gz and manifest.toml. OUT appears whole or not at all.

To stay small, packets that the server sent after the first SERVER_BYTES of payload of a connection keep only their
headers (captured length < length, as with tcpdump's snap length). Everything a client sent is kept whole.
Fails if the kernel dropped a packet while recording.
Usage: pack.py WORK OUT
"""
import csv
import gzip
import hashlib
import io
import json
import os
import platform
import shutil
import struct
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
SERVER_BYTES = 3000
SERVER_PORTS = (80, 443)
DESCRIPTION = {
    False: "Real clients against one Apache with two sites, by mod_log_config's log.",
    True: "Real clients against one Apache with four sites, by the Apache module's log and mod_log_config's; shared addresses, few ports.",
}


def trim(src: Path, out) -> tuple[int, int, int]:
    """Writes the trimmed capture; returns packets, packets cut, bytes on the wire."""
    packets = cut = wire = 0
    sent: dict[bytes, int] = {}
    with open(src, "rb") as f:
        head = f.read(24)
        magic, *_, link = struct.unpack("<IHHiIII", head)
        assert magic == 0xA1B2C3D4 and link == 1, "a little-endian microsecond Ethernet pcap"
        out.write(head)
        while len(h := f.read(16)) == 16:
            sec, usec, cap, length = struct.unpack("<IIII", h)
            data = f.read(cap)
            packets += 1
            wire += length
            at = tcp_header(data)
            if at:
                ip, tcp = at
                sport, dport = struct.unpack_from(">HH", data, tcp)
                payload = tcp + (data[tcp + 12] >> 4) * 4
                if dport in SERVER_PORTS and data[tcp + 13] & 0x12 == 0x02:  # SYN: a new connection under this tuple
                    sent[key(data, ip, dport, sport, flip=True)] = 0
                elif sport in SERVER_PORTS and len(data) > payload:
                    k = key(data, ip, sport, dport)
                    before = sent.get(k, 0)
                    sent[k] = before + len(data) - payload
                    if before >= SERVER_BYTES:
                        data = data[:payload]
                        cut += 1
            out.write(struct.pack("<IIII", sec, usec, len(data), length) + data)
    return packets, cut, wire


def tcp_header(d: bytes) -> tuple[int, int] | None:
    kind = d[12:14]
    if kind == b"\x08\x00" and len(d) > 34 and d[23] == 6:
        return 14, 14 + (d[14] & 15) * 4
    if kind == b"\x86\xdd" and len(d) > 54 and d[20] == 6:
        return 14, 54
    return None


def key(d: bytes, ip: int, sport: int, dport: int, flip: bool = False) -> bytes:
    n, at = (4, ip + 12) if d[ip] >> 4 == 4 else (16, ip + 8)
    a, b = d[at:at + n], d[at + n:at + 2 * n]
    return (b + a if flip else a + b) + struct.pack(">HH", sport, dport)


def gz(path: Path, data: bytes) -> None:
    with open(path, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as f:
        f.write(data)


def q(s) -> str:
    return json.dumps(str(s))


def main() -> None:
    work, out = Path(sys.argv[1]), Path(sys.argv[2])
    facts = json.loads((work / "facts.json").read_text())
    drops = next((line.split()[0] for line in (work / "tcpdump.txt").read_text().splitlines() if "dropped by kernel" in line), "?")
    if drops != "0":
        raise SystemExit(f"the kernel dropped {drops} packets: record again on a quieter machine")
    new = out.with_name(out.name + ".new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)

    capture = io.BytesIO()
    packets, cut, wire = trim(work / "raw.pcap", capture)
    gz(new / "capture.pcap.gz", capture.getvalue())
    logs = {"access.jsonl": "access.jsonl", "access_combined_ports.log": "access_combined_ports.log"}
    if (work / "server/logs/module.jsonl").exists():
        logs |= {"access.jsonl": "module.jsonl", "access_logformat.jsonl": "access.jsonl"}
    for name, source in logs.items():
        gz(new / f"{name}.gz", (work / "server/logs" / source).read_bytes())
    gz(new / "keys.log.gz", (work / "keys.log").read_bytes())
    shutil.copy(work / "labels.csv", new / "labels.csv")

    hosts = json.loads((work / "hosts.json").read_text())[1:]
    lines = [
        "# What this recorded data set is, what is in it, and what it can not show. Written by datasets/record/pack.py.",
        f"name = {q(out.name)}",
        f"description = {q(DESCRIPTION['access_logformat.jsonl' in logs])}",
        f"recorded_utc = {q(time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(facts['from_ns'] // 10**9)))}",
        f"seconds = {round((facts['to_ns'] - facts['from_ns']) / 1e9)}",
        f"command = {q('datasets/record/record.sh datasets/recorded/' + out.name + (' --module' if 'access_logformat.jsonl' in logs else ''))}",
        f"kernel = {q('Linux ' + platform.release().split('-')[0])}",
        f"cores = {os.cpu_count()}", f"load_average_15_minutes = {os.getloadavg()[2]:.1f}  # much above the cores: people and programs were slowed alike",
        f"distribution = {q('Debian ' + Path('/etc/debian_version').read_text().strip())}",
        "",
        "[counts]",
        f"packets = {packets}", f"wire_bytes = {wire}", f"packets_cut_to_headers = {cut}", f"kernel_drops = {drops}",
        f"connections = {facts['connections']}", f"connections_with_client_hello = {facts['client_hellos']}",
        f"reused_four_tuples = {facts['reused_tuples']}", f"requests = {facts['requests']}",
        f"addresses_with_several_hosts = {facts['shared_addresses']}", f"client_hosts = {len(hosts)}", f"client_names = {len({k for k in facts['table'] if k.startswith('client:')})}",
        f"log_lines_with_syn_percent = {facts['log_lines_with_syn_percent']}",
        *(f"requests_{k} = {v}" for k, v in facts["requests_by_class"].items()),
        "",
        "[counts.requests_by_protocol]", *(f"{q(k)} = {v}" for k, v in facts["protocols"].items()),
        "",
        "[counts.requests_by_status]", *(f"{q(k)} = {v}" for k, v in facts["statuses"].items()),
        "",
        "[files]",
    ]
    for f in sorted(new.iterdir()):
        data = f.read_bytes()
        lines.append(f"{q(f.name)} = {{ bytes = {len(data)}, sha256 = {q(hashlib.sha256(data).hexdigest())} }}")
    lines += ["", "[sha256_unpacked]  # of the contents: independent of the compressor",
              f"\"capture.pcap\" = {q(hashlib.sha256(capture.getvalue()).hexdigest())}"]
    lines += [f"{q(n)} = {q(hashlib.sha256((work / p).read_bytes()).hexdigest())}" for n, p in
              (*((name, f"server/logs/{source}") for name, source in sorted(logs.items())), ("keys.log", "keys.log"))]

    versions = {}
    for r in csv.DictReader(open(work / "runs.csv")):
        versions[r["client_name"]] = r["client_version"]
    def deb(p):
        return subprocess.run(["dpkg-query", "-W", "-f=${Version}", p], capture_output=True, text=True).stdout
    lines += ["", "[versions]", *(f"{q(p)} = {q(deb(p))}" for p in ("apache2-bin", "libssl3", "tcpdump", "tshark"))]
    lines += ["", "# One entry per class/kind, then per client. hellos: connections that sent a ClientHello (tshark)."]
    for k, v in facts["table"].items():
        if k.startswith("client:"):
            lines += ["", "[[client]]", f"name = {q(k[7:])}", f"version = {q(versions[k[7:]])}"]
        else:
            lines += ["", "[[kind]]", f"class = {q(k.split('/')[0])}", f"kind = {q(k.split('/')[1])}", f"clients = {v['tools']}"]
        lines += [f"{n} = {v[n]}" for n in ("addresses", "connections", "hellos", "requests")]
    limits = (HERE / "limits.txt").read_text().strip().splitlines()
    if facts["shared_addresses"]:
        limits.append("Hosts behind one address keep their source ports, each out of a range of its own; a real NAT also changes ports.")
    at = lines.index("[counts]")
    lines[at:at] = ["can_not_show = [", *(f"  {q(x)}," for x in limits), "]", ""]
    (new / "manifest.toml").write_text("\n".join(lines) + "\n")

    if out.exists():
        old = out.with_name(out.name + ".old")
        shutil.rmtree(old, ignore_errors=True)
        out.rename(old)
        new.rename(out)
        shutil.rmtree(old)
    else:
        new.rename(out)
    total = sum(f.stat().st_size for f in out.iterdir())
    print(f"{out}: {total} bytes in {len(list(out.iterdir()))} files, {packets} packets ({cut} cut), {drops} drops")


main()
