#!/usr/bin/env python3
"""Cuts the handshake and header templates of `ja4-lab synth` out of a recorded data set.

usage: cut.py DATASET [--fingerprints FILE.jsonl] [-o FILE.toml]

DATASET holds capture.pcap.gz, access.jsonl.gz, labels.csv and manifest.toml, as in datasets/recorded/. FILE.jsonl is what
`ja4-lab fingerprint capture.pcap.gz --keylog keys.log` prints: from it come the fingerprints that a test compares with those of generated
captures, the HTTP/2 settings and the order of the headers. For each client and each JA4 it sent (the three most frequent) one
connection is kept, the first complete one: the options, window and TTL of its SYN and of the answer, the bytes of the ClientHello
and of the ServerHello. For each client the most frequent header set of a page, an asset, an API call and a form. Nothing is
invented; the random bytes of a hello and its server name are replaced when traffic is generated. Standard library only; two runs give the same bytes.
"""
import argparse
import collections
import csv
import gzip
import hashlib
import json
import os
import re
import struct
import sys

VARIANTS = 3
ASSET = re.compile(r"\.(css|js|png|jpe?g|gif|svg|ico|woff2?|webp)$")
# Written per request by the generator, or facts about one visit.
LEFT_OUT = {"referer", "cookie", "authorization", "content-length", "content-type", "if-none-match", "if-modified-since", "range", "host"}


def packets(path):
    """-> (time ns, bytes of the frame) of a little-endian microsecond or nanosecond pcap"""
    data = gzip.open(path).read()
    unit = {0xA1B2C3D4: 1000, 0xA1B23C4D: 1}[struct.unpack_from("<I", data)[0]]
    at = 24
    while at < len(data):
        seconds, fraction, kept, _ = struct.unpack_from("<IIII", data, at)
        yield seconds * 1_000_000_000 + fraction * unit, data[at + 16:at + 16 + kept]
        at += 16 + kept


def address(raw):
    if len(raw) == 4:
        return ".".join(map(str, raw))
    import ipaddress
    return str(ipaddress.IPv6Address(raw))


def tcp(frame):
    """-> (src, sport, dst, dport, ttl, df, flags, window, options, seq, payload) or None"""
    kind, at = struct.unpack_from("!H", frame, 12)[0], 14
    if kind == 0x0800:
        head = (frame[at] & 15) * 4
        if frame[at + 9] != 6:
            return None
        total = struct.unpack_from("!H", frame, at + 2)[0]
        ttl, df = frame[at + 8], bool(frame[at + 6] & 0x40)
        src, dst = address(frame[at + 12:at + 16]), address(frame[at + 16:at + 20])
        end = at + total
    elif kind == 0x86DD:
        head, ttl, df = 40, frame[at + 7], False
        if frame[at + 6] != 6:
            return None
        src, dst = address(frame[at + 8:at + 24]), address(frame[at + 24:at + 40])
        end = at + 40 + struct.unpack_from("!H", frame, at + 4)[0]
    else:
        return None
    at += head
    sport, dport, seq, _, flags, window = struct.unpack_from("!HHIIHH", frame, at)
    length = (flags >> 12) * 4
    return src, sport, dst, dport, ttl, df, flags & 0x3F, window, frame[at + 20:at + length], seq, frame[at + length:end]


def labelled(path):
    spans = collections.defaultdict(list)
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            spans[(row["src_ip"], int(row["src_port"]))].append(
                (int(row["first_ns"]), int(row["last_ns"]), row["client_name"], row["client_kind"], row["class"], row["client_version"]))
    return spans


def label_at(spans, key, ts_ns, slack=0):
    return next((label for label in spans.get(key, ()) if label[0] - slack <= ts_ns <= label[1] + slack), None)


def records(payload, kind):
    """The first TLS record of a stream, if it is whole and carries handshake message `kind`; several records for one long message."""
    taken, message, at = b"", b"", 0
    while at + 5 <= len(payload):
        length = struct.unpack_from("!H", payload, at + 3)[0]
        if payload[at] != 22 or at + 5 + length > len(payload):
            return None
        message += payload[at + 5:at + 5 + length]
        taken += payload[at:at + 5 + length]
        at += 5 + length
        if message[0] != kind:
            return None
        if len(message) >= 4 + int.from_bytes(message[1:4], "big"):
            return taken
    return None


