//! A real httpd in a temporary directory: configuration, start, graceful restart, stop, ErrorLog.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::client::{output, spawn};

/// Multi-processing modules of httpd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mpm {
    Prefork,
    Worker,
    Event,
}

pub const ALL_MPMS: [Mpm; 3] = [Mpm::Prefork, Mpm::Worker, Mpm::Event];

impl Mpm {
    fn name(self) -> &'static str {
        match self {
            Self::Prefork => "prefork",
            Self::Worker => "worker",
            Self::Event => "event",
        }
    }
}

/// What a test adds to the standard configuration.
#[derive(Default)]
pub struct Extra<'a> {
    /// Lines of the main server; `{dir}` and `{port}` (a third free port) are filled in.
    pub config: &'a str,
    /// One child process only.
    pub single_child: bool,
}

pub struct Apache {
    pub dir: PathBuf,
    /// Clear text, TLS, and one for the test's own virtual host.
    pub http: u16,
    pub https: u16,
    pub port: u16,
    process: Child,
    _dir: tempfile::TempDir,
}

/// `true` if the machine has everything; otherwise says what is missing.
pub fn available() -> bool {
    if !cfg!(httpd_headers) {
        println!("SKIPPED: the module was built without httpd's headers (Debian: apache2-dev, libclang-dev)");
        return false;
    }
    for (program, argument) in [(apache2().as_str(), "-v"), ("curl", "--version"), ("openssl", "version")] {
        if output(Command::new(program).arg(argument)).is_err() {
            println!("SKIPPED: {program} is not installed");
            return false;
        }
    }
    true
}

impl Apache {
    pub fn start(mpm: Mpm, extra: &Extra<'_>) -> Self {
        let (temporary, config) = Self::configure(mpm, extra);
        let dir = temporary.path().to_owned();
        let [http, https, port] = config.ports;
        let mut command = Command::new(apache2());
        // httpd ends its children by signalling its whole process group, which must not be ours.
        command.args(["-d", path(&dir), "-f", path(&config.file), "-DFOREGROUND"]).stdin(Stdio::null()).process_group(0);
        let process = spawn(&mut command).expect("apache2 starts");
        let mut apache = Self { dir, http, https, port, process, _dir: temporary };
        let deadline = Instant::now() + Duration::from_secs(15);
        // Listening comes before the signal handlers: a restart before that line would end the server.
        while !apache.error_log().contains("resuming normal operations") {
            let ended = apache.process.try_wait().expect("a child of ours");
            assert!(ended.is_none() && Instant::now() < deadline, "apache2 did not start:\n{}", apache.error_log());
            std::thread::sleep(Duration::from_millis(10));
        }
        apache
    }

    /// `apache2 -t`: whether the configuration is accepted, and what is printed.
    pub fn check(extra: &Extra<'_>) -> (bool, String) {
        let (temporary, config) = Self::configure(Mpm::Event, extra);
        let arguments = ["-t", "-d", path(temporary.path()), "-f", path(&config.file)];
        let run = output(Command::new(apache2()).args(arguments)).expect("apache2 runs");
        (run.status.success(), String::from_utf8_lossy(&run.stderr).into_owned())
    }

    pub fn socket(&self) -> PathBuf {
        self.dir.join("http.socket")
    }

    pub fn error_log(&self) -> String {
        fs::read_to_string(self.dir.join("error.log")).unwrap_or_default()
    }

