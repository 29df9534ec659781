"""Drives Falkon (QtWebEngine, an older Chromium) over the DevTools WebSocket, standard library only.
Same interface as cdp.Chromium; needs an X display of its own (Xvfb), started and ended here."""
import base64
import http.client
import json
import os
import select
import socket
import struct
import subprocess
import time

from cdp import Chromium, trust
from webdriver import LOCALES

PORT = 9222


class Falkon(Chromium):
    def __init__(self, profile: str, language: str = "en-US,en", size: tuple[int, int] = (1366, 768), honest: bool = True):
        trust(os.environ["HOME"], os.environ["CA"])
        number = 300 + int(os.environ["NUMBER"])
        log = open(f"{profile}.log", "ab")
        self.x = subprocess.Popen(["Xvfb", f":{number}", "-screen", "0", f"{size[0]}x{size[1]}x24", "-nolisten", "tcp"], stdout=log, stderr=log)
        time.sleep(1)
        env = os.environ | {"DISPLAY": f":{number}", "QT_QPA_PLATFORM": "xcb", "LIBGL_ALWAYS_SOFTWARE": "1", "QTWEBENGINE_DISABLE_SANDBOX": "1",
                            "QTWEBENGINE_REMOTE_DEBUGGING": str(PORT), "LC_ALL": LOCALES[language[:2]],
                            "LOCPATH": os.environ["TOOLS"] + "/locale",
                            "QTWEBENGINE_CHROMIUM_FLAGS": f"--no-sandbox --disable-gpu-compositing --disable-quic --lang={language.split(',')[0]}"}
        self.proc = subprocess.Popen(["falkon", "-e", "about:blank"], stdout=log, stderr=log, env=env)
        end = time.monotonic() + 40
        while True:
            try:
                c = http.client.HTTPConnection("127.0.0.1", PORT, timeout=5)
                c.request("GET", "/json")
                page = next(t for t in json.loads(c.getresponse().read()) if t["type"] == "page")
                break
            except (OSError, StopIteration):
                if time.monotonic() > end:
                    raise
                time.sleep(0.5)
        self.sock = socket.create_connection(("127.0.0.1", PORT), timeout=40)
        key = base64.b64encode(os.urandom(16)).decode()
        self.sock.sendall(f"GET /devtools/page/{page['id']} HTTP/1.1\r\nHost: 127.0.0.1:{PORT}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
        self.buffer = b""
        while b"\r\n\r\n" not in self.buffer:
            self.buffer += self.sock.recv(4096)
        self.buffer = self.buffer.split(b"\r\n\r\n", 1)[1]
        self.n, self.events, self.session = 0, [], None
        self.call("Page.enable")

    def send(self, msg: bytes) -> None:
        mask = os.urandom(4)
        size = bytes([0x80 | len(msg)]) if len(msg) < 126 else b"\xfe" + struct.pack(">H", len(msg))
        self.sock.sendall(b"\x81" + size + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(msg)))

    def receive(self, timeout: float):
        end, text = time.monotonic() + timeout, b""
        while True:
            frame = self.frame(end)
            if frame is None:
                return None
            first, data = frame
            text += data
            if first & 0x80:
                return json.loads(text)

    def frame(self, end: float):
        def need(n: int) -> bool:
            while len(self.buffer) < n:
                if not select.select([self.sock], [], [], max(0, end - time.monotonic()))[0]:
                    return False
                data = self.sock.recv(1 << 16)
                if not data:
                    raise EOFError("browser went away")
                self.buffer += data
            return True
        if not need(2):
            return None
        size, at = self.buffer[1] & 0x7F, 2
        if size == 126:
            if not need(4):
                return None
            size, at = struct.unpack_from(">H", self.buffer, 2)[0], 4
        elif size == 127:
            if not need(10):
                return None
            size, at = struct.unpack_from(">Q", self.buffer, 2)[0], 10
        if not need(at + size):
            return None
        first, data = self.buffer[0], self.buffer[at:at + size]
        self.buffer = self.buffer[at + size:]
        return first, data

    def close(self) -> None:
        self.sock.close()
        for p in (self.proc, self.x):
            p.terminate()
            try:
                p.wait(5)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
