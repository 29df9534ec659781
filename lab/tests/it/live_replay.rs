//! Live equals replay: real clients, a real Apache with the module, `ja4-sentinel` and `ja4-correlator` in namespaces, tcpdump beside them.
//! Afterwards the capture and the module's events are replayed, and rows, features and scores are the same to the bit.
//!
//! Promises: skipped with a word where root, namespaces or a program is missing; processes and namespaces end with the test.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{LAB, digests, lab_ok, text};

const SERVER: &str = "10.213.0.1";
const SERVER6: &str = "fd13::1";
const PORTS: &str = "tcp port 80 or tcp port 443 or tcp port 8443";

#[test]
#[allow(clippy::disallowed_methods, reason = "waits for processes")]
fn a_replay_of_what_was_seen_live_gives_the_same_digests() {
    let Some(stage) = Stage::new() else { return };
    let _relay = stage.relay();
    let mut correlator = stage.correlator();
    let mut sentinel = stage.sentinel();
    let mut tcpdump = stage.tcpdump();
    let mut apache = stage.apache();
    let asked = stage.visit();
    apache.end("TERM");
    // The sensor gives out what it holds; tcpdump has its last block filled for up to two seconds.
    std::thread::sleep(Duration::from_millis(500));
    sentinel.end("TERM");
    std::thread::sleep(Duration::from_millis(2300));
    tcpdump.end("TERM");
    correlator.end("TERM");

    let events = stage.path("events.jsonl");
    let dump =
        Command::new(stage.program("ja4-correlator")).args(["--dump", "http", "--spool"]).arg(stage.path("out/spool")).output();
    fs::write(&events, dump.unwrap().stdout).unwrap();
    let logged = fs::read_to_string(&events).unwrap().lines().count();
    assert_eq!(logged, asked, "every request was logged once");

    let (live, fresh, capture) = (stage.path("out/live.duckdb"), stage.path("fresh.duckdb"), stage.path("wire.pcap"));
    let select = "SELECT * FROM ja4_logs.http_logs ORDER BY row_hi, row_lo";
    let rows = |db: &Path| lab_ok(&["sql", "--db", text(db), "--format", "jsonl", select]);
    let seen_live = rows(&live);
    let score = |db: &Path| -> serde_json::Value {
        serde_json::from_str(&lab_ok(&["score", "--db", text(db), "--summary", "json"])).unwrap()
    };
    let scored_live = score(&live);
    let replay = |db: &Path| -> serde_json::Value {
        let arguments = ["replay", text(&capture), "--http-log", text(&events), "--db", text(db), "--skew", "0s"];
        let settings = ["--window", "1s", "--summary", "json"];
        serde_json::from_str(&lab_ok(&[&arguments[..], &settings[..]].concat())).unwrap()
    };
    let replayed = replay(&fresh);
    let again = rows(&fresh);
    for (live, replayed) in seen_live.lines().zip(again.lines()) {
        assert_eq!(live, replayed);
    }
    assert_eq!(seen_live.lines().count(), asked);
    for kind in ["features_digest", "scores_digest"] {
        assert_eq!(scored_live[kind], replayed[kind], "{kind}");
    }
    // The same into the live database: every row is recognised, and all three digests are those of the fresh one.
    let into_live = replay(&live);
    assert_eq!(into_live["rows_added"], 0, "{into_live}");
    assert_eq!(digests(&into_live), digests(&replayed));
    stage.assert_told_apart(&fresh);
    let matched = replayed["matched"].as_u64().unwrap();
    // On a loaded machine a handshake may be told later than the window of a second allows; both ways then miss the same one.
    assert!(matched * 100 >= asked as u64 * 90, "nearly every request has its handshake: {replayed}");
    eprintln!("live equals replay: {asked} requests, rows {}", replayed["rows_digest"]);
}

