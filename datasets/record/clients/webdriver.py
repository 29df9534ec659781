"""Drives WebKitGTK's MiniBrowser over the W3C WebDriver protocol. Same small interface as cdp.Chromium.

Needs an X display of its own (Xvfb), started and ended here.
"""
import http.client
import json
import os
import subprocess
import time

LOCALES = {"en": "en_US.UTF-8", "fr": "fr_FR.UTF-8", "de": "de_DE.UTF-8", "es": "es_ES.UTF-8", "nl": "nl_NL.UTF-8", "pl": "pl_PL.UTF-8"}


class WebKit:
    def __init__(self, profile: str, language: str = "en-US,en", size: tuple[int, int] = (1366, 768), honest: bool = True):
        os.makedirs(profile, exist_ok=True)
        number = 100 + int(os.environ["NUMBER"])
        log = open(f"{profile}.log", "ab")
        self.x = subprocess.Popen(["Xvfb", f":{number}", "-screen", "0", f"{size[0]}x{size[1]}x24", "-nolisten", "tcp"], stdout=log, stderr=log)
        env = os.environ | {"DISPLAY": f":{number}", "WEBKIT_DISABLE_COMPOSITING_MODE": "1", "LIBGL_ALWAYS_SOFTWARE": "1",
                            "LANGUAGE": ":".join(language.replace("-", "_").split(",")),
                            "LC_ALL": LOCALES[language[:2]], "LOCPATH": os.environ["TOOLS"] + "/locale", "WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS": "1"}
        self.driver = subprocess.Popen(["WebKitWebDriver", "--port=4455"], stdout=log, stderr=log, env=env)
        time.sleep(2)
        minibrowser = "/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser"
        if not os.path.exists(minibrowser):
            minibrowser = minibrowser.replace("4.1", "4.0")
        self.path = "/session"
        got = self.call("POST", "", {"capabilities": {"alwaysMatch": {
            "acceptInsecureCerts": True,
            "webkitgtk:browserOptions": {"binary": minibrowser, "args": ["--automation"]}}}})
        self.path = "/session/" + got["sessionId"]
        self.depth = 0

    def call(self, method: str, what: str, body=None):
        c = http.client.HTTPConnection("127.0.0.1", 4455, timeout=60)
        c.request(method, self.path + what, json.dumps(body) if body is not None else None, {"Content-Type": "application/json"})
        got = json.loads(c.getresponse().read())["value"]
        if isinstance(got, dict) and "error" in got:
            raise RuntimeError(f"{what}: {got['error']}: {got.get('message')}")
        return got

    def goto(self, url: str) -> None:
        self.call("POST", "/url", {"url": url})
        self.depth += 1

    def js(self, code: str):
        return self.call("POST", "/execute/sync", {"script": "return " + code, "args": []})

    def find(self, selector: str) -> str:
        return next(iter(self.call("POST", "/element", {"using": "css selector", "value": selector}).values()))

    def click(self, selector: str, loads: bool = True) -> bool:
        try:
            self.call("POST", f"/element/{self.find(selector)}/click", {})
        except RuntimeError:
            return False
        self.depth += loads
        time.sleep(0.5)
        return True

    def fill(self, selector: str, text: str) -> None:
        self.call("POST", f"/element/{self.find(selector)}/value", {"text": text})

    def back(self) -> None:
        if self.depth > 1:
            self.call("POST", "/back", {})
            self.depth -= 1

    def close(self) -> None:
        try:
            self.call("DELETE", "")
        except Exception:
            pass
        for p in (self.driver, self.x):
            p.terminate()
            p.wait()
