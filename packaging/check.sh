#!/usr/bin/env bash
# Unpacks packages into an empty folder and starts what they hold: programs run, settings are found, a missing store is told.
#
#   packaging/check.sh dist/ja4-platform_VERSION_ARCH.deb dist/ja4-platform-VERSION-1.el*.rpm
#
# Promises: nothing outside a temporary folder is touched; the first thing wrong ends it with status 1 and says what. Of an .rpm it also
# checks who may read the settings, the scripts, and that nothing it asks for is newer than its system; as root it starts the programs
# in a chroot that holds this machine's C library under Red Hat's names. It cannot show that dnf installs it: that needs such a system.
set -euo pipefail
[ $# -gt 0 ] || { echo "check.sh: name one or more .deb or .rpm files" >&2; exit 2; }
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
fail() { echo "check: $1" >&2; exit 1; }

# Whether a list of paths ($1) holds each of the others.
holds() {
  local list="$1"; shift
  for path in "$@"; do grep -qxF "$path" <<<"$list" || fail "$path is missing"; done
}

# What every package has, and what goes with each program.
complete() {
  local list="$1"
  holds "$list" /usr/bin/ja4-sentinel /etc/ja4-platform/sentinel.example.toml /usr/lib/systemd/system/ja4-sentinel.service \
    /usr/lib/sysusers.d/ja4-platform.conf /usr/share/doc/ja4-platform/copyright
  if grep -qx /usr/bin/ja4-lab <<<"$list"; then
    holds "$list" /usr/lib/systemd/system/ja4-detect.service /etc/ja4-platform/detect.example.env /usr/lib/systemd/system/ja4-live.service \
      /etc/ja4-platform/live.example.env /usr/share/ja4-platform/clickhouse-access.sql /usr/share/ja4-platform/clickhouse-access-cluster.sql \
      /usr/share/ja4-platform/clickhouse-access-dictionaries.sql /usr/share/ja4-platform/grafana.json \
      /usr/share/ja4-platform/datasets/recorded/site-small/manifest.toml /usr/share/man/man1/ja4-lab.1.gz
  elif grep -q ja4-detect <<<"$list"; then fail "the unit of ja4-lab is there without the program"; fi
}

# Starts the programs below $1; the rest of the line is how, e.g. `chroot FOLDER`, with the programs' root in it ($2).
starts() {
  local root="$1" in="$2"; shift 2
  for program in "$root"/usr/bin/*; do
    "$@" "$in/usr/bin/$(basename "$program")" --version >/dev/null || fail "$(basename "$program") does not start"
  done
  "$@" "$in/usr/bin/ja4-sentinel" --config "$in/etc/ja4-platform/sentinel.example.toml" --check >/dev/null || fail "the sentinel's example settings are refused"
  if [ -x "$root/usr/bin/ja4-correlator" ]; then
    "$@" "$in/usr/bin/ja4-correlator" --config "$in/etc/ja4-platform/correlator.example.toml" --check >/dev/null || fail "the correlator's example settings are refused"
  fi
  [ -x "$root/usr/bin/ja4-lab" ] || return 0
  # The flags of the unit's example settings are flags of the program; a store that is absent is one sentence and status 1.
  local flags said status place
  place="$(sed 's|^$|/tmp|' <<<"$in")"
  flags="$(sed -n 's/^JA4_DETECT_FLAGS=//p' "$root/etc/ja4-platform/detect.example.env" | sed "s|/var/lib/ja4-platform|$place|; s|127.0.0.1:8080|127.0.0.1:0|")"
  for store in "$place/absent.duckdb" clickhouse://nobody@127.0.0.1:1; do
    set +e
    # shellcheck disable=SC2086 # words are meant to be split, as systemd does
    said="$("$@" "$in/usr/bin/ja4-lab" detect --db "$store" $flags --once 2>&1)"
    status=$?
    set -e
    [ $status -eq 1 ] && grep -qE 'no such file|does not answer' <<<"$said" || fail "without the store $store the status is $status and it says: $said"
  done
}

check_deb() {
  local deb="$1" root="$scratch/deb" contents
  dpkg-deb --info "$deb" >/dev/null || fail "the package cannot be read"
  contents="$(dpkg-deb --contents "$deb")"
  ! grep -vE ' root/root ' <<<"$contents" | grep . || fail "a file does not belong to root"
  complete "$(awk '{print $6}' <<<"$contents" | sed 's/^\.//')"
  dpkg-deb --extract "$deb" "$root"
  for program in "$root"/usr/bin/*; do
    ldd "$program" | grep 'not found' && fail "$(basename "$program") lacks a library"
  done
  starts "$root" "$root" env
  echo "check: $(basename "$deb") unpacks, starts, and tells what is missing ($(grep -c . <<<"$contents") entries)"
}

# The newest C and C++ libraries of each system, as in build.sh.
limit() { case "$1" in *.el8.*) echo 2.28 3.4.25 ;; *.el9.*) echo 2.34 3.4.29 ;; *.el10.*) echo 2.39 3.4.33 ;; *) fail "$1 is for no system that is known here" ;; esac; }

check_rpm() {
  local file="$1" root list c cxx needs library name
  root="$scratch/$(basename "$file")"
  rpm -qip "$file" >/dev/null || fail "$(basename "$file") cannot be read"
  list="$(rpm -qlp "$file")"
  complete "$list"
  rpm -qp --queryformat '[%{FILEMODES:perms} %{FILEUSERNAME} %{FILEGROUPNAME} %{FILENAMES}\n]' "$file" | while read -r mode owner group path; do
    case "$path" in
      /etc/*) [ "$mode $owner $group" = "-rw-r----- root ja4" ] || fail "$path is $mode $owner $group" ;;
      *) [ "$owner $group" = "root root" ] || fail "$path belongs to $owner $group" ;;
    esac
  done
  [ "$(rpm -qcp "$file" | sort)" = "$(grep '^/etc/' <<<"$list" | sort)" ] || fail "not every file in /etc is marked as configuration"
  for script in preinstall postinstall preuninstall; do rpm -qp --scripts "$file" | grep "^$script scriptlet" >/dev/null || fail "there is no $script scriptlet"; done
  rpm -qp --queryformat '%{PREIN}\n%{POSTIN}\n%{PREUN}\n' "$file" | sh -n || fail "a scriptlet is no shell script"
  read -r c cxx <<<"$(limit "$file")"
  needs="$(rpm -qp --requires "$file")"
  for bound in "GLIBC $c" "GLIBCXX $cxx"; do
    newest="$( (grep -oE "\(${bound% *}_[0-9.]+\)" <<<"$needs" | tr -d '()' | sed 's/.*_//' | sort -V | tail -1) || true)"
    [ -z "$newest" ] || [ "$(printf '%s\n%s\n' "$newest" "${bound#* }" | sort -V | tail -1)" = "${bound#* }" ] || fail "it asks for ${bound% *} $newest; that system has ${bound#* }"
  done
  ! grep -q 'libpcap.so.0.8' <<<"$needs" || fail "it asks for Debian's name of libpcap"
  mkdir -p "$root" && (cd "$root" && rpm2cpio "$file" | cpio --quiet -idm)
  if [ "$(id -u)" = 0 ]; then
    # Every library by the name it is asked for; libpcap is called otherwise there.
    for program in "$root"/usr/bin/*; do objdump -p "$program" | awk '/NEEDED/ {print $2}'; done | sort -u | sed 's/libpcap.so.1/libpcap.so.0.8/' > "$scratch/names"
    while read -r name; do ldconfig -p | awk -v name="$name" '$1 == name && /x86-64/ && !seen++ {print $NF}'; done < "$scratch/names" > "$scratch/files"
    { cat "$scratch/files"; xargs ldd < "$scratch/files" | grep -oE '/[^ ]+'; echo /lib64/ld-linux-x86-64.so.2; } | sed 's/:$//' | sort -u | while read -r library; do
      install -D "$library" "$root/lib64/$(basename "$library")"
    done
    [ ! -e "$root/lib64/libpcap.so.0.8" ] || mv "$root/lib64/libpcap.so.0.8" "$root/lib64/libpcap.so.1"
    mkdir -p "$root/tmp" "$root/dev" "$root/proc"
    starts "$root" "" env LD_LIBRARY_PATH=/lib64 chroot "$root"
    echo "check: $(basename "$file") unpacks and starts in a chroot ($(grep -c . <<<"$list") entries; C library up to $c)"
  else
    echo "check: $(basename "$file") is well-formed ($(grep -c . <<<"$list") entries); not started: a chroot needs root"
  fi
}

for package in "$@"; do
  package="$(realpath "$package")"
  case "$package" in
    *.deb) check_deb "$package" ;;
    *.rpm) check_rpm "$package" ;;
    *) fail "$package is neither .deb nor .rpm" ;;
  esac
done
