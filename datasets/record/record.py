"""Makes one recording: builds the network, starts the server and tcpdump, runs every client of plan.toml from
its own host, and leaves the raw recording in a work folder for label.py and pack.py.

Promises: one client runs on a host at a time, and its start and end are written to runs.csv, so the label of a
connection follows from its address and time alone; everything started is ended and every namespace removed,
also after an error. Usage: record.py WORK TOOLS [--plan FILE] [--module FILE] [--only NAME[,NAME]] (as root)
"""
import argparse
import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
import tomllib
from pathlib import Path

import server
import topology

HERE = Path(__file__).resolve().parent


def version(spec: str, tools: Path) -> str:
    kind, _, name = spec.partition(":")
    def out(*argv):
        return subprocess.run(argv, capture_output=True, text=True).stdout.strip()
    match kind:
        case "deb":
            return out("dpkg-query", "-W", "-f=${Version}", name)
        case "pip" | "pip-niquests":
            code = f"import importlib.metadata as m; print(m.version({name!r}))"
            return out(str(tools / kind.replace("pip", "venv") / "bin/python"), "-c", code)
        case "npm":
            return json.loads((tools / "npm/node_modules" / name / "package.json").read_text())["version"]
        case "node":
            return out("node", "--version").lstrip("v")
        case _:
            return out(str(tools / "venv/bin/python"), "-c", "import platform; print(platform.python_version())")


def read_plan(path: Path) -> dict:
    """A plan; one with a `base` takes clients by name from there, from as many addresses as it says."""
    plan = tomllib.loads(path.read_text())
    if "base" in plan:
        base = read_plan(path.with_name(plan["base"]))
        known = {c["name"]: c for c in base["client"]}
        plan = base | plan | {"client": [known[name] | {"addresses": n} for name, n in plan["addresses"].items()]}
    return plan


