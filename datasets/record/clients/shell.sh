#!/usr/bin/env bash
# shell.sh - command-line clients, one function each: `shell.sh NAME`. The order of URLs comes from urls.py.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
urls() { N=${1:-18} "$PY" "$here/urls.py"; }
plain=${SHOP/https/http}
server=${SERVER}           # the server's address as this host reaches it, IPv6 in brackets
host=${server#[}; host=${host%]}
tls=(--cacert "$CA" -s -o /dev/null)

curl_each()   { urls 20 | while read -r u; do curl "${tls[@]}" "$u"; sleep 0.2; done; }
curl_keep()   { urls 30 | sed 's/.*/url = "&"\noutput = "\/dev\/null"/' > u.cfg; curl --cacert "$CA" -s --http1.1 --rate 3/s -K u.cfg; }
curl_h2()     { urls 30 | sed 's/.*/url = "&"\noutput = "\/dev\/null"/' > u.cfg; curl --cacert "$CA" -s --http2 -Z --parallel-max 8 -K u.cfg; }
curl_old()    { urls 10 | while read -r u; do curl "${tls[@]}" --http1.0 --no-alpn --tls-max 1.2 "$u"; done
  curl "${tls[@]}" --http1.0 "$SHOP/"; }  # offers only http/1.0 by ALPN: Apache ends the handshake
curl_plain()  { for p in /status /robots.txt /api/v1/products / /download/catalogue.pdf /product/3; do for _ in 1 2 3; do curl -s -o /dev/null "$plain$p"; sleep 0.1; done; done; curl -s -o /dev/null --http1.0 "$plain/status"; curl -s -o /dev/null http://blog.example/; }
curl_odd()    { # bytes that a log has to escape, names and headers that a parser may not expect
  for _ in 1 2; do
  curl -s -o /dev/null -A $'Caf\xc3\xa9Fetch/1.0 ("quoted" back\\slash)' -e $'http://shop.example/\xff\xfe' "$plain/status?x=%22%5c%00&y=\"z\""
  curl "${tls[@]}" -A $'tab\there' -H $'Accept-Language: fr\xe9' -H 'Host: SHOP.example:443' "$SHOP/product/%31?%e9=%"
  curl "${tls[@]}" -A '' -H 'Accept:' -H 'X-Long: '"$(printf 'a%.0s' $(seq 3000))" "$SHOP/search?q=$(printf '%%41%.0s' $(seq 300))"
  curl "${tls[@]}" -A 'x","status":999,"z":"' -H $'Referer: \x0b\x01' --http1.1 "$SHOP/%22%7d%0a"
  curl "${tls[@]}" -X PROPFIND "$SHOP/"; curl "${tls[@]}" -X OPTIONS "$SHOP/api/v1/products"; curl "${tls[@]}" -H 'Authorization: Bearer abc' -b 'a=1; b=2' "$SHOP/api/v1/orders"
  done; }
curl_port()   { # the same source port again and again: a new connection under an old name
  for i in 1 2 3 4 5; do curl "${tls[@]}" --local-port 40077 "$SHOP/product/$i"; sleep 0.3
    curl "${tls[@]}" --local-port 40078 --tls-max 1.2 "$SHOP/api/v1/products/$i"; sleep 0.3; done; }
curl_nosni()  { for i in 1 2 3 4 5 6; do curl -k -s -o /dev/null "https://$server/" ; curl -k -s -o /dev/null -H "Host: shop.example" "https://$server/product/$i"; done; }
uptime_probe() { for _ in $(seq 14); do curl "${tls[@]}" -I -A "UptimeProbe/1.0 (+https://uptime.example)" "$SHOP/status"; sleep 2; done; }
abandoned()   { # connects and leaves: nothing, half a hello, a hello and no request, a half request
  for _ in 1 2 3 4; do
    timeout 1 bash -c "exec 3<>/dev/tcp/$host/443; sleep 0.4"
    timeout 1 bash -c "exec 3<>/dev/tcp/$host/443; printf '\\x16\\x03\\x01\\x02\\x00\\x01\\x00' >&3; sleep 0.4"
    timeout 2 openssl s_client -connect "$server:443" -servername shop.example -CAfile "$CA" </dev/null
    timeout 2 bash -c "exec 3<>/dev/tcp/$host/80; printf 'GET /status HTTP/1.1\\r\\nHost: shop.exam' >&3; sleep 0.4"
    timeout 2 bash -c "exec 3<>/dev/tcp/$host/443; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3"
  done; }
s_client()    { for i in 1 2 3 4 5 6 7 8; do
    printf 'GET /product/%s HTTP/1.1\r\nHost: shop.example\r\n\r\nGET /status HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n' $i |
      timeout 4 openssl s_client -quiet -connect "$server:443" -servername shop.example -CAfile "$CA" $( ((i % 2)) && echo -tls1_2 || echo -sess_out s.pem) -keylogfile k.log
  done; timeout 4 openssl s_client -quiet -connect "$server:443" -servername shop.example -sess_in s.pem -CAfile "$CA" <<< $'GET /status HTTP/1.0\r\n\r'; [ -f k.log ] && cat k.log >> "$SSLKEYLOGFILE"; }
wget_tree()   { wget -q -r -l 2 -p -e robots=off --quota=600k --ca-certificate="$CA" --wait=0.1 -D shop.example "$SHOP/catalog?page=1" -P tree; }
wget_each()   { urls 12 | while read -r u; do wget -q --ca-certificate="$CA" -O /dev/null "$u"; done; }
aria2()       { for _ in 1 2; do aria2c -q --ca-certificate="$CA" -x 4 -s 4 -k 1M --allow-overwrite=true --enable-dht=false -d . "$SHOP/download/catalogue.pdf"; done; urls 8 > l; aria2c -q --ca-certificate="$CA" -d . -i l -j 4; }
nghttp2()     { nghttp -n -a "$SHOP/"; for i in 1 2 3; do nghttp -n "$SHOP/product/$i" "$SHOP/product/$((i+3))"; done; }
httrack_copy() { httrack "$BLOG/" -O mirror -r3 -c4 -A200000 -q -s0 -%v0 -%c10 -E20 ; }
text_browser() { urls 10 | while read -r u; do SSL_CERT_FILE=$CA lynx -dump "$u" > /dev/null </dev/null; sleep 0.5; w3m -o ssl_ca_file="$CA" -dump "$u" > /dev/null </dev/null; sleep 0.5; done; }
ab_load()     { ab -q -n 120 -c 6 "$SHOP/product/1"; ab -q -k -n 80 -c 3 "$SHOP/"; }
siege_load()  { urls 12 > u; mkdir -p .siege; siege -q -c 4 -r 8 -f u --no-parser; }

# scanners: small lists made here, so each stays at a few hundred requests
words()       { printf '%s\n' admin login account backup .git/HEAD .env wp-login.php wp-admin api api/v1 api/v1/users config.php test old staff staff/ private uploads images assets \
                  server-status cgi-bin/ phpmyadmin robots.txt sitemap.xml .htaccess .svn/entries info.php shell.php db.sql dump.sql console actuator actuator/health swagger.json \
                  graphql user users register reset-password search cart checkout orders invoices reports tmp temp dev staging beta v1 v2 status metrics health download files data export | shuf --random-source=<(yes "$SEED"); }
nmap_scan()   { six=; [[ $host == *:* ]] && six=-6; nmap $six -Pn -n -sV -T4 -p 80,443 --max-retries 1 --version-intensity 2 --script ssl-cert,http-title,http-headers,http-robots.txt,http-methods,tls-alpn "$host"; }
nmap_ciphers() { six=; [[ $host == *:* ]] && six=-6; nmap $six -Pn -n -T4 -p 443 --script ssl-enum-ciphers "$host"; }
sslscan_()    { sslscan --no-colour --no-heartbleed --no-groups --no-fallback --no-renegotiation --no-compression --sni-name=shop.example "$server:443"; }
gobuster_dir() { words > w; gobuster dir -q -k -u "$SHOP" -w w -t 4 --no-progress; }
ffuf_dir()    { words > w; ffuf -s -k -u "$SHOP/FUZZ" -w w -t 5; }
wfuzz_dir()   { words | head -45 > w; wfuzz -s 0.05 -t 4 --hc 999 -w w "$SHOP/FUZZ"; }
dirb_dir()    { words | head -40 > w; dirb "$SHOP/" w -S -r -w; }
hydra_form()  { printf 'pass%s\n' $(seq 1 28) > w; echo correct-horse-07 >> w; hydra -I -t 4 -l user07@shop.example -P w blog.example https-post-form "/login:user=^USER^&password=^PASS^:F=Wrong user"; }
hydra_basic() { printf 'pass%s\n' $(seq 1 24) > w; hydra -I -t 3 -l staff -P w shop.example https-get /staff/; }
ffuf_login()  { printf 'guess%s\n' $(seq 1 45) > w; ffuf -s -k -u "$SHOP/login" -X POST -H 'Content-Type: application/x-www-form-urlencoded' -d 'user=user11@shop.example&password=FUZZ' -w w -t 3 -p 0.1-0.3 -fc 401; }
curl_stuffing() { for i in $(seq 24); do curl "${tls[@]}" -A "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:141.0) Gecko/20100101 Firefox/141.0" -d "user=user$i@shop.example&password=welcome$i" "$SHOP/login"; sleep "$((RANDOM % 2)).$((RANDOM % 9))"; done; }
sqlmap_()     { sqlmap -u "$SHOP/search?q=lamp" --batch --level 2 --risk 1 --technique BE --threads 1 --flush-session --output-dir=sm --disable-coloring; }
wapiti_()     { wapiti -u "$SHOP/" --scope folder -m exec,file --max-links-per-page 6 -d 1 --max-scan-time 25 --verify-ssl 0 --flush-session --no-bugreport -f txt -o rep --store-session ws --store-config wc; }
whatweb_()    { whatweb -q -a 3 "$SHOP/" "$BLOG/"; }
slow_()       { timeout 25 slowhttptest -c 18 -H -i 4 -r 9 -l 14 -u "$SHOP/" -p 3 -x 12; }

chrome_once() { for i in 1 2 3 4; do /usr/lib/chromium/chromium --headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update \
    --disable-sync --disable-default-apps --disable-extensions --metrics-recording-only --host-resolver-rules='MAP * ~NOTFOUND , EXCLUDE shop.example , EXCLUDE blog.example' \
    --ignore-certificate-errors --user-data-dir="$PWD/p$i" --dump-dom "$SHOP/product/$i" > /dev/null; done; }

java_client() { cp "$here/Java.java" .; keytool -importcert -noprompt -alias rec -file "$CA" -keystore ts -storepass changeit; java -Djavax.net.ssl.trustStore=ts -Djavax.net.ssl.trustStorePassword=changeit Java.java "$1" $(urls 16); }
go_client()   { cp "$here/client.go" .; GOCACHE=$TOOLS/gocache GO111MODULE=off /usr/lib/go-1.19/bin/go build -o gc client.go && ./gc $(urls 20); }
perl_client() { urls 14 | perl -MLWP::UserAgent -e '$u=LWP::UserAgent->new(keep_alive=>1,ssl_opts=>{SSL_ca_file=>$ENV{CA}}); while(<>){chomp;$u->get($_);select(undef,undef,undef,.2)}'; }
ruby_client() { urls 14 | ruby -rnet/http -ropenssl -e 'STDIN.each_line{|l| u=URI(l.strip); Net::HTTP.start(u.host,u.port,use_ssl:true,ca_file:ENV["CA"]){|h| h.get(u.request_uri)}; sleep 0.2}'; }
php_client()  { urls 14 | php -d "openssl.cafile=$CA" -d "curl.cainfo=$CA" -r '$c=curl_init();curl_setopt($c,CURLOPT_RETURNTRANSFER,1);$i=0;while($l=fgets(STDIN)){if(++$i%2){curl_setopt($c,CURLOPT_URL,trim($l));curl_exec($c);}else{@file_get_contents(trim($l));}usleep(200000);}'; }

"$@"
