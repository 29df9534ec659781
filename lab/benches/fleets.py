#!/usr/bin/env python3
"""How pure fleets are against the labels of the recorded set, and how pure any grouping by identity could be. Run by hand; takes seconds.

usage: fleets.py [--lab PATH]

For the anomalous sessions that stand in a fleet (those that the test `grouping_truth` counts): which labels are mixed in which fleet,
the purity of the fleets, and the purity of the finest partition by each identity. No grouping that sees only that identity can be purer
than its finest partition, since sessions that agree in it cannot be parted.
"""
import argparse
import collections
import csv
import json
import os
import subprocess
import tempfile

SET = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "datasets", "recorded", "site-small")
HOUR_NS, SLACK_NS = 3_600_000_000_000, 200_000_000


def rows(lab, *command):
    return [json.loads(line) for line in subprocess.check_output([lab, *command, "--format", "jsonl"], text=True).splitlines()]


def truth(lab, db):
    """Name of what made most requests of each session; `person` for people."""
    ends = collections.defaultdict(list)
    with open(os.path.join(SET, "labels.csv"), newline="") as file:
        for line in csv.DictReader(file):
            name = "person" if line["class"] == "human" else line["client_name"]
            ends[line["src_ip"], int(line["src_port"])].append((int(line["first_ns"]), int(line["last_ns"]), name))
    counts = collections.defaultdict(collections.Counter)
    for row in rows(lab, "sql", "--db", db, "SELECT ts_ns, src_ip, src_port, ja4, host FROM ja4_logs.http_logs"):
        ts = row["ts_ns"]
        open_then = [end for end in ends[row["src_ip"], row["src_port"]] if end[0] - SLACK_NS <= ts <= end[1] + SLACK_NS]
        if open_then:
            counts[ts // HOUR_NS * HOUR_NS // 1_000_000, row["src_ip"], row["ja4"], row["host"]][max(open_then)[2]] += 1
    return {key: max((count, name) for name, count in names.items())[1] for key, names in counts.items()}


def software(ja4):
    """As the product: JA4 without the number and hash of its extensions."""
    parts = ja4.split("_")
    return ja4 if len(parts) < 2 else parts[0][:6] + parts[0][8:] + "_" + parts[1]


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--lab", default="target/release/ja4-lab")
    lab = arguments.parse_args().lab
    with tempfile.TemporaryDirectory() as folder:
        db = os.path.join(folder, "site.duckdb")
        capture, log = (os.path.join(SET, next(n for n in sorted(os.listdir(SET)) if n.startswith(start))) for start in ("capture", "access.jsonl"))
        subprocess.check_call([lab, "-q", "replay", capture, "--http-log", log, "--db", db, "--top", "0"], stdout=subprocess.DEVNULL)
        names = truth(lab, db)
        fleet_of = {}
        for fleet in rows(lab, "sql", "--db", db, "SELECT fleet_id FROM ja4_processing.fleet_detections ORDER BY fleet_id"):
            for member in rows(lab, "fleets", fleet["fleet_id"], "--db", db):
                fleet_of[member["src_ip"], member["ja4"], member["user_agent"]] = fleet["fleet_id"]
        sessions = rows(lab, "sql", "--db", db, "SELECT * FROM ja4_processing.ml_all_scores WHERE anomaly = 1")
    found = []
    for row in sessions:
        fleet = fleet_of.get((row["src_ip"], row["ja4"], row["user_agent"]))
        name = names.get((row["win_ms"], row["src_ip"], row["ja4"], row["host"]))
        if fleet and name:
            found.append((row, fleet, name))
    partitions = {
        "the fleets": lambda row, fleet: fleet,
        "JA4 and network": lambda row, fleet: (row["ja4"], row["asn"]),
        "JA4 without extensions, User-Agent and network": lambda row, fleet: (software(row["ja4"]), row["user_agent"], row["asn"]),
        "JA4, User-Agent and network": lambda row, fleet: (row["ja4"], row["user_agent"], row["asn"]),
        "JA4, User-Agent, network and host": lambda row, fleet: (row["ja4"], row["user_agent"], row["asn"], row["host"]),
    }
    for what, part in partitions.items():
        groups = collections.defaultdict(collections.Counter)
        for row, fleet, name in found:
            groups[part(row, fleet)][name] += 1
        pure = sum(max(counts.values()) for counts in groups.values()) / max(1, len(found))
        print(f"purity {pure:.3f}  {len(groups):3} groups  by {what}")
        for group, counts in sorted(groups.items()):
            if what == "the fleets" or what == "JA4, User-Agent and network" and len(counts) > 1:
                shown = ", ".join(f"{name} {count}" for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])))
                print(f"    {group if isinstance(group, str) else ' '.join(map(str, group))}: {shown}")


if __name__ == "__main__":
    main()
