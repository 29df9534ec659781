#!/usr/bin/env python3
"""Keeps files readable: every Rust file opens with a `//!` head, none is longer than 500 lines without saying why.

A longer file must carry the words `Longer than 500 lines because` in its head. Prints what is wrong and exits 1.
"""
import subprocess
import sys

LIMIT = 500
EXCUSE = "Longer than 500 lines because"


def main():
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "*.rs"], check=True, capture_output=True, text=True).stdout
    wrong = []
    for path in listed.split("\n"):
        if not path:
            continue
        try:
            lines = open(path, encoding="utf-8").read().split("\n")
        except FileNotFoundError:
            continue
        head = "\n".join(lines[:30])
        if not lines[0].startswith(("//!", "#!")):
            wrong.append(f"{path}: opens without a //! head")
        if len(lines) > LIMIT and EXCUSE not in head:
            wrong.append(f"{path}: {len(lines)} lines; split it, or say in the head why not ({EXCUSE} …)")
    print("\n".join(wrong) or "files: every one has a head and a readable length")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
