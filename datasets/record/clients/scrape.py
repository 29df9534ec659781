"""An automated browser that does not hide: `scrape.py chromium|firefox`. Opens page after page from the sitemap
without reading, in HeadlessChrome's own name."""
import os
import random
import re
import sys
import time

from cdp import Chromium
from marionette import Firefox

rnd = random.Random(os.environ["SEED"])
browser = {"chromium": Chromium, "firefox": Firefox}[sys.argv[1]](os.environ["HOME"] + "/profile", honest=True)
try:
    browser.goto(os.environ["SHOP"] + "/")
    pages = [os.environ["SHOP"] + p for p in [f"/product/{i}" for i in range(1, 25)] + [f"/catalog?page={i}" for i in range(1, 5)]]
    rnd.shuffle(pages)
    for page in pages[:rnd.randint(14, 24)]:
        browser.goto(page)
        re.findall(r"price", browser.js("document.body.innerHTML") or "")
        time.sleep(rnd.uniform(0.0, 0.25))
finally:
    browser.close()