/// Two connections from one port, each reset at its end so that the port is free at once; then three requests of a strange client.
const CLIENT: &str = r#"
import http.client, socket, ssl, struct, sys, time
server, number = sys.argv[1], sys.argv[2]
context = ssl._create_unverified_context()
for path in ("/reuse1", "/reuse2"):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.bind(("", 40000 + int(number)))
    s.connect((server, 443))
    t = context.wrap_socket(s, server_hostname="www.example")
    t.sendall(f"GET {path}?{number} HTTP/1.1\r\nHost: www.example\r\n\r\n".encode())
    assert t.recv(4096)
    t.close()
# Two sites on one address, from one port within a second, as clients behind one NAT: each offers something else.
for site, alpn in (("www.example", "x-one"), ("other.example", "x-other")):
    offer = ssl._create_unverified_context()
    offer.set_alpn_protocols(["http/1.1", alpn])
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.bind(("", 41000 + int(number)))
    s.connect((server, 443))
    t = offer.wrap_socket(s, server_hostname=site)
    t.sendall(f"GET /site/{site} HTTP/1.1\r\nHost: {site}\r\n\r\n".encode())
    assert t.recv(4096)
    t.close()
    # Longer than the tolerance of the clocks (100 ms), as an address translation that gives a port again would leave it.
    time.sleep(0.25)
# As behind a balancer that speaks the PROXY protocol: its line comes before the ClientHello.
s = socket.create_connection((server, 8443))
s.sendall(f"PROXY TCP4 203.0.113.{number} 10.0.0.1 40000 443\r\n".encode())
t = context.wrap_socket(s, server_hostname="www.example")
t.sendall(b"GET /proxied HTTP/1.1\r\nHost: www.example\r\nConnection: close\r\n\r\n")
assert t.recv(4096).startswith(b"HTTP/1.1 404")
t.close()
c = http.client.HTTPSConnection(server, context=context)
for i in range(3):
    c.request("GET", f"/p%20%22{number}-{i}", headers={"User-Agent": "py \xff \u00fc"})
    c.getresponse().read()
"#;

/// Whole packets with their checksums leave an interface: no segmentation, no checksums left to hardware (ethtool's ioctl).
const NO_OFFLOAD: &str = r#"
import array, fcntl, socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for command in (0x1f, 0x24, 0x17):  # ETHTOOL_STSO, SGSO, STXCSUM
    value = array.array("B", struct.pack("II", command, 0))
    fcntl.ioctl(s, 0x8946, struct.pack("16sP", sys.argv[1].encode(), value.buffer_info()[0]))
"#;

/// Frames from one interface to the other and back, and a socket that makes the kernel stamp packets where they come in.
const RELAY: &str = r#"
import select, socket, sys, time
stamps = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
stamps.setsockopt(socket.SOL_SOCKET, 29, 1)
def wire(name):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
    s.bind((name, 0))
    return s
a, b = wire("ms"), wire("mc")
time.sleep(0.2)
print("relaying", file=sys.stderr, flush=True)
while True:
    for one in select.select([a, b], [], [])[0]:
        frame, origin = one.recvfrom(65536)
        if origin[2] != 4:  # not what we sent ourselves
            try:
                (b if one is a else a).send(frame)
            except OSError:
                pass
"#;

/// Namespaces, folders and programs.
struct Stage {
    folder: tempfile::TempDir,
    server: String,
    middle: String,
    client: String,
    module: PathBuf,
}

