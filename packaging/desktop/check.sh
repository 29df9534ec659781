#!/usr/bin/env bash
# Unpacks the desktop's .deb into a plain folder and starts it there: files, owners, libraries, and, where Xvfb is, a window that walks every view.
#
#   packaging/desktop/check.sh dist/ja4-desktop_VERSION_ARCH.deb [DB]
#
# Promises: nothing outside a temporary folder is touched; the first thing wrong ends it with status 1 and says what; without a DB
# or without xvfb-run the window is not opened, and that is said.
set -euo pipefail
cd "$(dirname "$0")/../.."
deb="$(realpath "$1")"
db="${2:-}"
root="$(mktemp -d)"
trap 'rm -rf "$root"' EXIT
fail() { echo "check: $1" >&2; exit 1; }

dpkg-deb --info "$deb" >/dev/null || fail "the package cannot be read"
contents="$(dpkg-deb --contents "$deb")"
grep -v '^#' packaging/desktop/files.txt | while read -r _ _ target; do
  grep -qE " \.${target}(\.gz)?$" <<<"$contents" || fail "$target is missing"
done
! grep -vE ' root/root ' <<<"$contents" | grep . || fail "a file does not belong to root"
! awk '{print $1}' <<<"$contents" | grep -E '^.....w|^........w' || fail "a file can be written by others"
dpkg-deb --extract "$deb" "$root"
program="$root/usr/bin/ja4-desktop"
"$program" --version 2>&1 | grep -q '^ja4-desktop ' || fail "the program does not start"
! ldd "$program" | grep 'not found' || fail "the program lacks a library"
entry="$root/usr/share/applications/io.github.ja4_platform.Desktop.desktop"
[ "$(sed -n 's/^Exec=\([^ ]*\).*/\1/p' "$entry")" = ja4-desktop ] || fail "the desktop entry starts something else"
icon="$(sed -n 's/^Icon=//p' "$entry")"
[ -f "$root/usr/share/icons/hicolor/scalable/apps/$icon.svg" ] || fail "the icon of the desktop entry is missing"
man --warnings -l "$root/usr/share/man/man1/ja4-desktop.1.gz" >/dev/null 2>&1 || [ -z "$(command -v man)" ] || fail "the manual page cannot be read"
if [ -n "$db" ] && command -v xvfb-run >/dev/null; then
  LIBGL_ALWAYS_SOFTWARE=1 timeout 300 xvfb-run -a -s "-screen 0 1280x800x24" "$program" --settings "$root/settings.json" --screenshots "$root/shots" "$db" \
    || fail "the window did not walk its views"
  echo "check: the window walked $(find "$root/shots" -name '*.png' | wc -l) views and looks"
else
  echo "check: no database was named or xvfb-run is not installed, so no window was opened" >&2
fi
echo "check: $(basename "$deb") unpacks and starts ($(grep -c . <<<"$contents") entries)"
