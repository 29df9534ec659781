"""Drives Firefox ESR over Marionette with the standard library alone. Same small interface as cdp.Chromium."""
import json
import os
import socket
import subprocess
import time

PREFS = {
    "toolkit.telemetry.enabled": False, "toolkit.telemetry.unified": False, "toolkit.telemetry.server": "",
    "datareporting.healthreport.uploadEnabled": False, "datareporting.policy.dataSubmissionEnabled": False,
    "app.normandy.enabled": False, "app.update.enabled": False, "app.update.auto": False, "browser.search.update": False,
    "browser.shell.checkDefaultBrowser": False, "extensions.update.enabled": False, "extensions.systemAddon.update.enabled": False,
    "extensions.getAddons.cache.enabled": False, "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False, "network.dns.disablePrefetch": True, "network.trr.mode": 5,
    "browser.safebrowsing.malware.enabled": False, "browser.safebrowsing.phishing.enabled": False,
    "browser.safebrowsing.downloads.enabled": False, "browser.safebrowsing.provider.google4.updateURL": "",
    "browser.newtabpage.enabled": False, "browser.startup.page": 0, "browser.startup.homepage": "about:blank",
    "browser.aboutHomeSnippets.updateUrl": "", "browser.region.network.url": "", "services.settings.server": "",
    "geo.enabled": False, "dom.push.enabled": False, "media.gmp-manager.updateEnabled": False, "network.http.http3.enable": False,
    "security.OCSP.enabled": 0, "security.remote_settings.crlite_filters.enabled": False, "browser.discovery.enabled": False,
    "browser.ping-centre.telemetry": False, "messaging-system.rsexperimentloader.enabled": False,
    "datareporting.policy.firstRunURL": "", "browser.tabs.remote.autostart": True, "signon.rememberSignons": False,
}


class Firefox:
    def __init__(self, profile: str, language: str = "en-US,en", size: tuple[int, int] = (1366, 768), honest: bool = True):
        os.makedirs(profile, exist_ok=True)
        port = 2828
        prefs = PREFS | {"intl.accept_languages": language, "marionette.port": port}
        with open(f"{profile}/user.js", "w") as f:
            f.writelines(f"user_pref({json.dumps(k)}, {json.dumps(v)});\n" for k, v in prefs.items())
        if not os.path.exists(f"{profile}/cert9.db"):
            subprocess.run(["certutil", "-N", "-d", f"sql:{profile}", "--empty-password"], check=True)
            subprocess.run(["certutil", "-A", "-d", f"sql:{profile}", "-n", "rec", "-t", "C,,", "-i", os.environ["CA"]], check=True)
        log = open(f"{profile}.log", "ab")
        self.proc = subprocess.Popen(["firefox-esr", "--headless", "--marionette", "--no-remote", "--profile", profile,
                                      "--width", str(size[0]), "--height", str(size[1]), "about:blank"], stdout=log, stderr=log,
                                     env=os.environ | {"MOZ_HEADLESS_WIDTH": str(size[0]), "MOZ_HEADLESS_HEIGHT": str(size[1])})
        end = time.monotonic() + 60
        while True:
            try:
                self.sock = socket.create_connection(("127.0.0.1", port), timeout=60)
                break
            except OSError:
                if time.monotonic() > end or self.proc.poll() is not None:
                    raise
                time.sleep(0.3)
        self.buffer, self.n, self.depth = b"", 0, 0
        self.receive()
        self.call("WebDriver:NewSession", capabilities={"alwaysMatch": {"pageLoadStrategy": "normal"}})
        self.call("WebDriver:SetTimeouts", pageLoad=25000)

    def receive(self):
        while b":" not in self.buffer:
            self.more()
        size, rest = self.buffer.split(b":", 1)
        while len(rest) < int(size):
            self.more()
            rest = self.buffer.split(b":", 1)[1]
        self.buffer = rest[int(size):]
        return json.loads(rest[:int(size)])

    def more(self) -> None:
        data = self.sock.recv(65536)
        if not data:
            raise EOFError("browser went away")
        self.buffer += data

    def call(self, command: str, **params):
        self.n += 1
        msg = json.dumps([0, self.n, command, params]).encode()
        self.sock.sendall(str(len(msg)).encode() + b":" + msg)
        while True:
            got = self.receive()
            if got[0] == 1 and got[1] == self.n:
                if got[2]:
                    raise RuntimeError(f"{command}: {got[2]}")
                return got[3]

    def goto(self, url: str) -> None:
        self.call("WebDriver:Navigate", url=url)
        self.depth += 1

    def js(self, code: str):
        return self.call("WebDriver:ExecuteScript", script="return " + code, args=[])["value"]

    def find(self, selector: str):
        return next(iter(self.call("WebDriver:FindElement", using="css selector", value=selector)["value"].values()))

    def click(self, selector: str, loads: bool = True) -> bool:
        try:
            self.call("WebDriver:ElementClick", id=self.find(selector))
        except RuntimeError:
            return False
        self.depth += loads
        time.sleep(0.3)
        return True

    def fill(self, selector: str, text: str) -> None:
        self.call("WebDriver:ElementSendKeys", id=self.find(selector), text=text)

    def back(self) -> None:
        if self.depth > 1:
            self.call("WebDriver:Back")
            self.depth -= 1

    def close(self) -> None:
        try:
            self.call("Marionette:Quit", flags=["eForceQuit"])
            self.proc.wait(10)
        except Exception:
            self.proc.kill()
        self.proc.wait()