class Connection:
    def __init__(self, at_ns, parts):
        self.first_ns, self.client, self.server = at_ns, {}, {}
        self.syn = dict(ttl=parts[4], df=parts[5], window=parts[7], options=parts[8])
        self.isn, self.answer, self.server_isn = parts[9], None, None

    def stream(self, side):
        """What stands at the beginning of a direction without a hole."""
        parts = self.client if side == "client" else self.server
        text, next_byte = b"", 0
        for offset in sorted(parts):
            if offset > next_byte:
                break
            text += parts[offset][next_byte - offset:]
            next_byte = max(next_byte, offset + len(parts[offset]))
        return text


def connections(path):
    open_now, done = {}, []
    for at_ns, frame in packets(path):
        parts = tcp(frame)
        if not parts:
            continue
        src, sport, dst, dport, ttl, df, flags, window, options, seq, payload = parts
        if flags & 0x12 == 0x02:
            if (src, sport, dst, dport) in open_now:
                done.append(((src, sport, dst, dport), open_now[(src, sport, dst, dport)]))
            open_now[(src, sport, dst, dport)] = Connection(at_ns, parts)
        elif (src, sport, dst, dport) in open_now and payload:
            found = open_now[(src, sport, dst, dport)]
            offset = (seq - found.isn - 1) & 0xFFFFFFFF
            if offset < 20_000:
                found.client.setdefault(offset, payload)
        elif (dst, dport, src, sport) in open_now:
            found = open_now[(dst, dport, src, sport)]
            if flags & 0x12 == 0x12:
                found.answer, found.server_isn = dict(ttl=ttl, df=df, window=window, options=options), seq
            elif payload and found.server_isn is not None:
                offset = (seq - found.server_isn - 1) & 0xFFFFFFFF
                if offset < 20_000:
                    found.server.setdefault(offset, payload)
    return sorted(done + list(open_now.items()), key=lambda item: item[1].first_ns)


