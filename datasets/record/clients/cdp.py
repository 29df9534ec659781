"""Drives Chromium over the DevTools pipe with the standard library alone, so that no automation library
changes what the browser sends. Offers the small `Browser` interface that human.py and scrape.py use.
"""
import json
import os
import select
import subprocess
import time

FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-default-apps", "--disable-extensions", "--metrics-recording-only", "--no-default-browser-check",
         "--disable-dev-shm-usage", "--disable-domain-reliability", "--no-pings", "--disable-client-side-phishing-detection",
         "--disable-features=OptimizationHints,MediaRouter,Translate,DialMediaRouteProvider",
         "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE shop.example , EXCLUDE www.shop.example , EXCLUDE blog.example"]


def trust(home: str, ca: str) -> None:
    for db in (f"{home}/.pki/nssdb", f"{home}/.local/share/pki/nssdb"):
        if os.path.exists(db):  # the second visit of the same person
            continue
        os.makedirs(db)
        subprocess.run(["certutil", "-N", "-d", f"sql:{db}", "--empty-password"], check=True)
        subprocess.run(["certutil", "-A", "-d", f"sql:{db}", "-n", "rec", "-t", "C,,", "-i", ca], check=True)


class Chromium:
    """`honest=False` gives the User-Agent and client hints of the same browser with a screen."""

    def __init__(self, profile: str, language: str = "en-US,en", size: tuple[int, int] = (1366, 768), honest: bool = False):
        trust(os.environ["HOME"], os.environ["CA"])
        to_r, self.w = os.pipe()
        self.r, from_w = os.pipe()
        log = open(f"{profile}.log", "ab")
        cmd = ["bash", "-c", f'exec /usr/lib/chromium/chromium "$@" 3<&{to_r} 4>&{from_w}', "chromium", *FLAGS,
               f"--user-data-dir={profile}", f"--window-size={size[0]},{size[1]}", f"--accept-lang={language}",
               "--remote-debugging-pipe", "about:blank"]
        self.proc = subprocess.Popen(cmd, pass_fds=(to_r, from_w), stdout=log, stderr=log)
        os.close(to_r)
        os.close(from_w)
        self.buffer, self.n, self.events, self.session = b"", 0, [], None
        targets = self.call("Target.getTargets")["targetInfos"]
        page = next(t["targetId"] for t in targets if t["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        self.call("Page.enable")
        if not honest:
            self.wear_ordinary_name()

    def wear_ordinary_name(self) -> None:
        self.goto("chrome://version/")
        seen = json.loads(self.js("navigator.userAgentData.getHighEntropyValues(['architecture','bitness','fullVersionList',"
                                  "'platformVersion']).then(v => JSON.stringify({ua: navigator.userAgent, v}))"))
        ua = seen["ua"].replace("HeadlessChrome", "Chrome")

        def ordinary(brands):
            return [{"brand": b["brand"].replace("HeadlessChrome", "Google Chrome"), "version": b["version"]} for b in brands]
        v = seen["v"]
        self.call("Emulation.setUserAgentOverride", userAgent=ua, userAgentMetadata={
            "brands": ordinary(v["brands"]), "fullVersionList": ordinary(v["fullVersionList"]), "platform": "Linux",
            "platformVersion": v.get("platformVersion") or "6.1.0", "architecture": v.get("architecture") or "x86",
            "model": "", "mobile": False, "bitness": "64", "wow64": False})
        self.goto("about:blank")

    def call(self, method: str, timeout: float = 40, **params):
        self.n += 1
        msg = {"id": self.n, "method": method, "params": params}
        if self.session:
            msg["sessionId"] = self.session
        self.send(json.dumps(msg).encode())
        end = time.monotonic() + timeout
        while True:
            got = self.receive(end - time.monotonic())
            if got is None:
                raise TimeoutError(method)
            if got.get("id") == self.n:
                if "error" in got:
                    raise RuntimeError(f"{method}: {got['error']}")
                return got["result"]
            self.events.append(got)

    def send(self, msg: bytes) -> None:
        os.write(self.w, msg + b"\0")

    def receive(self, timeout: float):
        end = time.monotonic() + timeout
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.r], [], [], max(0, end - time.monotonic()))
            if not ready:
                return None
            data = os.read(self.r, 1 << 20)
            if not data:
                raise EOFError("browser went away")
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(line)

    def wait_loaded(self, timeout: float = 25) -> None:
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if any(e.get("method") == "Page.loadEventFired" for e in self.events):
                break
            got = self.receive(end - time.monotonic())
            if got:
                self.events.append(got)
        self.events.clear()

    def goto(self, url: str) -> None:
        self.events.clear()
        self.call("Page.navigate", url=url)
        self.wait_loaded()

    def js(self, code: str):
        return self.call("Runtime.evaluate", expression=code, awaitPromise=True, returnByValue=True,
                         userGesture=False)["result"].get("value")

    def click(self, selector: str, loads: bool = True) -> bool:
        spot = self.js(f"(() => {{ const e = document.querySelector({json.dumps(selector)}); if (!e) return null;"
                       "e.scrollIntoView({block:'center'}); const r = e.getBoundingClientRect();"
                       "return [r.x + r.width/2, r.y + r.height/2]; })()")
        if not spot:
            return False
        self.events.clear()
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=spot[0], y=spot[1], button="left", clickCount=1)
        if loads:
            self.wait_loaded()
        return True

    def fill(self, selector: str, text: str) -> None:
        self.js(f"document.querySelector({json.dumps(selector)}).focus()")
        for c in text:
            self.call("Input.insertText", text=c)
            time.sleep(0.04)

    def back(self) -> None:
        h = self.call("Page.getNavigationHistory")
        if h["currentIndex"] > 1:
            self.events.clear()
            self.call("Page.navigateToHistoryEntry", entryId=h["entries"][h["currentIndex"] - 1]["id"])
            self.wait_loaded(8)

    def close(self) -> None:
        try:
            self.session = None
            self.call("Browser.close", timeout=5)
            self.proc.wait(8)
        except Exception:
            self.proc.kill()
        self.proc.wait()
