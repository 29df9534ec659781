#!/usr/bin/env python3
"""Derives ja4_browser.csv and ja4_bot.csv rows from recorded, labelled connections.

    make_ja4_tables.py FINGERPRINTS.jsonl LABELS.csv [--source NAME] [--licence TEXT] [--date YYYY-MM-DD] [-o DIRECTORY]

FINGERPRINTS is what `ja4-lab fingerprint --format jsonl` prints: one object per connection with src, sport and ja4. LABELS has a header
line; the columns are found by name: the client's address (src, src_ip, client_ip), its port (sport, src_port, client_port), the program
(family, client_name, client, tool or label) and, if there is one, the kind (client_kind, kind or class: browser, bot, tool, library, impersonator ...).

A JA4 that both a browser and something else sent is left out of ja4_browser.csv unless the something else is labelled an impersonator
(an impersonator's value is the browser's own, that is its purpose), and is never listed as a tool's. Several tools with one JA4 share a
row; its family names at most three stacks, joined by |, its version_range the programs. Rows of other sources in the output directory are
kept, and stand above new ones; a program that sent more than MOST values tries one list after the other and has no value of its own; those of SOURCE are made anew. Rows are sorted, so two runs give the same bytes.
Standard library only.
"""

import argparse
import csv
import json
import re
import sys
from collections import Counter, defaultdict
from pathlib import Path

HEADER = ["ja4", "family", "os", "version_range", "source", "licence", "date"]
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


def read(fingerprints, labels):
    """Stacks and programs by JA4."""
    owner = {}
    with open(labels, newline="", encoding="utf-8") as file:
        lines = (line for line in file if not line.startswith("#"))
        for row in csv.DictReader(lines):
            port = column(row, "sport", "src_port", "client_port")
            program = column(row, "family", "client_name", "client", "tool", "program", "label")
            if port.isdigit() and program:
                key = (address(column(row, "src", "src_ip", "client_ip")), int(port))
                owner[key] = (stack_of(program, column(row, "client_kind", "kind", "class")), program)
    seen = defaultdict(set)
    unlabelled = 0
    with open(fingerprints, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                item = json.loads(line)
                key = (address(item["src"]), int(item["sport"]))
            except (ValueError, KeyError, TypeError) as error:
                print(f"line {number} is no fingerprint ({error}); skipped ({fingerprints})", file=sys.stderr)
                continue
            if item.get("ja4") and key in owner:
                seen[item["ja4"]].add(owner[key])
            elif item.get("ja4"):
                unlabelled += 1
    return seen, unlabelled


def existing(path):
    """Comment lines and rows of a table, or nothing."""
    if not path.exists():
        return [], {}
    lines = path.read_text(encoding="utf-8").splitlines()
    comments = [line for line in lines if line.startswith("#")]
    rows = csv.DictReader(line for line in lines if line and not line.startswith("#"))
    return comments, {row["ja4"]: [row[name] for name in HEADER] for row in rows}


def write(path, new, facts):
    comments, rows = existing(path)
    rows = {ja4: row for ja4, row in rows.items() if row[HEADER.index("source")] != facts[0]}
    for ja4, (family, programs) in new.items():
        if ja4 not in rows:
            rows[ja4] = [ja4, family, "any", " ".join(sorted(programs)).replace(",", ";"), *facts]
    text = "".join(f"{line}\n" for line in [*comments, ",".join(HEADER), *(",".join(rows[ja4]) for ja4 in sorted(rows))])
    path.write_text(text, encoding="utf-8")
    print(f"{len(new)} values recorded, {len(rows)} rows ({path})")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fingerprints")
    parser.add_argument("labels")
    parser.add_argument("--source", default="own recording")
    parser.add_argument("--licence", default="MIT OR Apache-2.0")
    parser.add_argument("--date", default="")
    parser.add_argument("-o", "--output", default=str(Path(__file__).parent))
    given = parser.parse_args()
    seen, unlabelled = read(given.fingerprints, given.labels)
    sent = Counter(program for owners in seen.values() for _, program in owners)
    restless = {program for program, values in sent.items() if values > MOST}
    seen = {ja4: {owner for owner in owners if owner[1] not in restless} for ja4, owners in seen.items()}
    browsers, bots = {}, {}
    for ja4, owners in seen.items():
        stacks = {stack for stack, _ in owners} - {"impersonator"}
        programs = {program for _, program in owners}
        if stacks and stacks <= BROWSERS:
            browsers[ja4] = (name_of(stacks), programs)
        elif stacks and not stacks & BROWSERS:
            bots[ja4] = (name_of(stacks), programs)
        elif stacks:
            print(f"{ja4} was sent by {', '.join(sorted(programs))}: left out", file=sys.stderr)
    facts = [given.source.replace(",", ";"), given.licence.replace(",", ";"), given.date]
    output = Path(given.output)
    write(output / "ja4_browser.csv", browsers, facts)
    write(output / "ja4_bot.csv", bots, facts)
    if unlabelled:
        print(f"{unlabelled} connections have no label", file=sys.stderr)
    return 0 if seen else "no labelled connection has a JA4"


if __name__ == "__main__":
    sys.exit(main())
