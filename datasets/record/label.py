"""Labels one recording and checks it: work folder of record.py -> labels.csv and facts.json in it.

The label of a connection comes from runs.csv (which host ran which client, when, with which ports) and nothing else; the
connections, ClientHellos and times come from tshark, so this is an oracle independent of ja4-platform.
One row per TCP connection that the server saw a SYN of; a reused 4-tuple gives one row per SYN.
Fails if a connection has no run or more than one, or if a log line's source port has no SYN.
Usage: label.py WORK
"""
import bisect
import csv
import json
import re
import subprocess
import sys
from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path

ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|(.))")
SLACK_NS = 2_000_000_000  # a log line may be written for a request that began just before/after the first/last packet seen


def log_lines(path: Path):
    """The JSON log, with Apache's \\xHH and \\v read as \\u00HH and \\u000b."""
    def plain(m):
        return f"\\u00{m[1]}" if m[1] else "\\u000b" if m[2] == "v" else m[0]
    for line in path.read_text(encoding="ascii", errors="strict").splitlines():
        yield json.loads(ESCAPE.sub(plain, line))


def connections(pcap: Path) -> list[dict]:
    fields = ["tcp.stream", "frame.time_epoch", "ip.src", "ipv6.src", "ip.dst", "ipv6.dst", "tcp.srcport", "tcp.dstport",
              "tcp.flags.syn", "tcp.flags.ack", "tls.handshake.type"]
    argv = ["tshark", "-r", str(pcap), "-Y", "tcp && !icmp && !icmpv6", "-T", "fields", "-E", "separator=|", *sum((["-e", f] for f in fields), [])]
    out = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    conns: dict[str, dict] = {}
    for line in out.splitlines():
        stream, t, s4, s6, d4, d6, sp, dp, syn, ack, hs = line.split("|")
        ns = int(Decimal(t) * 1_000_000_000)
        yes = ("1", "True")
        c = conns.get(stream)
        if c is None:
            if syn not in yes or ack in yes:
                continue  # the tail of a connection older than the capture
            c = conns[stream] = {"src_ip": s4 or s6, "src_port": int(sp), "dst_ip": d4 or d6, "dst_port": int(dp), "first_ns": ns,
                                 "last_ns": ns, "has_hello": 0, "packets": 0}
        c["last_ns"] = ns
        c["packets"] += 1
        if "1" in hs.split(","):
            c["has_hello"] = 1
    return sorted(conns.values(), key=lambda c: (c["first_ns"], c["src_ip"], c["src_port"]))


def shared(runs: list[dict]) -> int:
    """Addresses that several hosts had at once."""
    hosts = defaultdict(set)
    for r in runs:
        hosts[r["v4"]].add(r["ns"])
    return sum(len(names) > 1 for ip, names in hosts.items() if ip)


def main() -> None:
    work = Path(sys.argv[1])
    runs = list(csv.DictReader(open(work / "runs.csv")))
    by_ip = defaultdict(list)
    for r in runs:
        for ip in filter(None, (r["v4"], r["v6"])):
            by_ip[ip].append(r)
    conns = connections(work / "raw.pcap")
    for c in conns:
        at = [r for r in by_ip[c["src_ip"]] if int(r["start_ns"]) <= c["first_ns"] <= int(r["end_ns"])
              and int(r["first_port"] or 0) <= c["src_port"] <= int(r["last_port"] or 65535)]
        if len(at) != 1:
            raise SystemExit(f"{c}: {len(at)} runs claim this connection")
        c |= {k: at[0][k] for k in ("client_kind", "client_name", "client_version", "class")}

    by_tuple = defaultdict(list)
    for c in conns:
        by_tuple[c["src_ip"], c["src_port"], c["dst_port"]].append(c)
        c["n_requests"] = 0
    lines, orphans, statuses, protocols, by_class = 0, 0, Counter(), Counter(), Counter()
    for e in log_lines(work / "server/logs/access.jsonl"):
        lines += 1
        statuses[str(e["status"])] += 1
        protocols[e["http_version"]] += 1
        same = by_tuple[e["src_ip"], e["src_port"], e["dst_port"]]
        # the newest connection of that 4-tuple whose SYN was before the request
        i = bisect.bisect_right([c["first_ns"] for c in same], e["ts_us"] * 1000 + 1000)
        if not i or e["ts_us"] * 1000 > same[i - 1]["last_ns"] + SLACK_NS:
            orphans += 1
            print("no connection for", e["src_ip"], e["src_port"], e["ts_us"], file=sys.stderr)
            continue
        same[i - 1]["n_requests"] += 1
        by_class[same[i - 1]["class"]] += 1
    if orphans:
        raise SystemExit(f"{orphans} of {lines} log lines have no connection in the capture")

    module = work / "server/logs/module.jsonl"
    if module.exists():
        records = [json.loads(line) for line in module.read_text().splitlines()]
        lost = sum(r.get("dropped", 0) for r in records)
        if lost or len(records) < 0.98 * lines:
            raise SystemExit(f"the module's log has {len(records)} records where mod_log_config has {lines}, and says that {lost} were lost")
        print(f"module: {len(records)} records, mod_log_config: {lines}, with an HTTP/2 fingerprint: {sum('h2' in r for r in records)}")

    columns = ("src_ip src_port dst_ip dst_port first_ns last_ns client_kind client_name client_version class has_hello n_requests").split()
    with open(work / "labels.csv", "w", newline="") as f:
        w = csv.DictWriter(f, columns, extrasaction="ignore", lineterminator="\n")
        w.writeheader()
        w.writerows(conns)

    kinds = defaultdict(lambda: {"connections": 0, "hellos": 0, "requests": 0, "addresses": set(), "tools": set()})
    for c in conns:
        for key in (c["class"] + "/" + c["client_kind"], "client:" + c["client_name"]):
            k = kinds[key]
            k["connections"] += 1
            k["hellos"] += c["has_hello"]
            k["requests"] += c["n_requests"]
            k["addresses"].add(c["src_ip"])
            k["tools"].add(c["client_name"])
    table = {k: v | {"addresses": len(v["addresses"]), "tools": len(v["tools"])} for k, v in sorted(kinds.items())}
    facts = {
        "connections": len(conns), "client_hellos": sum(c["has_hello"] for c in conns), "requests": lines, "statuses": dict(sorted(statuses.items())),
        "protocols": dict(sorted(protocols.items())), "requests_by_class": dict(sorted(by_class.items())), "log_lines_with_syn_percent": 100.0,
        "reused_tuples": sum(len(v) > 1 for v in by_tuple.values()), "clients": sorted({r["client_name"] for r in runs}), "table": table,
        "silent_runs": sorted({r["client_name"] for r in runs} - {c["client_name"] for c in conns}),
        "shared_addresses": shared(runs),
        "from_ns": conns[0]["first_ns"], "to_ns": conns[-1]["last_ns"],
    }
    (work / "facts.json").write_text(json.dumps(facts, indent=1))
    for k, v in table.items():
        print(f"{k:45} {v['connections']:5} connections {v['hellos']:5} hellos {v['requests']:5} requests {v['addresses']:3} addresses")
    print({k: v for k, v in facts.items() if k != "table"})


main()
