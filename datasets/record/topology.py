"""The recorded network: one server host and many client hosts, each a network namespace.

Promises: no interface of ours exists outside these namespaces, none of them has a default route, and
`down()` removes everything `up()` made. Every host's eth0 is a TAP device whose other end is held by
switch.py, which gives each client its own round-trip time.
"""
import random
import subprocess
from dataclasses import dataclass
from pathlib import Path

PREFIX = "ja4r-"
SERVER_NS = PREFIX + "srv"
SERVER4, SERVER6 = "10.77.0.10", "fd77::10"
NAMES = ["shop.example", "www.shop.example", "blog.example", "docs.example", "api.example"]


@dataclass
class Host:
    ns: str
    mac: str
    v4: str | None
    v6: str | None
    mtu: int
    rtt_ms: float
    jitter_ms: float
    loss: float
    ports: tuple[int, int] | None = None  # the only source ports it may take: behind a shared address, or to meet them again


def server() -> Host:
    return Host(SERVER_NS, "02:77:00:00:00:10", SERVER4, SERVER6, 1500, 0.0, 0.0, 0.0)


def clients(count: int, rnd: random.Random, shared: int = 0, few_ports: int = 0) -> list[Host]:
    """Addresses, round-trip times, MTUs and loss are drawn from one distribution for all client kinds. The first `shared` hosts stand
    three by three behind one IPv4 address, as behind a NAT that keeps ports: switch.py tells them apart by the port alone. The next
    `few_ports` hosts have 48 source ports, so that a port comes again within seconds."""
    hosts, used = [], set()
    for i in range(1, count + 1):
        while (a := (rnd.randint(1, 250), rnd.randint(2, 250))) in used:
            pass
        used.add(a)
        family = rnd.choices(["v4", "dual", "v6"], [6, 2, 2])[0]
        hosts.append(Host(
            ns=f"{PREFIX}c{i:02d}",
            mac=f"02:77:00:01:{a[0]:02x}:{a[1]:02x}",
            v4=f"10.77.{a[0]}.{a[1]}" if family != "v6" else None,
            v6=f"fd77::{a[0]:x}:{rnd.randint(0x100, 0xffff):x}" if family != "v4" else None,
            mtu=rnd.choices([1500, 1492, 1420], [7, 2, 1])[0],
            rtt_ms=round(min(120.0, 4.0 + rnd.lognormvariate(2.7, 0.7)), 1),
            jitter_ms=round(rnd.uniform(0.1, 3.0), 1),
            loss=rnd.choice([0.0, 0.0, 0.0, 0.002, 0.005]),
        ))
    for i, host in enumerate(hosts[:shared]):
        first = hosts[i - i % 3]
        first.v4 = first.v4 or f"10.77.251.{10 + i}"
        host.mac, host.v4, host.v6 = first.mac, first.v4, None
        host.ports = (20000 + 4000 * (i % 3), 23999 + 4000 * (i % 3))
    for host in hosts[shared:shared + few_ports]:
        host.ports = (41000, 41047)
    return hosts


def sh(*argv: str, check: bool = True) -> None:
    subprocess.run(argv, check=check, stdout=subprocess.DEVNULL,
                   stderr=None if check else subprocess.DEVNULL)


def make_ns(h: Host) -> None:
    sh("ip", "netns", "add", h.ns)
    etc = Path("/etc/netns") / h.ns
    etc.mkdir(parents=True, exist_ok=True)
    lines = ["127.0.0.1 localhost", "::1 localhost"]
    for name in NAMES:
        if h.v4:
            lines.append(f"{SERVER4} {name}")
        if h.v6:
            lines.append(f"{SERVER6} {name}")
    (etc / "hosts").write_text("\n".join(lines) + "\n")
    (etc / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    sh("ip", "netns", "exec", h.ns, "sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0",
       "net.ipv6.conf.default.accept_ra=0", "net.ipv6.conf.default.router_solicitations=0")
    sh("ip", "-n", h.ns, "link", "set", "lo", "up")


def configure(h: Host, tap: str) -> None:
    """Moves the TAP into the host, where it becomes eth0."""
    sh("ip", "link", "set", tap, "netns", h.ns)
    sh("ip", "-n", h.ns, "link", "set", tap, "name", "eth0")
    sh("ip", "-n", h.ns, "link", "set", "eth0", "address", h.mac, "mtu", str(h.mtu))
    if not h.v6:
        sh("ip", "netns", "exec", h.ns, "sysctl", "-qw", "net.ipv6.conf.eth0.disable_ipv6=1")
    sh("ip", "-n", h.ns, "link", "set", "eth0", "up")
    if h.ports:
        sh("ip", "netns", "exec", h.ns, "sysctl", "-qw", f"net.ipv4.ip_local_port_range={h.ports[0]} {h.ports[1]}", "net.ipv4.tcp_tw_reuse=1")
    if h.v4:
        sh("ip", "-n", h.ns, "addr", "add", h.v4 + "/16", "dev", "eth0")
    if h.v6:
        sh("ip", "-n", h.ns, "addr", "add", h.v6 + "/64", "dev", "eth0", "nodad")


def down() -> None:
    names = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True).stdout.split()
    for ns in (n for n in names if n.startswith(PREFIX)):
        pids = subprocess.run(["ip", "netns", "pids", ns], capture_output=True, text=True).stdout.split()
        if pids:
            sh("kill", "-9", *pids, check=False)
        sh("ip", "netns", "del", ns, check=False)
        etc = Path("/etc/netns") / ns
        for f in etc.glob("*"):
            f.unlink()
        if etc.exists():
            etc.rmdir()
