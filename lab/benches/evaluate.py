#!/usr/bin/env python3
"""How well the scores of a database separate bots from people, by the labels of a recorded data set. Standard library only.

usage: evaluate.py DB LABELS.csv [--lab PATH]

A session's label is that of the connections its requests came on; sessions with connections of both classes are left out and
counted. Prints, for each voice and the final score: AUROC, average precision and recall at 1 % and 5 % false positives over all
bots, and AUROC by kind of client (that kind against all people).
"""
import argparse
import bisect
import collections
import csv
import json
import os
import subprocess
import sys


def query(lab, db, sql):
    out = subprocess.run([lab, "sql", "--db", db, "--format", "jsonl", sql], check=True, capture_output=True, text=True).stdout
    return [json.loads(line) for line in out.splitlines()]


def labels_of(path):
    """(address, port) -> [(first_ns, last_ns, class, kind)] by time"""
    found = collections.defaultdict(list)
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            key = (row["src_ip"], int(row["src_port"]))
            found[key].append((int(row["first_ns"]), int(row["last_ns"]), row["class"], row["client_kind"]))
    for spans in found.values():
        spans.sort()
    return found


def label_at(spans, ts_ns):
    place = bisect.bisect_right(spans, (ts_ns + 1_000_000_000,)) - 1
    return spans[max(place, 0)][2:] if spans else None


def auroc(positives, negatives):
    """Probability that a bot scores higher than a person, ties counting half."""
    values = sorted([(score, 1) for score in positives] + [(score, 0) for score in negatives])
    rank, below, total = 0, 0.0, 0.0
    while rank < len(values):
        end = rank
        while end < len(values) and values[end][0] == values[rank][0]:
            end += 1
        ones = sum(label for _, label in values[rank:end])
        zeros = end - rank - ones
        total += ones * (below + zeros / 2)
        below += zeros
        rank = end
    return total / (len(positives) * len(negatives)) if positives and negatives else float("nan")


def recall_at(positives, negatives, rate):
    allowed = int(len(negatives) * rate)
    threshold = sorted(negatives, reverse=True)[allowed] if allowed < len(negatives) else float("-inf")
    return sum(score > threshold for score in positives) / max(1, len(positives))


def average_precision(positives, negatives):
    order = sorted([(-score, 0) for score in positives] + [(-score, 1) for score in negatives], key=lambda pair: (pair[0], -pair[1]))
    hits, total = 0, 0.0
    for place, (_, negative) in enumerate(order, 1):
        if not negative:
            hits += 1
            total += hits / place
    return total / max(1, len(positives))


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[1].removeprefix("usage: "))
    parser.add_argument("db")
    parser.add_argument("labels")
    parser.add_argument("--lab", default=os.path.join(os.environ.get("CARGO_TARGET_DIR", "target"), "release", "ja4-lab"))
    args = parser.parse_args()
    labels = labels_of(args.labels)
    kinds = collections.defaultdict(collections.Counter)
    for row in query(args.lab, args.db, "SELECT ts_ns, src_ip, src_port, ja4, host FROM ja4_logs.http_logs"):
        spans = labels.get((row["src_ip"], row["src_port"]))
        if spans:
            kinds[(row["ts_ns"] // 3_600_000_000_000 * 3_600_000, row["src_ip"], row["ja4"], row["host"])][label_at(spans, row["ts_ns"])] += 1
    sessions, mixed = [], 0
    for row in query(args.lab, args.db, "SELECT * FROM ja4_processing.ml_all_scores"):
        seen = kinds.get((row["win_ms"], row["src_ip"], row["ja4"], row["host"]))
        if not seen:
            continue
        classes = {which == "human" for which, _ in seen}
        if len(classes) > 1:
            mixed += 1
            continue
        sessions.append((row, next(iter(seen))[0] == "human", seen.most_common(1)[0][0][1]))
    people = sum(human for _, human, _ in sessions)
    flagged = collections.Counter((human, row["anomaly"]) for row, human, _ in sessions)
    print(f"{len(sessions)} sessions: {people} of people, {len(sessions) - people} of bots; {mixed} of both left out")
    print(f"flagged: {flagged[(False, 1)]} bots of {len(sessions) - people}, {flagged[(True, 1)]} people of {people}")
    for column in ("score_eif", "score_autoencoder", "score_boosted", "score"):
        rows = [item for item in sessions if item[0][column] >= 0]
        good = [row[column] for row, human, _ in rows if human]
        bad = [row[column] for row, human, _ in rows if not human]
        if not good or not bad:
            continue
        print(f"{column}: AUROC {auroc(bad, good):.4f}, AP {average_precision(bad, good):.4f}, recall at 1 % {recall_at(bad, good, 0.01):.3f}, at 5 % {recall_at(bad, good, 0.05):.3f}")
        for kind in sorted({kind for _, human, kind in rows if not human}):
            mine = [row[column] for row, _, which in rows if which == kind]
            print(f"  {kind:<18} {len(mine):>4} sessions  AUROC {auroc(mine, good):.4f}")


if __name__ == "__main__":
    sys.exit(main())
