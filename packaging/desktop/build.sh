#!/usr/bin/env bash
# Packages of the desktop: a .deb and, where rpmbuild is installed, an .rpm of the files that packaging/desktop/files.txt names.
#
#   packaging/desktop/build.sh [--bin FOLDER] [--out FOLDER]      FOLDER of the built programs (default target/release)
#
# Promises: nothing is compiled or downloaded; each package holds exactly the files of the list, a copyright and a changelog; the metadata are
# validated where appstreamcli and desktop-file-validate are installed. `packaging/desktop/check.sh` installs and starts the result.
# Read next: docs/DESKTOP.md.
set -euo pipefail
cd "$(dirname "$0")/../.."
BIN="${CARGO_TARGET_DIR:-target}/release"
out=dist
while [ $# -gt 0 ]; do
  case "$1" in
    --bin) BIN="$2"; shift 2 ;;
    --out) out="$2"; shift 2 ;;
    *) echo "build.sh: unknown argument $1; there are --bin FOLDER and --out FOLDER" >&2; exit 2 ;;
  esac
done
name=ja4-desktop
here=packaging/desktop
[ -x "$BIN/$name" ] || { echo "build.sh: $BIN/$name is not built; run cargo build --release --bin $name first" >&2; exit 1; }
version="$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)"

if command -v appstreamcli >/dev/null; then
  appstreamcli validate --no-net "$here/io.github.ja4_platform.Desktop.metainfo.xml" >&2
else
  echo "build.sh: appstreamcli is not installed (Debian: appstream), so the metadata were not validated" >&2
fi
if command -v desktop-file-validate >/dev/null; then
  desktop-file-validate "$here/io.github.ja4_platform.Desktop.desktop"
else
  echo "build.sh: desktop-file-validate is not installed (Debian: desktop-file-utils), so the desktop entry was not validated" >&2
fi

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
root="$work/deb"
grep -v '^#' "$here/files.txt" | while read -r mode source target; do
  install -Dm"$mode" "${source/\$BIN/$BIN}" "$root$target"
done
gzip -9nf "$root"/usr/share/man/man1/*.1
doc="$root/usr/share/doc/$name"
cat LICENSE-MIT LICENSE-APACHE LICENSE-JA4-BSD-3-Clause LICENSE-FoxIO-1.1 > "$doc/copyright"
gzip -9nc CHANGELOG.md > "$doc/changelog.gz"
chmod 644 "$doc/copyright" "$doc/changelog.gz"

# The lowest C library with every symbol used; what the window opens at run time (OpenGL, X11, Wayland) is in no symbol table.
libc="$(objdump -T "$BIN/$name" | grep -oE 'GLIBC_[0-9.]+' | sed 's/GLIBC_//' | sort -uV | tail -1)"
mkdir -p "$out"
if command -v rpmbuild >/dev/null; then
  (cd "$root" && find . -type f -printf '/%P\n' | sort) > "$work/files"
  sed -e "s|@VERSION@|$version|; s|@ROOT@|$root|; s|@FILES@|$work/files|" "$here/$name.spec" > "$work/$name.spec"
  rpmbuild -bb --quiet --define "_topdir $work/rpmbuild" --define "_rpmdir $(realpath "$out")" --define "_binary_payload ${JA4_RPM_COMPRESSION:-w19.zstdio}" \
    --define '_rpmfilename %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm' "$work/$name.spec" >/dev/null
  ls "$out/$name-$version-1".*.rpm
else
  echo "build.sh: rpmbuild is not installed (Debian: rpm), so no .rpm was made" >&2
fi
mkdir -p "$root/DEBIAN"
cat > "$root/DEBIAN/control" <<CONTROL
Package: $name
Version: $version
Section: net
Priority: optional
Architecture: $(dpkg --print-architecture)
Depends: libc6 (>= $libc), libgcc-s1, libstdc++6, libgl1, libegl1, libxkbcommon0, libxkbcommon-x11-0, libx11-6, libx11-xcb1, libxcursor1, libxi6, libxrender1
Recommends: libwayland-client0, libwayland-egl1
Suggests: ja4-platform
Installed-Size: $(du -sk "$root" | cut -f1)
Maintainer: ja4-platform <root@localhost>
Description: workbench of an analyst over JA4 fingerprints and web logs
 Opens the database that ja4-lab writes, or replays captures and Apache logs
 dropped on its window: ranked sessions with reasons, investigation down to
 the packets, tuning, rehearsal, campaigns, cases. Works without a network.
CONTROL
deb="$out/${name}_${version}_$(dpkg --print-architecture).deb"
dpkg-deb --root-owner-group -Z"${JA4_DEB_COMPRESSION:-xz}" --build "$root" "$deb" >/dev/null
echo "$deb"
