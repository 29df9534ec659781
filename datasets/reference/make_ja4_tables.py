#!/usr/bin/env python3
"""Derives rows of ja4_browser.csv, ja4_bot.csv and h2_browser.csv from recorded, labelled connections.

    make_ja4_tables.py FINGERPRINTS.jsonl LABELS.csv [--log MODULE.jsonl.gz] [--source NAME] [--licence TEXT] [--date YYYY-MM-DD] [-o DIRECTORY]

FINGERPRINTS is what `ja4-lab fingerprint --format jsonl` prints: one object per connection with src, sport, start_ns and ja4. LABELS has a
header line; the columns are found by name: the client's address (src, src_ip, client_ip), its port (sport, src_port, client_port), the program
(family, client_name, client, tool or label) and, if there are any, the kind (client_kind, kind or class: browser, bot, tool, library,
impersonator ...) and the first and last packet (first_ns, last_ns), by which a port that came again is told apart.

MODULE is a log of the Apache module, whose `h2` is the HTTP/2 fingerprint: of those that browsers sent, and nothing but browsers and who
imitates them, h2_browser.csv gets the ones it does not have. A tool's settings are in no row, for the table says what browsers send.

A JA4 that both a browser and something else sent is left out of ja4_browser.csv unless the something else is labelled an impersonator
(an impersonator's value is the browser's own, that is its purpose), and is never listed as a tool's. Several tools with one JA4 share a
row; its family names at most three stacks, joined by |, its version_range the programs. Rows of other sources in the output directory are
kept, and stand above new ones; a program that sent more than MOST values tries one list after the other and has no value of its own; those of SOURCE are made anew. Rows are sorted, so two runs give the same bytes.
Standard library only.
"""

import argparse
import csv
import gzip
import json
import re
import sys
from collections import Counter, defaultdict
from pathlib import Path

HEADER = ["ja4", "family", "os", "version_range", "source", "licence", "date"]
H2_HEADER = ["h2", "family", "source", "licence", "date"]
# Whose TLS stack a program uses: what the column `stack` of user_agents.csv calls it. First match wins.
STACKS = [
    (r"webkitgtk|epiphany", "webkitgtk"), (r"curl_cffi|impersonat|tls.client|utls", "impersonator"),
    (r"falkon|qtwebengine|chrom|edge|opera|brave|samsung", "chromium"), (r"firefox|geckodriver", "firefox"), (r"safari|webkit", "safari"),
    (r"curl", "curl"), (r"wget", "wget"),
    (r"requests|httpx|aiohttp|urllib|python|sqlmap|scrapy|wfuzz|dirsearch", "python"), (r"gobuster|ffuf|nuclei|zgrab|\bgo\b|golang", "go"),
    (r"node|undici|axios", "node"), (r"java|okhttp", "java"), (r"perl|nikto|lwp", "perl"), (r"php|guzzle", "php"), (r"ruby|whatweb|wpscan", "ruby"),
    (r"nmap", "nmap"), (r"hydra", "hydra"), (r"openssl|siege|\bab\b|slowhttptest", "openssl"),
]
# A scanner of cipher suites sends dozens, the most restless client library some ten.
MOST = 20
BROWSERS = {"chromium", "firefox", "safari", "webkitgtk"}


def name_of(stacks):
    """What a JA4 that several programs share is called: by the stacks that STACKS knows, where it knows any, three at most."""
    known = sorted(stacks & {stack for _, stack in STACKS}) or sorted(stacks)
    return "|".join(known[:3])


def column(row, *names):
    for name in names:
        if row.get(name):
            return row[name].strip()
    return ""


def stack_of(program, kind):
    text = f"{kind} {program}".lower()
    if "impersonat" in text:
        return "impersonator"
    for pattern, stack in STACKS:
        if re.search(pattern, text):
            return stack
    return re.sub(r"[^a-z0-9._-]", "-", program.lower())


def address(text):
    return text.removeprefix("::ffff:").lower()


def read_labels(path):
    """Connections by address and port: (first ns, last ns, stack, program) each."""
    owners = defaultdict(list)
    with open(path, newline="", encoding="utf-8") as file:
        lines = (line for line in file if not line.startswith("#"))
        for row in csv.DictReader(lines):
            port = column(row, "sport", "src_port", "client_port")
            program = column(row, "family", "client_name", "client", "tool", "program", "label")
            if port.isdigit() and program:
                key = (address(column(row, "src", "src_ip", "client_ip")), int(port))
                times = int(column(row, "first_ns") or 0), int(column(row, "last_ns") or 2**63)
                owners[key].append((*times, stack_of(program, column(row, "client_kind", "kind", "class")), program))
    return owners


