#!/usr/bin/env python3
"""Makes a large capture and log out of a recorded pair, for benchmarks: every copy has its own client addresses and its own time.

usage: repeat.py CAPTURE LOG COPIES OUT_PREFIX

Writes OUT_PREFIX.pcap and OUT_PREFIX.jsonl. Copy n is the recording shifted by n times its duration, with the second byte of every
client address (10.77.x.y, fd77::…) raised by n modulo 256 and the first lowered by n // 256, so that no two copies share a connection.
Checksums are left as they are. Only Ethernet captures with microsecond times and the JSON LogFormat are accepted.
"""
import gzip
import json
import struct
import sys


def read(path):
    with open(path, "rb") as file:
        data = file.read()
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def packets(data):
    """-> [(seconds, microseconds, offset of the record, length of the record)]"""
    if data[:4] != struct.pack("<I", 0xA1B2C3D4) or struct.unpack_from("<I", data, 20)[0] != 1:
        sys.exit("repeat: only little-endian microsecond Ethernet pcap is accepted")
    at, found = 24, []
    while at + 16 <= len(data):
        secs, micros, caplen, _ = struct.unpack_from("<IIII", data, at)
        if at + 16 + caplen > len(data):
            break
        found.append((secs, micros, at, 16 + caplen))
        at += 16 + caplen
    return found


def address_offsets(data, at, length, servers):
    """Where the client's address stands in the record, if it is IP."""
    frame = at + 16
    kind = bytes(data[frame + 12:frame + 14])
    if kind == b"\x08\x00" and length >= 16 + 34:
        places = [(frame + 26, 4), (frame + 30, 4)]
    elif kind == b"\x86\xdd" and length >= 16 + 54:
        places = [(frame + 22, 16), (frame + 38, 16)]
    else:
        return []
    return [place for place, size in places if bytes(data[place:place + size]) not in servers and bytes(data[place:place + 2]) in (b"\x0a\x4d", b"\xfd\x77")]


def shifted(two, copy):
    return bytes([(two[0] - copy // 256) & 0xFF, (two[1] + copy) & 0xFF])


def main():
    if len(sys.argv) != 5:
        sys.exit(__doc__.split("\n\n")[1])
    capture, log, copies, prefix = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
    data = bytearray(read(capture))
    lines = read(log).decode("utf-8", "surrogateescape").splitlines()
    found = packets(data)
    import ipaddress
    servers = set()
    for line in lines:
        start = line.index('"dst_ip":"') + 10
        servers.add(ipaddress.ip_address(line[start:line.index('"', start)]).packed)
    span = found[-1][0] - found[0][0] + 120
    places = [place for _, _, at, length in found for place in address_offsets(data, at, length, servers)]
    original = [bytes(data[place:place + 2]) for place in places]
    requests = 0
    with open(prefix + ".pcap", "wb") as out, open(prefix + ".jsonl", "w", encoding="utf-8", errors="surrogateescape") as text:
        out.write(data[:24])
        for copy in range(copies):
            for place, two in zip(places, original):
                data[place:place + 2] = shifted(two, copy)
            for secs, micros, at, _ in found:
                struct.pack_into("<II", data, at, secs + copy * span, micros)
            out.write(data[24:found[-1][2] + found[-1][3]])
            four = ".".join(str(byte) for byte in shifted(b"\x0a\x4d", copy)) + "."
            six = shifted(b"\xfd\x77", copy).hex() + ":"
            for line in lines:
                start = line.index('"ts_us":') + 8
                end = line.index(",", start)
                line = line[:start] + str(int(line[start:end]) + copy * span * 1_000_000) + line[end:]
                for key in ('"src_ip":"', '"client_ip":"'):
                    at = line.index(key) + len(key)
                    if line.startswith("10.77.", at):
                        line = line[:at] + four + line[at + 6:]
                    elif line.startswith("fd77:", at):
                        line = line[:at] + six + line[at + 5:]
                text.write(line + "\n")
                requests += 1
    print(json.dumps({"packets": len(found) * copies, "requests": requests, "copies": copies}))


if __name__ == "__main__":
    main()