    /// Restarts gracefully and waits until the new generation runs.
    pub fn restart_gracefully(&self) {
        let runs = || self.error_log().matches("resuming normal operations").count();
        let before = runs();
        self.signal("USR1");
        let deadline = Instant::now() + Duration::from_secs(10);
        while runs() == before {
            assert!(Instant::now() < deadline, "the graceful restart did not finish:\n{}", self.error_log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Stops the server and gives its whole ErrorLog.
    pub fn stop(mut self) -> String {
        self.signal("TERM");
        self.process.wait().expect("apache2 ends");
        self.error_log()
    }

    fn signal(&self, name: &str) {
        output(Command::new("kill").args([&format!("-{name}"), &self.process.id().to_string()])).expect("kill runs");
    }

    fn configure(mpm: Mpm, extra: &Extra<'_>) -> (tempfile::TempDir, Config) {
        let temporary = tempfile::Builder::new().prefix("reqin-").tempdir().expect("a temporary directory");
        let dir = temporary.path();
        // httpd's children run as another user when the test runs as root.
        fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).expect("our directory");
        fs::create_dir(dir.join("www")).expect("our directory");
        fs::write(dir.join("www/index.html"), "hello\n").expect("our directory");
        fs::write(dir.join("www/big.bin"), vec![b'x'; 300_000]).expect("our directory");
        certificate(dir);
        let ports = free_ports();
        let text = text(mpm, dir, ports, extra);
        let file = dir.join("httpd.conf");
        fs::write(&file, text).expect("our directory");
        (temporary, Config { file, ports })
    }
}

impl Drop for Apache {
    fn drop(&mut self) {
        if self.process.try_wait().ok().flatten().is_none() {
            self.signal("TERM");
            let _ = self.process.wait();
        }
    }
}

struct Config {
    file: PathBuf,
    ports: [u16; 3],
}

fn text(mpm: Mpm, dir: &Path, [http, https, port]: [u16; 3], extra: &Extra<'_>) -> String {
    let libexec = output(Command::new("apxs").args(["-q", "LIBEXECDIR"])).ok().filter(|run| run.status.success());
    let libexec = libexec.map_or("/usr/lib/apache2/modules".into(), |run| String::from_utf8_lossy(&run.stdout).trim().to_owned());
    let mut modules = vec!["authz_core", "dir", "headers", "alias", "remoteip", "ssl"];
    if mpm != Mpm::Prefork {
        modules.push("http2"); // which refuses to run under prefork
    }
    let mpm_name = mpm.name();
    let mut text = format!("LoadModule mpm_{mpm_name}_module {libexec}/mod_mpm_{mpm_name}.so\n");
    for name in modules {
        text += &format!("LoadModule {name}_module {libexec}/mod_{name}.so\n");
    }
    let user = if is_root() { "User www-data\nGroup www-data\n" } else { "" };
    let children = match (mpm, extra.single_child) {
        (Mpm::Prefork, true) => "StartServers 1\nMinSpareServers 1\nMaxSpareServers 1\nServerLimit 1\nMaxRequestWorkers 1\n",
        (Mpm::Prefork, false) => "StartServers 4\nMaxRequestWorkers 20\n",
        (_, true) => {
            "StartServers 1\nServerLimit 1\nThreadsPerChild 16\nMaxRequestWorkers 16\nMinSpareThreads 1\nMaxSpareThreads 16\n"
        }
        (_, false) => "StartServers 2\nThreadsPerChild 8\nMaxRequestWorkers 64\nServerLimit 8\n",
    };
    let module = module();
    let dir = path(dir);
    let config = extra.config.replace("{dir}", dir).replace("{port}", &port.to_string());
    text + &format!(
        "LoadModule reqin_log_module {module}
ServerRoot {dir}
ServerName main.example
PidFile {dir}/httpd.pid
DefaultRuntimeDir {dir}
ErrorLog {dir}/error.log
LogLevel notice
{user}{children}Timeout 10
KeepAliveTimeout 2
MaxKeepAliveRequests 0
Listen 127.0.0.1:{http}
Listen 127.0.0.1:{https}
DocumentRoot {dir}/www
DirectoryIndex index.html
<Directory />
Require all granted
</Directory>
<IfModule http2_module>
Protocols h2 h2c http/1.1
</IfModule>
ReqinLogEnabled On
ReqinLogSocket {dir}/http.socket
{config}
<VirtualHost 127.0.0.1:{https}>
ServerName tls.example
SSLEngine on
SSLCertificateFile {dir}/cert.pem
SSLCertificateKeyFile {dir}/key.pem
</VirtualHost>
"
    )
}

/// The shared object stands beside the test program: `cargo test` builds it because the crate is also an `rlib`.
fn module() -> String {
    let program = std::env::current_exe().expect("the test program has a path");
    let module = program.with_file_name("libmod_reqin_log.so");
    assert!(module.is_file(), "{} is missing: run the tests with cargo test -p mod_reqin_log", module.display());
    path(&module).to_owned()
}

fn certificate(dir: &Path) {
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]);
    command.args(["-subj", "/CN=tls.example", "-keyout", path(&dir.join("key.pem")), "-out", path(&dir.join("cert.pem"))]);
    let run = output(&mut command).expect("openssl runs");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}

fn free_ports() -> [u16; 3] {
    let listeners = [0; 3].map(|port| TcpListener::bind(("127.0.0.1", port)).expect("a free port"));
    listeners.map(|listener| listener.local_addr().expect("bound").port())
}

fn apache2() -> String {
    ["/usr/sbin/apache2", "/usr/sbin/httpd"].into_iter().find(|file| Path::new(file).exists()).unwrap_or("apache2").to_owned()
}

fn is_root() -> bool {
    output(Command::new("id").arg("-u")).is_ok_and(|run| run.stdout == b"0\n")
}

fn path(path: &Path) -> &str {
    path.to_str().expect("the path is UTF-8")
}
