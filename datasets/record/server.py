"""The server host: certificates, the site's files, Apache and the application behind it, all below one folder.

Promises: Apache's own ServerRoot, nothing under /etc; a CA made for this recording only.
"""
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
APP_PORT = 8000

PROXY = """
ProxyPass /assets/ !
ProxyPass /download/ !
ProxyPass /favicon.ico !
ProxyPass /robots.txt !
ProxyPass /sitemap.xml !
ProxyPass /admin/ !
ProxyPass /staff/ !
ProxyPass / http://127.0.0.1:8000/
"""


MODULE = """
LoadModule reqin_log_module @ROOT@/mod_reqin_log.so
ReqinLogEnabled On
ReqinLogSocket @ROOT@/module.sock
"""


def openssl(*argv: str) -> None:
    subprocess.run(["openssl", *argv], check=True, capture_output=True)


def make_pki(d: Path) -> None:
    d.mkdir(parents=True)
    (d / "ext").write_text("subjectAltName=DNS:shop.example,DNS:www.shop.example,DNS:blog.example,DNS:docs.example,DNS:api.example,IP:10.77.0.10,IP:fd77::10\n"
                           "basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\nkeyUsage=digitalSignature,keyEncipherment\n")
    ec = ["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out"]
    openssl(*ec, str(d / "ca.key"))
    openssl("req", "-x509", "-new", "-key", str(d / "ca.key"), "-days", "90", "-out", str(d / "ca.pem"), "-subj",
            "/O=Recording/CN=Recording CA", "-addext", "basicConstraints=critical,CA:TRUE",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    openssl(*ec, str(d / "site-ec.key"))
    openssl("genrsa", "-out", str(d / "site-rsa.key"), "2048")
    for kind in ("ec", "rsa"):
        openssl("req", "-new", "-key", str(d / f"site-{kind}.key"), "-out", str(d / f"{kind}.csr"), "-subj", "/O=Shop/CN=shop.example")
        openssl("x509", "-req", "-in", str(d / f"{kind}.csr"), "-CA", str(d / "ca.pem"), "-CAkey", str(d / "ca.key"),
                "-CAcreateserial", "-days", "80", "-extfile", str(d / "ext"), "-out", str(d / f"site-{kind}.pem"))
    (d / "ca.pem").chmod(0o644)


def prepare(root: Path, module: Path | None = None) -> Path:
    """Makes everything below `root`; returns the CA file. With `module`, Apache also logs through it."""
    (root / "logs").mkdir(parents=True)
    make_pki(root / "pki")
    subprocess.run([sys.executable, str(HERE / "site/make_site.py"), str(root / "www")], check=True)
    (root / "proxy.conf").write_text(PROXY)
    (root / "staff.htpasswd").write_text("staff:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n")
    text = (HERE / "site/apache.conf").read_text()
    if module:
        shutil.copy(module, root / "mod_reqin_log.so")
        text += MODULE
    (root / "apache.conf").write_text(text.replace("@ROOT@", str(root)).replace("@RECORD@", str(HERE)))
    subprocess.run(["chmod", "-R", "a+rX", str(root)], check=True)
    return root / "pki/ca.pem"


def start(root: Path, ns: str) -> list[subprocess.Popen]:
    inside = ["ip", "netns", "exec", ns]
    procs = []
    if (root / "mod_reqin_log.so").exists():
        # Datagrams that wait for the reader are few by default.
        subprocess.run([*inside, "sysctl", "-qw", "net.unix.max_dgram_qlen=4096"], check=True)
        procs.append(subprocess.Popen([*inside, sys.executable, str(HERE / "collect.py"), str(root / "module.sock"), str(root / "logs/module.jsonl")],
                                      stdout=subprocess.PIPE, text=True))
        procs[0].stdout.readline()
    app = subprocess.Popen([*inside, sys.executable, str(HERE / "site/app.py"), str(APP_PORT)])
    apache = subprocess.Popen([*inside, "/usr/sbin/apache2", "-d", str(root), "-f", str(root / "apache.conf"), "-DFOREGROUND"])
    time.sleep(2)
    if apache.poll() is not None or app.poll() is not None:
        raise SystemExit(f"the server did not start; see {root}/logs/error.log")
    return [apache, app, *procs]
