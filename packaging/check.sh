#!/usr/bin/env bash
# Installs a .deb into a plain folder and starts what it holds: programs run, settings are found, a missing store is told.
#
#   packaging/check.sh dist/ja4-platform_VERSION_ARCH.deb
#
# Promises: nothing outside a temporary folder is touched; the first thing wrong ends it with status 1 and says what.
set -euo pipefail
deb="$(realpath "$1")"
root="$(mktemp -d)"
trap 'rm -rf "$root"' EXIT
fail() { echo "check: $1" >&2; exit 1; }

dpkg-deb --info "$deb" >/dev/null || fail "the package cannot be read"
contents="$(dpkg-deb --contents "$deb")"
for path in ./usr/bin/ja4-lab ./usr/bin/ja4-sentinel ./etc/ja4-platform/sentinel.example.toml ./usr/lib/systemd/system/ja4-detect.service \
  ./usr/lib/sysusers.d/ja4-platform.conf ./usr/share/ja4-platform/grafana.json ./usr/share/doc/ja4-platform/copyright ./usr/share/man/man1/ja4-lab.1.gz; do
  grep -qF " $path" <<<"$contents" || fail "$path is missing"
done
! grep -vE ' root/root ' <<<"$contents" | grep . || fail "a file does not belong to root"
dpkg-deb --extract "$deb" "$root"
for program in "$root"/usr/bin/*; do
  "$program" --version >/dev/null || fail "$(basename "$program") does not start"
  ldd "$program" | grep 'not found' && fail "$(basename "$program") lacks a library"
done
"$root/usr/bin/ja4-sentinel" --config "$root/etc/ja4-platform/sentinel.example.toml" --check >/dev/null || fail "the sentinel's example settings are refused"
if [ -x "$root/usr/bin/ja4-correlator" ] && [ -f "$root/etc/ja4-platform/correlator.example.toml" ]; then
  "$root/usr/bin/ja4-correlator" --config "$root/etc/ja4-platform/correlator.example.toml" --check >/dev/null || fail "the correlator's example settings are refused"
fi
# The flags of the unit's example settings are flags of the program; a store that is absent is one sentence and status 1.
flags="$(sed -n 's/^JA4_DETECT_FLAGS=//p' "$root/etc/ja4-platform/detect.example.env" | sed "s|/var/lib/ja4-platform|$root|; s|127.0.0.1:8080|127.0.0.1:0|")"
set +e
# shellcheck disable=SC2086 # words are meant to be split, as systemd does
said="$("$root/usr/bin/ja4-lab" detect --db "$root/absent.duckdb" $flags --once 2>&1)"
status=$?
set -e
[ $status -eq 1 ] && grep -q 'no such file' <<<"$said" || fail "a missing store gives status $status and says: $said"
echo "check: $(basename "$deb") installs, starts, and tells what is missing ($(grep -c . <<<"$contents") entries)"
