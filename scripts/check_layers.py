#!/usr/bin/env python3
"""Keeps the arrows between crates: desktop -> lab -> replay -> capture, apache-mod -> the event schema alone.

Reads `cargo metadata`; prints each arrow that points back and exits 1 if there is one. Also keeps heavy crates above replay.
"""
import json
import subprocess
import sys

ALLOWED = {
    "ja4-event": set(),
    "ja4-capture": {"ja4-event"},
    "ja4-join": {"ja4-event"},
    "ja4-replay": {"ja4-event", "ja4-capture", "ja4-join"},
    "ja4-models": set(),
    "ja4-lab": {"ja4-event", "ja4-capture", "ja4-join", "ja4-replay", "ja4-models"},
    "ja4-desktop": {"ja4-event", "ja4-join", "ja4-replay", "ja4-models", "ja4-lab"},
    "mod_reqin_log": {"ja4-event"},
}
HEAVY = {"duckdb", "libduckdb-sys", "polars", "eframe", "egui", "arrow", "candle-core"}
LIGHT_CRATES = {"ja4-event", "ja4-capture", "ja4-join", "ja4-models", "mod_reqin_log"}


def main():
    text = subprocess.run(["cargo", "metadata", "--format-version", "1", "--no-deps"], check=True, capture_output=True).stdout
    wrong = []
    for package in json.loads(text)["packages"]:
        name = package["name"]
        if name not in ALLOWED:
            wrong.append(f"{name}: a crate that scripts/check_layers.py does not know; say which layer it belongs to")
            continue
        for dependency in package["dependencies"]:
            target = dependency["name"]
            if dependency.get("kind") == "dev":
                continue
            if target in ALLOWED and target not in ALLOWED[name]:
                wrong.append(f"{name} -> {target}: this arrow points back")
            if target in HEAVY and name in LIGHT_CRATES:
                wrong.append(f"{name} -> {target}: no heavy crate below replay")
    print("\n".join(wrong) or "layers: every arrow points down")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
