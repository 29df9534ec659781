#!/bin/sh
# Whether the module leaks or reads what it must not: httpd as one process under valgrind, visited over HTTP/1.1 and clear HTTP/2, with long,
# many and malformed headers, while its collector comes and goes. By hand (needs apache2, valgrind, curl, python3; about a minute):
#
#     apache-mod/tests/valgrind.sh [PATH/libmod_reqin_log.so] [ROUNDS]
#
# Exit status 1 if valgrind blames the module for an invalid access or for lost memory. httpd's own remarks are not counted.
# Read next: docs/APACHE.md, "What it costs".
set -eu
module=$(realpath "${1:-${CARGO_TARGET_DIR:-$(dirname "$0")/../../target}/release/libmod_reqin_log.so}")
rounds=${2:-20}
dir=$(mktemp -d) && chmod 755 "$dir" && mkdir "$dir/www" && echo hello >"$dir/www/index.html"
modules=$(apxs -q LIBEXECDIR)
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >"$dir/httpd.conf" <<CONF
LoadModule mpm_event_module $modules/mod_mpm_event.so
LoadModule authz_core_module $modules/mod_authz_core.so
LoadModule http2_module $modules/mod_http2.so
LoadModule reqin_log_module $module
ServerRoot $dir
ServerName localhost
PidFile $dir/httpd.pid
DefaultRuntimeDir $dir
ErrorLog $dir/error.log
Listen 127.0.0.1:$port
DocumentRoot $dir/www
Protocols h2c http/1.1
ThreadsPerChild 8
MaxRequestWorkers 8
LimitRequestFieldSize 65536
ReqinLogEnabled On
ReqinLogSocket $dir/http.socket
<Directory />
Require all granted
</Directory>
CONF
# The state of a child is kept on purpose, once a process: see `child_init` in src/ffi.rs.
cat >"$dir/known" <<KNOWN
{
   the state of a child
   Memcheck:Leak
   match-leak-kinds: definite
   ...
   fun:*mod_reqin_log*child_init*
}
KNOWN
valgrind --quiet --keep-debuginfo=yes --suppressions="$dir/known" --leak-check=full --show-leak-kinds=definite --num-callers=30 --log-file="$dir/valgrind.log" \
  /usr/sbin/apache2 -X -d "$dir" -f "$dir/httpd.conf" &
server=$!
trap 'kill $server 2>/dev/null || true; wait $server 2>/dev/null || true; rm -rf "$dir"' EXIT
tries=0
until curl -s -o "$dir/answer" "http://127.0.0.1:$port/"; do
  tries=$((tries + 1))
  [ $tries -lt 300 ] || { echo "httpd never answered"; cat "$dir/error.log"; exit 1; }
  sleep 0.2
done
python3 - "$dir" "$port" "$rounds" <<'PY'
import os, socket, subprocess, sys
directory, port, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])

def raw(data):
    with socket.create_connection(("127.0.0.1", port), timeout=60) as s:
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        while s.recv(65536):
            pass

asked = 0
for round_no in range(rounds):
    collector = None
    if round_no % 2:  # absent, then present, then stopped reading and gone
        collector = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        collector.bind(f"{directory}/http.socket")
        os.chmod(f"{directory}/http.socket", 0o666)
    for data in (b"GET / HTTP/1.1\r\nHost: a\r\nX-Long: " + b"y" * 60000 + b"\r\n\r\n",
                 b"GET /?" + b"q" * 5000 + b" HTTP/1.1\r\nHost: a\r\n" + b"".join(b"X-%d: \xff\x01\r\n" % n for n in range(90)) + b"\r\n",
                 b"GET \xff\x00 HTTP/1.1\r\nHost\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0" * 40, b"\x16\x03\x01\x00", b"GET / HTTP/1.1\r\n"):
        raw(data)
        asked += 1
    for option in ("--http1.1", "--http2-prior-knowledge"):
        url = f"http://127.0.0.1:{port}/"
        subprocess.run(["curl", "-s", option, "-o", "/dev/null", url, "-o", "/dev/null", url + "missing", "-o", "/dev/null", url + "?a=b"])
        asked += 3
    if collector:
        collector.close()
        os.unlink(f"{directory}/http.socket")
print(f"{asked} requests")
PY
kill -TERM $server
wait $server || true
trap 'rm -rf "$dir"' EXIT
blamed=$(grep -c "libmod_reqin_log\|mod_reqin_log" "$dir/valgrind.log" || true)
remarks=$(grep -c "are definitely lost\|Invalid \(read\|write\)\|uninitialised" "$dir/valgrind.log" || true)
echo "valgrind: $remarks remarks in all, $blamed lines that name the module"
[ "$blamed" = 0 ] || { cat "$dir/valgrind.log"; exit 1; }
