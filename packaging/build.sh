#!/usr/bin/env bash
# Packages of the server side: a .deb with dpkg-deb and, where rpmbuild is installed, an .rpm for each of el8, el9 and el10.
#
#   packaging/build.sh [--bin FOLDER] [--old FOLDER] [--out FOLDER]
#
#   --bin FOLDER   the built programs (default target/release)
#   --old FOLDER   programs that packaging/old_glibc.sh linked against an old C library (default target/x86_64-unknown-linux-gnu/release)
#   --out FOLDER   where the packages go (default ./dist)
#
# Promises: nothing is compiled or downloaded; a package holds exactly the tree that `stage` lays out, and of the programs only those that
# start on its system: what a program needs is read from the program, what a system has stands in `has`, and what is left out is said.
# rpmbuild and not cargo-generate-rpm: it is the format's own tool, finds the libraries a program needs by itself, and takes the tree
# that the .deb is made of. `packaging/check.sh` unpacks and starts the result. Read next: docs/DEPLOYMENT.md.
set -euo pipefail
cd "$(dirname "$0")/.."
target="${CARGO_TARGET_DIR:-target}"
bin="$target/release"
old="$target/x86_64-unknown-linux-gnu/release"
out=dist
while [ $# -gt 0 ]; do
  case "$1" in
    --bin) bin="$2"; shift 2 ;;
    --old) old="$2"; shift 2 ;;
    --out) out="$2"; shift 2 ;;
    *) echo "build.sh: unknown argument $1; there are --bin, --old and --out, each with a folder" >&2; exit 2 ;;
  esac
done
name=ja4-platform
version="$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)"
parts=(ja4-lab ja4-sentinel ja4-correlator libmod_reqin_log.so)

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"

# The file of a part in a folder of built programs. Of the module only one with its symbols counts: without Apache's headers it is empty.
part() {
  for path in "$1/$2" "$1/deps/$2"; do
    if [ -f "$path" ] && { [[ "$2" != *.so ]] || nm -D --defined-only "$path" | grep reqin_log_module >/dev/null; }; then echo "$path"; return; fi
  done
}