class Recording:
    def __init__(self, work: Path, tools: Path, only: set[str], plan: Path, module: Path | None):
        self.work, self.tools, self.module = work, tools, module
        self.plan = read_plan(plan)
        self.rnd = random.Random(self.plan["seed"])
        self.jobs = []
        for c in self.plan["client"]:
            c = self.plan["defaults"] | c
            if only and c["name"] not in only:
                continue
            c["resolved"] = version(c["version"], tools)
            self.jobs += [c | {"seed": f"{c['name']}-{i}"} for i in range(c["addresses"])]
        self.rnd.shuffle(self.jobs)
        self.hosts = topology.clients(self.plan["hosts"], self.rnd, self.plan.get("shared", 0), self.plan.get("few_ports", 0))
        self.idle = list(self.hosts)
        self.room = self.plan["capacity"]
        self.lock = threading.Condition()
        self.runs, self.procs = [], []

    def build(self) -> None:
        topology.down()
        everyone = [topology.server(), *self.hosts]
        for h in everyone:
            topology.make_ns(h)
        wires = [vars(h) | {"tap": f"ja4r{i}"} for i, h in enumerate(everyone)]
        (self.work / "hosts.json").write_text(json.dumps(wires, indent=1))
        cable = subprocess.Popen([sys.executable, str(HERE / "switch.py"), str(self.work / "hosts.json")],
                                 stdout=subprocess.PIPE, text=True)
        self.procs.append(cable)
        if cable.stdout.readline().strip() != "ready":
            raise SystemExit("switch.py did not start")
        os.setpriority(os.PRIO_PROCESS, cable.pid, -15)
        for h, w in zip(everyone, wires):
            topology.configure(h, w["tap"])
        self.ca = server.prepare(self.work / "server", self.module)
        self.procs[:0] = server.start(self.work / "server", topology.SERVER_NS)
        self.dump = subprocess.Popen(
            ["ip", "netns", "exec", topology.SERVER_NS, "tcpdump", "-i", "eth0", "-s", "0", "-B", "65536", "-U", "-n",
             "-Z", "root", "-w", str(self.work / "raw.pcap")], stderr=open(self.work / "tcpdump.txt", "w"))
        time.sleep(1.5)

    def run(self, number: int, job: dict, host: topology.Host) -> None:
        home = self.work / "homes" / f"{number:03d}-{job['name']}"
        home.mkdir(parents=True)
        env = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LANG": "C.UTF-8", "HOME": str(home), "TMPDIR": str(home),
               "C": str(HERE / "clients"), "PY": str(self.tools / "venv/bin/python"), "TOOLS": str(self.tools), "CA": str(self.ca),
               "SHOP": "https://shop.example", "BLOG": "https://blog.example", "SEED": job["seed"], "NUMBER": str(number),
               "SERVER": topology.SERVER4 if host.v4 else f"[{topology.SERVER6}]", "SSLKEYLOGFILE": str(home / "keys.log"),
               "XDG_RUNTIME_DIR": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
        if self.plan.get("sites", 2) == 4:
            env |= {"DOCS": "https://docs.example", "API": "https://api.example"}
        start = time.time_ns()
        try:
            with open(home / "out.txt", "wb") as out:
                p = subprocess.Popen(["ip", "netns", "exec", host.ns, "bash", "-c", job["run"]], cwd=home, env=env,
                                     stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
                try:
                    rc = p.wait(job["seconds"])
                except subprocess.TimeoutExpired:
                    rc = "timeout"
                left = subprocess.run(["ip", "netns", "pids", host.ns], capture_output=True, text=True).stdout.split()
                for pid in left:
                    try:
                        os.kill(int(pid), signal.SIGKILL)
                    except ProcessLookupError:
                        pass
                p.wait()
            time.sleep(0.5)
        finally:
            with self.lock:
                self.runs.append([host.ns, host.v4 or "", host.v6 or "", start, time.time_ns(), job["kind"], job["name"],
                                  job["resolved"], job["class"], rc, *(host.ports or ("", ""))])
                self.idle.append(host)
                self.room += job["weight"]
                self.lock.notify()
        print(f"{time.strftime('%H:%M:%S')} {len(self.runs)}/{len(self.jobs)} {job['name']} {host.v4 or host.v6} -> {rc}", flush=True)

    def drive(self) -> None:
        threads = []
        waiting = list(enumerate(self.jobs))
        while waiting:
            with self.lock:
                pick = waiting[0]  # strictly in the drawn order, so that kinds stay mixed to the end
                own_ports = pick[1]["name"] in self.plan.get("own_ports", [])
                fits = [h for h in self.idle if (pick[1]["family"] != "v4" or h.v4) and not (own_ports and h.ports)]
                if pick[1]["weight"] > self.room or not fits:
                    self.lock.wait(5)
                    continue
                host = self.rnd.choice(fits)
                self.idle.remove(host)
                self.room -= pick[1]["weight"]
            waiting.pop(0)
            t = threading.Thread(target=self.run, args=(*pick, host), daemon=True)
            t.start()
            threads.append(t)
            time.sleep(0.5)
        for t in threads:
            t.join()

    def finish(self) -> None:
        time.sleep(6)  # the server's last keep-alive closes
        self.dump.send_signal(signal.SIGINT)
        self.dump.wait(20)
        for p in self.procs:
            p.terminate()
            try:
                p.wait(10)
            except subprocess.TimeoutExpired:
                p.kill()
        with open(self.work / "runs.csv", "w", newline="") as f:
            w = csv.writer(f)
            w.writerow("ns v4 v6 start_ns end_ns client_kind client_name client_version class exit first_port last_port".split())
            w.writerows(self.runs)
        with open(self.work / "keys.log", "wb") as out:
            for f in sorted((self.work / "homes").glob("*/keys.log")):
                out.write(f.read_bytes())


def main() -> None:
    a = argparse.ArgumentParser()
    a.add_argument("work", type=Path)
    a.add_argument("tools", type=Path)
    a.add_argument("--plan", type=Path, default=HERE / "plan.toml")
    a.add_argument("--module", type=Path, help="mod_reqin_log.so: Apache also logs through it")
    a.add_argument("--only", default="")
    args = a.parse_args()
    if os.geteuid():
        raise SystemExit("must be root: it builds network namespaces")
    work = args.work.resolve()
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    r = Recording(work, args.tools.resolve(), set(filter(None, args.only.split(","))), args.plan,
                  args.module.resolve() if args.module else None)
    try:
        r.build()
        r.drive()
        r.finish()
    finally:
        topology.down()  # also kills whatever still runs in a namespace
        for p in r.procs:
            p.kill()


main()
