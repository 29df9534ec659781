#!/usr/bin/env bash
# Packages of the server side: a .deb with dpkg-deb and, where rpmbuild is installed, an .rpm of the same tree.
#
#   packaging/build.sh [--bin FOLDER] [--out FOLDER]      FOLDER of the built programs (default target/release)
#
# Promises: nothing is compiled or downloaded; the package holds exactly the tree that `stage` lays out; what a program links
# against is read from the program; without --out the packages go to ./dist. `packaging/check.sh` installs and starts the result.
# Read next: docs/DEPLOYMENT.md.
set -euo pipefail
cd "$(dirname "$0")/.."
bin="${CARGO_TARGET_DIR:-target}/release"
out=dist
while [ $# -gt 0 ]; do
  case "$1" in
    --bin) bin="$2"; shift 2 ;;
    --out) out="$2"; shift 2 ;;
    *) echo "build.sh: unknown argument $1; there are --bin FOLDER and --out FOLDER" >&2; exit 2 ;;
  esac
done
name=ja4-platform
version="$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)"
programs=()
for program in ja4-lab ja4-sentinel ja4-correlator; do
  if [ -x "$bin/$program" ]; then programs+=("$program"); else echo "build.sh: $bin/$program is not built; left out" >&2; fi
done
[ ${#programs[@]} -gt 0 ] || { echo "build.sh: no program in $bin; run cargo build --release first" >&2; exit 1; }

# Everything that a package holds, below $1.
stage() {
  local root="$1" doc="$1/usr/share/doc/$name"
  for program in "${programs[@]}"; do install -Dm755 "$bin/$program" "$root/usr/bin/$program"; done
  [ ! -f "$bin/libmod_reqin_log.so" ] || install -Dm644 "$bin/libmod_reqin_log.so" "$root/usr/lib/$name/libmod_reqin_log.so"
  for file in packaging/*.example.toml packaging/*.example.env; do install -Dm640 "$file" "$root/etc/$name/$(basename "$file")"; done
  for unit in packaging/systemd/*.service; do install -Dm644 "$unit" "$root/usr/lib/systemd/system/$(basename "$unit")"; done
  install -Dm644 packaging/systemd/ja4-platform.sysusers "$root/usr/lib/sysusers.d/ja4-platform.conf"
  install -Dm644 packaging/systemd/ja4-platform.tmpfiles "$root/usr/lib/tmpfiles.d/ja4-platform.conf"
  install -Dm644 packaging/grafana.json "$root/usr/share/$name/grafana.json"
  install -Dm644 packaging/prometheus-rules.yml "$root/usr/share/$name/prometheus-rules.yml"
  for page in docs/*.md README.md CHANGELOG.md; do install -Dm644 "$page" "$doc/$(basename "$page")"; done
  cat LICENSE-MIT LICENSE-APACHE LICENSE-JA4-BSD-3-Clause LICENSE-FoxIO-1.1 > "$root/copyright.tmp"
  install -Dm644 "$root/copyright.tmp" "$doc/copyright" && rm "$root/copyright.tmp"
  if [ -x "$root/usr/bin/ja4-lab" ]; then
    "$root/usr/bin/ja4-lab" man --output "$root/usr/share/man/man1" && gzip -9nf "$root"/usr/share/man/man1/*.1
    mkdir -p "$root/usr/share/bash-completion/completions"
    "$root/usr/bin/ja4-lab" completions bash > "$root/usr/share/bash-completion/completions/ja4-lab"
  fi
}

# Debian packages of the libraries the programs need, with the lowest C library that has every symbol used.
depends() {
  local libc
  libc="$(for program in "${programs[@]}"; do objdump -T "$bin/$program" | grep -oE 'GLIBC_[0-9.]+' ; done | sed 's/GLIBC_//' | sort -uV | tail -1)"
  printf 'libc6 (>= %s), libgcc-s1' "$libc"
  for program in "${programs[@]}"; do objdump -p "$bin/$program" | awk '/NEEDED/ {print $2}'; done | sort -u | while read -r library; do
    case "$library" in libpcap.so*) printf ', libpcap0.8' ;; libstdc++.so*) printf ', libstdc++6' ;; esac
  done
}

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"
stage "$work/deb"
mkdir -p "$work/deb/DEBIAN"
cat > "$work/deb/DEBIAN/control" <<CONTROL
Package: $name
Version: $version
Section: net
Priority: optional
Architecture: $(dpkg --print-architecture)
Depends: $(depends)
Recommends: systemd
Installed-Size: $(du -sk "$work/deb" | cut -f1)
Maintainer: ja4-platform <root@localhost>
Description: ranks web clients that are not what they claim
 Joins TLS handshakes with web-server logs, scores sessions with three models
 and serves the result: sensor, correlator, detection service, Apache module.
CONTROL
(cd "$work/deb" && find etc -type f -printf '/%p\n' | sort > DEBIAN/conffiles)
cat > "$work/deb/DEBIAN/postinst" <<'POSTINST'
#!/bin/sh
# User, folders and access to the settings; nothing is started: settings come first.
set -e
if [ "$1" = configure ]; then
  if command -v systemd-sysusers >/dev/null; then systemd-sysusers ja4-platform.conf || true; fi
  if getent group ja4 >/dev/null; then chgrp -R ja4 /etc/ja4-platform; fi
  if [ -d /run/systemd/system ]; then
    systemd-tmpfiles --create ja4-platform.conf || true
    systemctl daemon-reload || true
  fi
fi
POSTINST
cat > "$work/deb/DEBIAN/prerm" <<'PRERM'
#!/bin/sh
# Stops what runs from files that are about to go.
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then systemctl stop ja4-sentinel ja4-detect ja4-correlator || true; fi
PRERM
chmod 755 "$work/deb/DEBIAN/postinst" "$work/deb/DEBIAN/prerm"
deb="$out/${name}_${version}_$(dpkg --print-architecture).deb"
dpkg-deb --root-owner-group -Z"${JA4_DEB_COMPRESSION:-xz}" --build "$work/deb" "$deb" >/dev/null
echo "$deb"

if command -v rpmbuild >/dev/null; then
  stage "$work/rpm"
  (cd "$work/rpm" && find . \( -type f -o -type l \) -printf '/%P\n' | sort | sed 's|^\(/etc/.*\)|%config(noreplace) %attr(0640,root,ja4) \1|') > "$work/files"
  cat > "$work/$name.spec" <<SPEC
Name: $name
Version: $version
Release: 1
Summary: Ranks web clients that are not what they claim
License: MIT OR Apache-2.0
%global debug_package %{nil}
%global __strip /bin/true
%global _build_id_links none
%description
Joins TLS handshakes with web-server logs, scores sessions with three models
and serves the result: sensor, correlator, detection service, Apache module.
%install
cp -a $work/rpm/. %{buildroot}/
%pre
getent group ja4 >/dev/null || groupadd -r ja4
getent passwd ja4 >/dev/null || useradd -r -g ja4 -d /var/lib/ja4-platform -s /sbin/nologin -c ja4-platform ja4
%post
[ ! -d /run/systemd/system ] || { systemd-tmpfiles --create ja4-platform.conf; systemctl daemon-reload; } || :
%preun
[ "\$1" != 0 ] || [ ! -d /run/systemd/system ] || systemctl stop ja4-sentinel ja4-detect ja4-correlator || :
%files -f $work/files
SPEC
  rpmbuild -bb --quiet --define "_topdir $work/rpmbuild" --define "_rpmdir $out" --define "_rpmfilename %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm" "$work/$name.spec" >/dev/null
  ls "$out/$name-$version"-*.rpm
else
  echo "build.sh: rpmbuild is not installed, so no .rpm was made" >&2
fi