def log_lines(path):
    with gzip.open(path, "rt", encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                yield json.loads(re.sub(r"\\x[0-9a-f]{2}|\\v", "?", line))
            except ValueError:
                continue


def purpose(record):
    path = record["path"]
    if record["method"] == "POST":
        return "form"
    if ASSET.search(path) or path.startswith("/assets/"):
        return "asset"
    return "api" if path.startswith("/api/") else "page"


def header_sets(log, spans, orders):
    """(client, purpose) -> its most frequent header set, in wire order where the key log showed one"""
    seen = collections.defaultdict(collections.Counter)
    for record in log:
        label = label_at(spans, (record["src_ip"], record["src_port"]), record["ts_us"] * 1000, 2_000_000_000)
        if not label or record["status"] in (400, 408, 501):
            continue
        headers = tuple((name, value) for name, value in record["h"].items() if value != "-" and name.lower() not in LEFT_OUT)
        seen[(label[2], purpose(record))][(record["method"], record["http_version"], headers)] += 1
    chosen = {}
    for key, sets in seen.items():
        method, version, headers = min(sets, key=lambda found: (-sets[found], found))
        chosen[key] = (method, version, ordered(headers, orders.get((key[0], method), [])))
    return chosen


def ordered(headers, orders):
    """By the wire order that holds most of these names; names only the wire shows are left out, for their values were not kept."""
    names = {name.lower() for name, _ in headers}
    best = max(orders, key=lambda order: (len(names & {name.lower() for name in order}), -len(order)), default=[])
    place = {name.lower(): index for index, name in enumerate(best)}
    return sorted(headers, key=lambda header: place.get(header[0].lower(), len(place)))


def text(value):
    return json.dumps(value, ensure_ascii=True)


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[1].removeprefix("usage: "))
    parser.add_argument("dataset")
    parser.add_argument("--fingerprints")
    parser.add_argument("-o", "--output", default="-")
    args = parser.parse_args()
    spans = labelled(os.path.join(args.dataset, "labels.csv"))
    prints, orders = {}, collections.defaultdict(list)
    for line in open(args.fingerprints, encoding="utf-8") if args.fingerprints else ():
        record = json.loads(line)
        key = (record["src"], record["sport"], record["start_ns"])
        prints.setdefault(key, record)
        label = label_at(spans, key[:2], record["start_ns"], 1_000_000)
        for raw in record.get("ja4h_r", []):
            # a_b…: method, version, cookie, referer, count, language; then the names in wire order
            parts = raw.split("_")
            method = {"ge": "GET", "po": "POST", "he": "HEAD"}.get(raw[:2])
            if label and method and len(parts) > 1 and parts[1].split(",") not in orders[(label[2], method)]:
                orders[(label[2], method)].append(parts[1].split(","))
    found = collections.defaultdict(list)
    for (src, sport, _, _), connection in connections(os.path.join(args.dataset, "capture.pcap.gz")):
        label = label_at(spans, (src, sport), connection.first_ns, 1_000_000)
        hello = records(connection.stream("client"), 1)
        answer = records(connection.stream("server")[:8192], 2) or b""
        if not answer:
            stream = connection.stream("server")
            if len(stream) > 9 and stream[0] == 22 and stream[5] == 2:
                answer = stream[:5 + struct.unpack_from("!H", stream, 3)[0]]
        if not (label and hello and answer and connection.answer):
            continue
        record = prints.get((src, sport, connection.first_ns), {})
        ja4 = record.get("ja4", hashlib.sha256(hello[11:43] + hello[44:]).hexdigest()[:12])
        found[label[2]].append((ja4, connection, label, hello, answer, record))
    headers = header_sets(log_lines(os.path.join(args.dataset, "access.jsonl.gz")), spans, orders)
    out = open(args.output, "w", encoding="utf-8") if args.output != "-" else sys.stdout
    with open(os.path.join(args.dataset, "capture.pcap.gz"), "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    print(f"""# Handshake and header templates of `ja4-lab synth`, cut by datasets/templates/cut.py; do not edit.
# Facts of a recording made by this project's own scripts (see {args.dataset}/manifest.toml). Licence: MIT OR Apache-2.0, as the project.
source = {text(args.dataset)}
capture_sha256 = {text(digest)}""", file=out)
    for client in sorted(found):
        groups = collections.defaultdict(list)
        for item in found[client]:
            groups[item[0]].append(item)
        most = sorted(groups, key=lambda ja4: (-len(groups[ja4]), ja4))[:VARIANTS]
        total = sum(len(groups[ja4]) for ja4 in most)
        h2 = collections.Counter(text for item in found[client] for text in item[5].get("h2", []))
        label = found[client][0][2]
        print(f"\n[[client]]\nname = {text(client)}\nkind = {text(label[3])}\nclass = {text(label[4])}\nversion = {text(label[5])}", file=out)
        print(f"h2 = {text(min(h2, key=lambda found: (-h2[found], found)) if h2 else '')}", file=out)
        for ja4 in most:
            _, connection, _, hello, answer, record = groups[ja4][0]
            syn, synack = connection.syn, connection.answer
            print("\n[[client.handshake]]", file=out)
            print(f"share = {len(groups[ja4]) / total:.4f}", file=out)
            for name in ("ja4", "ja3", "ja4t", "ja4s"):
                print(f"{name} = {text(record.get(name, ''))}", file=out)
            print(f"alpn = {text(record.get('alpn', []))}", file=out)
            print(f"ttl = {syn['ttl']}\ndf = {str(syn['df']).lower()}\nwindow = {syn['window']}\noptions = {text(syn['options'].hex())}", file=out)
            print(f"server_window = {synack['window']}\nserver_options = {text(synack['options'].hex())}", file=out)
            print(f"hello = {text(hello.hex())}\nserver_hello = {text(answer.hex())}", file=out)
        for what in ("page", "asset", "api", "form"):
            if (client, what) in headers:
                method, version, names = headers[(client, what)]
                print(f"\n[[client.headers]]\nfor = {text(what)}\nmethod = {text(method)}\nhttp_version = {text(version)}", file=out)
                print(f"list = [{', '.join(f'[{text(name)}, {text(value)}]' for name, value in names)}]", file=out)


if __name__ == "__main__":
    sys.exit(main())