# Everything that a package of the parts in folder $2 holds, below $1.
stage() {
  local root="$1" from="$2" doc="$1/usr/share/doc/$name" service
  for program in "$from"/ja4-*; do
    install -Dm755 "$program" "$root/usr/bin/$(basename "$program")"
    service="$(basename "$program")"
    if [ "$service" = ja4-lab ]; then service=ja4-detect; fi
    install -Dm644 "packaging/systemd/$service.service" "$root/usr/lib/systemd/system/$service.service"
    for file in packaging/"${service#ja4-}".example.*; do install -Dm640 "$file" "$root/etc/$name/$(basename "$file")"; done
  done
  if [ -x "$from/ja4-lab" ]; then
    install -Dm644 packaging/systemd/ja4-live.service "$root/usr/lib/systemd/system/ja4-live.service"
    install -Dm640 packaging/live.example.env "$root/etc/$name/live.example.env"
    install -Dm644 sql/clickhouse/access.sql "$root/usr/share/$name/clickhouse-access.sql"
    install -Dm644 sql/clickhouse/access_cluster.sql "$root/usr/share/$name/clickhouse-access-cluster.sql"
    install -Dm644 sql/clickhouse/access_dictionaries.sql "$root/usr/share/$name/clickhouse-access-dictionaries.sql"
  fi
  [ ! -f "$from/libmod_reqin_log.so" ] || install -Dm644 "$from/libmod_reqin_log.so" "$root/usr/lib/$name/libmod_reqin_log.so"
  install -Dm644 packaging/systemd/ja4-platform.sysusers "$root/usr/lib/sysusers.d/ja4-platform.conf"
  install -Dm644 packaging/systemd/ja4-platform.tmpfiles "$root/usr/lib/tmpfiles.d/ja4-platform.conf"
  for page in docs/*.md README.md CHANGELOG.md; do install -Dm644 "$page" "$doc/$(basename "$page")"; done
  cat LICENSE-MIT LICENSE-APACHE LICENSE-JA4-BSD-3-Clause LICENSE-FoxIO-1.1 > "$work/copyright"
  install -Dm644 "$work/copyright" "$doc/copyright"
  if [ -x "$from/ja4-lab" ]; then
    install -Dm644 packaging/grafana.json "$root/usr/share/$name/grafana.json"
    # What `ja4-lab demo` replays: the first command that anyone tries.
    for file in datasets/recorded/site-small/*; do install -Dm644 "$file" "$root/usr/share/$name/$file"; done
    install -Dm644 packaging/prometheus-rules.yml "$root/usr/share/$name/prometheus-rules.yml"
    # By the program as it was built: the packed one may need libraries that this system calls otherwise.
    "$work/here/ja4-lab" man --output "$root/usr/share/man/man1"
    gzip -9nf "$root"/usr/share/man/man1/*.1
    mkdir -p "$root/usr/share/bash-completion/completions"
    "$work/here/ja4-lab" completions bash > "$root/usr/share/bash-completion/completions/ja4-lab"
  fi
}

# The newest version of a library's symbols ($1: GLIBC or GLIBCXX) that files use; empty if none.
newest() {
  local family="$1"; shift
  for file in "$@"; do objdump -T "$file"; done | grep -oE "\(${family}_[0-9.]+\)" | tr -d '()' | sed 's/.*_//' | sort -uV | tail -1
}

# Debian packages of the libraries the programs need, with the lowest C library that has every symbol used.
depends() {
  printf 'libc6 (>= %s), libgcc-s1' "$(newest GLIBC "$1"/*)"
  for file in "$1"/*; do objdump -p "$file" | awk '/NEEDED/ {print $2}'; done | sort -u | while read -r library; do
    case "$library" in libpcap.so*) printf ', libpcap0.8' ;; libstdc++.so*) printf ', libstdc++6' ;; esac
  done
}

deb() {
  local root="$work/deb" architecture
  architecture="$(dpkg --print-architecture)"
  stage "$root" "$1"
  mkdir -p "$root/DEBIAN"
  cat > "$root/DEBIAN/control" <<CONTROL
Package: $name
Version: $version
Section: net
Priority: optional
Architecture: $architecture
Depends: $(depends "$1")
Recommends: systemd
Installed-Size: $(du -sk "$root" | cut -f1)
Maintainer: ja4-platform <root@localhost>
Description: ranks web clients that are not what they claim
 Joins TLS handshakes with web-server logs, scores sessions with three models
 and serves the result: sensor, correlator, detection service, Apache module.
CONTROL
  (cd "$root" && find etc -type f -printf '/%p\n' | sort > DEBIAN/conffiles)
  cat > "$root/DEBIAN/postinst" <<'POSTINST'
#!/bin/sh
# User, folders and access to the settings; nothing is started: settings come first.
set -e
if [ "$1" = configure ]; then
  if command -v systemd-sysusers >/dev/null; then systemd-sysusers ja4-platform.conf || true; fi
  # A system without systemd, such as a container, has the same user.
  if ! getent passwd ja4 >/dev/null && command -v useradd >/dev/null; then
    useradd --system --user-group --no-create-home --home-dir /var/lib/ja4-platform --shell /usr/sbin/nologin --comment ja4-platform ja4
  fi
  if getent group ja4 >/dev/null; then chgrp -R ja4 /etc/ja4-platform; fi
  if [ -d /run/systemd/system ]; then
    systemd-tmpfiles --create ja4-platform.conf || true
    systemctl daemon-reload || true
  fi
fi
POSTINST
  cat > "$root/DEBIAN/prerm" <<'PRERM'
#!/bin/sh
# Stops what runs from files that are about to go.
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then systemctl stop ja4-live ja4-sentinel ja4-detect ja4-correlator || true; fi
PRERM
  chmod 755 "$root/DEBIAN/postinst" "$root/DEBIAN/prerm"
  local file="$out/${name}_${version}_$architecture.deb"
  dpkg-deb --root-owner-group -Z"${JA4_DEB_COMPRESSION:-xz}" --build "$root" "$file" >/dev/null
  echo "$file"
}

# The newest symbols that the C and the C++ library of a system have.
has() {
  case "$1" in
    el8) echo 2.28 3.4.25 ;;
    el9) echo 2.34 3.4.29 ;;
    el10) echo 2.39 3.4.33 ;;
  esac
}

# Whether version $1 is not above version $2; nothing needed is never above.
within() { [ -z "$1" ] || [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | tail -1)" = "$2" ]; }

# Copies the parts that start on system $1 to folder $2: those built here where they fit, else those built for an old C library.
fitting() {
  local system="$1" to="$2" c cxx path found
  read -r c cxx <<<"$(has "$system")"
  mkdir -p "$to"
  for part in "${parts[@]}"; do
    found=
    for folder in "$bin" "$old"; do
      path="$(part "$folder" "$part")"
      [ -n "$path" ] || continue
      if within "$(newest GLIBC "$path")" "$c" && within "$(newest GLIBCXX "$path")" "$cxx"; then found="$path"; break; fi
    done
    if [ -z "$found" ]; then echo "build.sh: $system: no $part that starts with C library $c and C++ library $cxx; left out" >&2; continue; fi
    cp "$found" "$to/$part"
    # Debian calls the library libpcap.so.0.8, Red Hat libpcap.so.1; it is the same one.
    if objdump -p "$to/$part" | grep 'NEEDED.*libpcap.so.0.8' >/dev/null; then patchelf --replace-needed libpcap.so.0.8 libpcap.so.1 "$to/$part"; fi
  done
  [ -n "$(ls -A "$to")" ]
}

rpm_for() {
  local system="$1" from="$work/$1-parts" root="$work/$1"
  fitting "$system" "$from" || { echo "build.sh: $system: nothing starts there, so no package was made" >&2; return; }
  stage "$root" "$from"
  (cd "$root" && find . \( -type f -o -type l \) -printf '/%P\n' | sort | sed 's|^\(/etc/.*\)|%config(noreplace) %attr(0640,root,ja4) \1|') > "$work/files"
  sed -e "s|@VERSION@|$version|; s|@SYSTEM@|$system|; s|@ROOT@|$root|; s|@FILES@|$work/files|" packaging/ja4-platform.spec > "$work/$system.spec"
  rpmbuild -bb --quiet --define "_topdir $work/rpmbuild" --define "_rpmdir $(realpath "$out")" \
    --define "_binary_payload ${JA4_RPM_COMPRESSION:-w19.zstdio}" --define '_rpmfilename %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm' "$work/$system.spec" >/dev/null
  ls "$out/$name-$version-1.$system".*.rpm
}

mkdir "$work/here"
for part in "${parts[@]}"; do
  path="$(part "$bin" "$part")"
  if [ -n "$path" ]; then cp "$path" "$work/here/$part"; else echo "build.sh: $bin/$part is not built; left out" >&2; fi
done
[ -n "$(ls -A "$work/here")" ] || { echo "build.sh: no program in $bin; run cargo build --release first" >&2; exit 1; }
deb "$work/here"
if command -v rpmbuild >/dev/null && command -v patchelf >/dev/null; then
  for system in el8 el9 el10; do rpm_for "$system"; done
else
  echo "build.sh: rpmbuild or patchelf is not installed (Debian: rpm, patchelf), so no .rpm was made" >&2
fi