impl Stage {
    fn new() -> Option<Self> {
        for (program, argument) in
            [("ip", "-V"), ("tcpdump", "--version"), ("curl", "--version"), ("openssl", "version"), ("apxs", "-h")]
        {
            if Command::new(program).arg(argument).output().is_err() {
                eprintln!("skipped: {program} is not installed");
                return None;
            }
        }
        let beside = Path::new(LAB).parent().unwrap();
        let module =
            [beside.join("libmod_reqin_log.so"), beside.join("deps/libmod_reqin_log.so")].into_iter().find(|path| path.is_file());
        let Some(module) = module.filter(|_| Path::new("/usr/sbin/apache2").exists()) else {
            eprintln!("skipped: apache2 or libmod_reqin_log.so is missing");
            return None;
        };
        for program in ["ja4-sentinel", "ja4-correlator"] {
            if !beside.join(program).is_file() {
                eprintln!("skipped: {program} was not built");
                return None;
            }
        }
        let name = |role: &str| format!("ja4-{role}-{}", std::process::id());
        let folder = tempfile::tempdir().unwrap();
        let stage = Self { folder, server: name("srv"), middle: name("mid"), client: name("cli"), module };
        if !quiet(Command::new("ip").args(["netns", "add", &stage.server])) {
            eprintln!("skipped: no network namespace can be made here (it needs root)");
            return None;
        }
        stage.prepare();
        Some(stage)
    }

