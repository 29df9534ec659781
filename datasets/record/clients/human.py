"""A person with a browser: `human.py chromium|firefox|webkit|falkon`. Reads, scrolls, clicks, searches, logs in, goes
back, leaves and returns. Reading times are shorter than a real person's (median about two seconds) so that the
recording ends; everything is drawn from SEED. A site that answers slowly delays the person, as it should.
"""
import json
import os
import random
import sys
import time

from cdp import Chromium
from falkon import Falkon
from marionette import Firefox
from webdriver import WebKit

BROWSERS = {"chromium": Chromium, "firefox": Firefox, "webkit": WebKit, "falkon": Falkon}
LANGUAGES = ["en-US,en", "en-GB,en", "fr-FR,fr,en-US,en", "de-DE,de,en", "fr,en", "es-ES,es,en", "nl,en-US,en", "pl,en"]
SIZES = [(1366, 768), (1920, 1080), (1536, 864), (1440, 900), (1280, 720)]
SHOP, BLOG = os.environ["SHOP"], os.environ["BLOG"]
DOCS = [os.environ["DOCS"] + "/", os.environ["DOCS"] + "/guide/1"] if "DOCS" in os.environ else []
MARK = """(() => { const all = [...document.querySelectorAll('main a[href], nav a[href]')]
  .filter(a => /^https:/.test(a.href) && !/logout/.test(a.href) && a.href !== location.href);
  document.querySelectorAll('[data-pick]').forEach(e => e.removeAttribute('data-pick'));
  const a = all[Math.floor(%f * all.length)]; if (!a) return null; a.setAttribute('data-pick', '1'); return a.href; })()"""


class Person:
    def __init__(self, kind: str, rnd: random.Random):
        self.kind, self.rnd = kind, rnd
        self.language, self.size = rnd.choice(LANGUAGES), rnd.choice(SIZES)
        self.pace = rnd.uniform(0.7, 1.5)
        self.user = f"user{rnd.randint(1, 40):02d}"
        self.logged_in = False

    def think(self, scale: float = 1.0) -> None:
        time.sleep(min(11.0, max(0.5, self.rnd.lognormvariate(0.7, 0.65) * self.pace * scale)))

    def read(self) -> None:
        self.think(0.6)
        for _ in range(self.rnd.randint(0, 2)):
            self.browser.js(f"scrollBy(0, {self.rnd.randint(150, 500)})")
            self.think(0.4)

    def search(self) -> None:
        self.browser.fill("#find input", self.rnd.choice(["lamp", "chair", "clock", "red rug", "tea pot", "stool", "vase", "mirror"]))
        self.think(0.2)
        self.browser.click("#find button")

    def log_in(self) -> None:
        self.browser.goto(SHOP + "/login") if self.rnd.random() < 0.3 else self.browser.click("nav a[href='/login']")
        self.think(0.5)
        good = "correct-horse-" + self.user[4:]
        tries = [good] if self.rnd.random() < 0.7 else ["correct-hrose-" + self.user[4:], good]
        for password in tries:
            self.browser.fill("#login input[name=user]", self.user + "@shop.example")
            self.browser.fill("#login input[name=password]", password)
            self.think(0.3)
            self.browser.click("#enter")
            self.think(0.5)
        self.logged_in = True

    def step(self) -> None:
        here = self.browser.js("location.href") or ""
        in_shop = "shop.example" in here
        what = self.rnd.choices(["link", "search", "back", "login", "cart"], [62, 12 if in_shop else 0, 11,
                                0 if self.logged_in or not in_shop else 9, 8 if "/product/" in here else 0])[0]
        if what == "search":
            self.search()
        elif what == "back":
            self.browser.back()
        elif what == "login":
            self.log_in()
        elif what == "cart":
            self.browser.click("#add", loads=False)
        elif self.browser.js(MARK % self.rnd.random()):
            self.browser.click("[data-pick]")
        else:
            self.browser.goto(SHOP + "/")
        self.read()

    def visit(self, start: str, steps: int) -> None:
        self.browser = BROWSERS[self.kind](os.environ["HOME"] + "/profile", self.language, self.size)
        try:
            self.browser.goto(start)
            self.read()
            for _ in range(steps):
                try:
                    self.step()
                except (RuntimeError, TimeoutError) as e:
                    print("step:", e, file=sys.stderr)
        finally:
            self.browser.close()


def main() -> None:
    rnd = random.Random(os.environ["SEED"])
    person = Person(sys.argv[1], rnd)
    visits = int(os.environ.get("VISITS") or rnd.choice([1, 2, 2, 3]))
    for n in range(visits):
        start = rnd.choice([SHOP + "/", SHOP + "/", BLOG + "/", f"{SHOP}/product/{rnd.randint(1, 24)}", f"{BLOG}/post/{rnd.randint(1, 12)}",
                            "http://shop.example/", *DOCS])
        person.visit(start, rnd.randint(4, 11))
        if n + 1 < visits:
            time.sleep(rnd.uniform(1, 8))


main()