def owner_of(owners, item, time):
    """(stack, program) of what a line tells about, by address, port and time; None if nobody is known to have been there."""
    for first, last, stack, program in owners.get((address(item[SOURCE[time]]), int(item[PORT[time]])), ()):
        if first <= int(item.get(time, first)) <= last:
            return stack, program
    return None


# What a line calls the address and the port of the client, by what it calls its time.
SOURCE = {"start_ns": "src", "ts_ns": "src_ip"}
PORT = {"start_ns": "sport", "ts_ns": "src_port"}


def read(path, owners, field, time):
    """Stacks and programs by the value of `field`, and how many lines with a value have no label."""
    seen = defaultdict(set)
    unlabelled = 0
    with (gzip.open(path, "rt", encoding="utf-8") if path.endswith(".gz") else open(path, encoding="utf-8")) as file:
        for number, line in enumerate(file, 1):
            try:
                item = json.loads(line)
                owner = owner_of(owners, item, time)
            except (ValueError, KeyError, TypeError) as error:
                print(f"line {number} tells nothing of a connection ({error}); skipped ({path})", file=sys.stderr)
                continue
            if item.get(field) and owner:
                seen[item[field]].add(owner)
            elif item.get(field):
                unlabelled += 1
    return seen, unlabelled


def existing(path, header):
    """Comment lines and rows of a table, or nothing."""
    if not path.exists():
        return [], {}
    lines = path.read_text(encoding="utf-8").splitlines()
    comments = [line for line in lines if line.startswith("#")]
    rows = csv.DictReader(line for line in lines if line and not line.startswith("#"))
    return comments, {row[header[0]]: [row[name] for name in header] for row in rows}


def write(path, header, new, source):
    """The table with the rows of `source` made anew: `new` holds them by value. Rows of others stay, and stand above."""
    comments, rows = existing(path, header)
    rows = {value: row for value, row in rows.items() if row[header.index("source")] != source}
    rows = {**new, **rows}
    text = "".join(f"{line}\n" for line in [*comments, ",".join(header), *(",".join(rows[value]) for value in sorted(rows))])
    path.write_text(text, encoding="utf-8")
    print(f"{len(new)} values recorded, {len(rows)} rows ({path})")


def by_class(seen):
    """What was seen, parted into browsers' values and tools': name and programs of each."""
    browsers, bots = {}, {}
    for value, owners in seen.items():
        stacks = {stack for stack, _ in owners} - {"impersonator"}
        programs = {program for _, program in owners}
        if stacks and stacks <= BROWSERS:
            browsers[value] = (name_of(stacks), programs)
        elif stacks and not stacks & BROWSERS:
            bots[value] = (name_of(stacks), programs)
        elif stacks:
            print(f"{value} was sent by {', '.join(sorted(programs))}: left out", file=sys.stderr)
    return browsers, bots


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fingerprints")
    parser.add_argument("labels")
    parser.add_argument("--log", default="")
    parser.add_argument("--source", default="own recording")
    parser.add_argument("--licence", default="MIT OR Apache-2.0")
    parser.add_argument("--date", default="")
    parser.add_argument("-o", "--output", default=str(Path(__file__).parent))
    given = parser.parse_args()
    owners = read_labels(given.labels)
    seen, unlabelled = read(given.fingerprints, owners, "ja4", "start_ns")
    sent = Counter(program for owners in seen.values() for _, program in owners)
    restless = {program for program, values in sent.items() if values > MOST}
    seen = {ja4: {owner for owner in owners if owner[1] not in restless} for ja4, owners in seen.items()}
    facts = [given.source.replace(",", ";"), given.licence.replace(",", ";"), given.date]
    output = Path(given.output)
    for name, values in zip(("ja4_browser.csv", "ja4_bot.csv"), by_class(seen)):
        rows = {ja4: [ja4, family, "any", " ".join(sorted(programs)).replace(",", ";"), *facts] for ja4, (family, programs) in values.items()}
        write(output / name, HEADER, rows, facts[0])
    if given.log:
        browsers, _ = by_class(read(given.log, owners, "h2", "ts_ns")[0])
        # A comma parts columns here; the reader takes either.
        rows = {h2.replace(",", ";"): [h2.replace(",", ";"), family, *facts] for h2, (family, _) in browsers.items()}
        write(output / "h2_browser.csv", H2_HEADER, rows, facts[0])
    if unlabelled:
        print(f"{unlabelled} connections have no label", file=sys.stderr)
    return 0 if seen else "no labelled connection has a JA4"


if __name__ == "__main__":
    sys.exit(main())