    fn prepare(&self) {
        for netns in [&self.middle, &self.client] {
            assert!(quiet(Command::new("ip").args(["netns", "add", netns])));
        }
        let inside = |netns: &str, line: &str| assert!(self.inside(netns, line), "{line}");
        inside(&self.server, &format!("ip link add vs type veth peer name ms netns {}", self.middle));
        inside(&self.client, &format!("ip link add vc type veth peer name mc netns {}", self.middle));
        for interface in ["ms", "mc"] {
            // The relay speaks for others, never for itself.
            inside(
                &self.middle,
                &format!("echo 1 > /proc/sys/net/ipv6/conf/{interface}/disable_ipv6; ip link set {interface} up"),
            );
        }
        for (netns, interface, last) in [(&self.server, "vs", 1), (&self.client, "vc", 2)] {
            inside(netns, &format!("ip addr add 10.213.0.{last}/24 dev {interface}"));
            inside(netns, &format!("ip -6 addr add fd13::{last}/64 dev {interface} nodad"));
            inside(netns, &format!("ip link set {interface} up"));
            inside(netns, "ip link set lo up");
            let offload = self.command(netns, Path::new("python3")).arg("-c").arg(NO_OFFLOAD).arg(interface).output().unwrap();
            assert!(offload.status.success(), "{}", String::from_utf8_lossy(&offload.stderr));
        }
        let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        mode(self.folder.path(), 0o755);
        for (name, bits) in [("run", 0o755), ("out", 0o777), ("www", 0o755)] {
            fs::create_dir(self.path(name)).unwrap();
            mode(&self.path(name), bits);
        }
        for program in ["ja4-sentinel", "ja4-correlator"] {
            fs::copy(Path::new(LAB).with_file_name(program), self.program(program)).unwrap();
        }
        fs::copy(&self.module, self.path("module.so")).unwrap();
        fs::write(self.path("www/index.html"), "hello\n").unwrap();
        fs::write(self.path("www/style.css"), "a{}\n").unwrap();
        fs::write(self.path("www/big.bin"), vec![b'x'; 400_000]).unwrap();
        let key = Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-days",
                "2",
                "-subj",
                "/CN=www.example",
            ])
            .arg("-keyout")
            .arg(self.path("key.pem"))
            .arg("-out")
            .arg(self.path("cert.pem"))
            .output();
        assert!(key.unwrap().status.success());
    }

    /// Each request of two sites on one address and port has the handshake of its own client, and one through the PROXY protocol that of
    /// the client behind it, whose address is told beside the balancer's.
    fn assert_told_apart(&self, db: &Path) {
        let select = "SELECT path, sni, alpn, src_ip, client_ip, match_kind FROM ja4_logs.http_logs
                      WHERE (path LIKE '/site/%' OR path = '/proxied') AND match_kind <> 'no_handshake' ORDER BY path, ts_ns";
        let text = lab_ok(&["sql", "--db", text(db), "--format", "jsonl", select]);
        let rows: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        for row in &rows {
            let (site, alpn) = match row["path"].as_str().unwrap() {
                "/site/www.example" => ("www.example", "http/1.1,x-one"),
                "/site/other.example" => ("other.example", "http/1.1,x-other"),
                _ => {
                    let client = row["client_ip"].as_str().unwrap();
                    assert!(client.starts_with("203.0.113.") && row["src_ip"] == "10.213.0.2", "{row}");
                    ("www.example", "")
                }
            };
            assert!(row["sni"] == site && row["alpn"] == alpn, "{row}");
        }
        let paths: std::collections::BTreeSet<_> = rows.iter().filter_map(|row| row["path"].as_str()).collect();
        assert_eq!(paths.len(), 3, "each kind of visit was joined at least once: {rows:#?}");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn program(&self, name: &str) -> PathBuf {
        self.path(name)
    }

    fn command(&self, netns: &str, program: &Path) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", netns]).arg(program);
        command
    }

    fn inside(&self, netns: &str, line: &str) -> bool {
        quiet(self.command(netns, Path::new("sh")).args(["-c", line]))
    }

    /// Carries frames between client and server. Each becomes a packet of its own, and as long as any socket asks for time stamps the
    /// kernel stamps it where it comes in, once for all listeners. On a plain pair of interfaces TCP's own departure time stands in
    /// the way, and each listener reads the clock itself: two of them differ by a microsecond.
    fn relay(&self) -> Process {
        let mut command = self.command(&self.middle, Path::new("python3"));
        command.arg("-c").arg(RELAY);
        Process::start(&mut command, "relaying")
    }

    fn correlator(&self) -> Process {
        let mut command = Command::new(self.program("ja4-correlator"));
        for (flag, name) in [
            ("--http-socket", "run/http.socket"),
            ("--network-socket", "run/network.socket"),
            ("--spool", "out/spool"),
            ("--store", "out/live.duckdb"),
        ] {
            command.arg(flag).arg(self.path(name));
        }
        command.args(["--http-group", "www-data", "--listen=", "--window-ms", "1000", "--http-delay-ms", "1500"]);
        command.args(["--network-delay-ms", "3000", "--sync-ms", "20"]);
        Process::start(&mut command, "\"ready\"")
    }

    fn sentinel(&self) -> Process {
        let mut command = self.command(&self.server, &self.program("ja4-sentinel"));
        command.args(["-i", "vs", "--bpf", PORTS, "--socket"]).arg(self.path("run/network.socket"));
        Process::start(&mut command, "listening on")
    }

    fn tcpdump(&self) -> Process {
        let mut command = self.command(&self.server, Path::new("tcpdump"));
        command.args(["-Z", "root", "-i", "vs", "--time-stamp-precision=nano", "-w"]).arg(self.path("wire.pcap"));
        command.arg(PORTS);
        Process::start(&mut command, "listening on")
    }

    fn apache(&self) -> Process {
        let config = self.path("httpd.conf");
        fs::write(&config, self.httpd_conf()).unwrap();
        let mut command = self.command(&self.server, Path::new("/usr/sbin/apache2"));
        command.arg("-d").arg(self.folder.path()).arg("-f").arg(&config).arg("-DFOREGROUND");
        // httpd ends its children by signalling its whole process group, which must not be ours.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        Process::start(&mut command, "resuming normal operations")
    }

    fn httpd_conf(&self) -> String {
        let found = Command::new("apxs").args(["-q", "LIBEXECDIR"]).output().unwrap();
        let libexec = String::from_utf8_lossy(&found.stdout).trim().to_owned();
        let load = ["mpm_event", "authz_core", "dir", "ssl", "http2", "remoteip"];
        let load: String = load.iter().map(|name| format!("LoadModule {name}_module {libexec}/mod_{name}.so\n")).collect();
        let dir = text(self.folder.path());
        format!(
            "{load}LoadModule reqin_log_module {dir}/module.so
ServerRoot {dir}
ServerName www.example
PidFile {dir}/httpd.pid
DefaultRuntimeDir {dir}
ErrorLog /dev/stderr
LogLevel notice
User www-data
Group www-data
StartServers 2
KeepAliveTimeout 3
Listen {SERVER}:80
Listen {SERVER}:443
Listen {SERVER}:8443
Listen [{SERVER6}]:443
DocumentRoot {dir}/www
DirectoryIndex index.html
<Directory />
Require all granted
</Directory>
Protocols h2 http/1.1
ReqinLogEnabled On
ReqinLogSocket {dir}/run/http.socket
<VirtualHost {SERVER}:443 [{SERVER6}]:443>
SSLEngine on
SSLCertificateFile {dir}/cert.pem
SSLCertificateKeyFile {dir}/key.pem
</VirtualHost>
<VirtualHost {SERVER}:443>
ServerName other.example
SSLEngine on
SSLCertificateFile {dir}/cert.pem
SSLCertificateKeyFile {dir}/key.pem
</VirtualHost>
<VirtualHost {SERVER}:8443>
ServerName proxied.example
RemoteIPProxyProtocol On
SSLEngine on
SSLCertificateFile {dir}/cert.pem
SSLCertificateKeyFile {dir}/key.pem
</VirtualHost>
"
        )
    }

    /// Visits as clients do; gives the number of requests.
    fn visit(&self) -> usize {
        let mut asked = 0;
        for round in 0..6 {
            // Keep-alive over HTTP/1 and one connection of HTTP/2, both address families, clear text.
            for (options, base) in [
                ("--http1.1 -A Mozilla/5.0", format!("https://{SERVER}")),
                ("--http2 -H 'Accept-Language: en'", format!("https://{SERVER}")),
                ("--http2", format!("https://[{SERVER6}]")),
                ("--http1.1", format!("http://{SERVER}")),
            ] {
                let pages = [format!("/?r={round}"), "/style.css".to_owned(), "/missing".to_owned(), "/big.bin".to_owned()];
                let urls: String = pages.iter().map(|page| format!(" '{base}{page}'")).collect();
                let line = format!(
                    "curl -gsk --max-time 20 --noproxy '*' {options} -o /dev/null -o /dev/null -o /dev/null -o /dev/null {urls}"
                );
                assert!(self.inside(&self.client, &line), "{line}");
                asked += pages.len();
            }
            // The same port twice within a second, and bytes that no browser sends.
            let python = self
                .command(&self.client, Path::new("python3"))
                .arg("-c")
                .arg(CLIENT)
                .args([SERVER, &round.to_string()])
                .output();
            let python = python.unwrap();
            assert!(python.status.success(), "{}", String::from_utf8_lossy(&python.stderr));
            asked += 8;
            std::thread::sleep(Duration::from_millis(700));
        }
        asked
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for name in [&self.server, &self.middle, &self.client] {
            quiet(Command::new("ip").args(["netns", "delete", name]));
        }
    }
}

fn quiet(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// A process that has said that it is ready; ended with the test.
struct Process {
    child: Child,
    name: String,
    said: std::sync::mpsc::Receiver<String>,
}

impl Process {
    #[allow(clippy::disallowed_methods, reason = "waits for a process")]
    fn start(command: &mut Command, ready: &str) -> Self {
        let name = format!("{command:?}");
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, said) = std::sync::mpsc::sync_channel(10_000);
        let stderr = child.stderr.take().unwrap();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let process = Self { child, name, said };
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut before = Vec::new();
        loop {
            let line = process.said.recv_timeout(deadline.saturating_duration_since(Instant::now()));
            match line {
                Ok(line) if line.contains(ready) => return process,
                Ok(line) => before.push(line),
                Err(_) => panic!("{} never said {ready:?}, only {before:#?}", process.name),
            }
        }
    }

    /// Asks it to end and waits.
    fn end(&mut self, signal: &str) {
        assert!(quiet(Command::new("kill").args([&format!("-{signal}"), &self.child.id().to_string()])));
        let status = self.child.wait().unwrap();
        let said: Vec<String> = self.said.try_iter().collect();
        assert!(status.success(), "{}: {status}: {said:#?}", self.name);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
