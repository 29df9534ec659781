#!/usr/bin/env bash
# install.sh - brings in every program the recording needs, and nothing else. Idempotent.
# Debian packages from the configured mirrors; Python packages pinned in requirements.txt into a venv;
# Node packages pinned in package.json. apache2-bin is taken instead of apache2, so no service is set up
# and nothing under /etc is ours. Usage: install.sh TOOLS_DIR
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tools=${1:?TOOLS_DIR}
mkdir -p "$tools"

packages=(
  apache2-bin openssl locales tcpdump tshark iproute2 iputils-ping python3 python3-venv        # server, wire, glue
  chromium chromium-driver firefox-esr libnss3-tools webkit2gtk-driver falkon xvfb xauth      # browsers
  curl wget openjdk-17-jdk-headless golang-1.19-go perl libwww-perl liblwp-protocol-https-perl
  ruby php-cli php-curl lynx w3m aria2 nghttp2-client apache2-utils siege httrack      # libraries and fetchers
  nmap gobuster ffuf wfuzz dirb hydra sqlmap wapiti whatweb sslscan slowhttptest       # scanners
)
command -v node >/dev/null || packages+=(nodejs npm)
missing=()
for p in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q 'install ok installed' || missing+=("$p")
done
if ((${#missing[@]})); then
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"
fi

[ -x "$tools/venv/bin/python" ] || /usr/bin/python3 -m venv "$tools/venv"
[ -x "$tools/venv-niquests/bin/python" ] || /usr/bin/python3 -m venv "$tools/venv-niquests"  # it replaces urllib3: kept apart
"$tools/venv-niquests/bin/pip" install -q --disable-pip-version-check --only-binary :all: niquests==3.21.2
"$tools/venv/bin/pip" install -q --disable-pip-version-check --only-binary :all: -r "$here/requirements.txt"

mkdir -p "$tools/npm"
cp "$here/package.json" "$tools/npm/"
(cd "$tools/npm" && npm install --silent --no-audit --no-fund --ignore-scripts)

mkdir -p "$tools/locale"  # for WebKit, which takes its language from the locale
for l in en_US fr_FR de_DE es_ES nl_NL pl_PL; do
  [ -d "$tools/locale/$l.UTF-8" ] || localedef -i $l -f UTF-8 "$tools/locale/$l.UTF-8"
done
