#!/usr/bin/env bash
# Installs the Debian packages named as arguments that are missing; says what to do where that is not possible.
set -euo pipefail

missing=()
for name in "$@"; do
  dpkg-query -W -f='${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || missing+=("$name")
done
if [ ${#missing[@]} -gt 0 ]; then
  if ! command -v apt-get >/dev/null; then
    echo "packages: this is no Debian; install what stands for: ${missing[*]}" >&2
    exit 0
  fi
  as_root=""
  [ "$(id -u)" -eq 0 ] || as_root="sudo"
  echo "packages: installing ${missing[*]}" >&2
  $as_root apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
if ! command -v cargo >/dev/null; then
  echo "packages: cargo is missing; install Rust 1.95 or newer from https://rustup.rs" >&2
  exit 1
fi
