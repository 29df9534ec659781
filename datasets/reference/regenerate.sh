#!/usr/bin/env bash
# regenerate.sh - the rows of ja4_browser.csv, ja4_bot.csv and h2_browser.csv that the recorded sets show, made again; rows of other sources stay.
# Usage: regenerate.sh JA4-LAB [FOLDER]   FOLDER: the tables, default this one
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
lab=${1:?usage: regenerate.sh JA4-LAB [FOLDER]}
folder=${2:-$here}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The oldest recording first: of a value that several show, it names the programs.
for set in site-small site-module; do
  recorded=$here/../recorded/$set
  [ -f "$recorded/manifest.toml" ] || continue
  day=$(sed -n 's/^recorded_utc = "\([0-9-]*\)T.*/\1/p' "$recorded/manifest.toml")
  "$lab" -q fingerprint "$recorded/capture.pcap.gz" --format jsonl > "$work/fingerprints.jsonl"
  # Only a set that was recorded through the Apache module has a log with HTTP/2 fingerprints.
  log=()
  [ ! -f "$recorded/access_logformat.jsonl.gz" ] || log=(--log "$recorded/access.jsonl.gz")
  python3 "$here/make_ja4_tables.py" "$work/fingerprints.jsonl" "$recorded/labels.csv" "${log[@]}" --source "datasets/recorded/$set" --licence facts --date "$day" -o "$folder"
done
