"""Python's HTTP libraries as their users call them: `libs.py NAME`. Each function is one client."""
import asyncio
import sys
import time
import urllib.request

from urls import BLOG, CA, LIES, SHOP, rnd, walk, wrong_login


def pause(a=0.05, b=0.4):
    time.sleep(rnd.uniform(a, b))


def requests_session():
    import requests
    with requests.Session() as s:
        for u in walk():
            s.get(u, verify=CA)
            pause()


def requests_each():
    import requests
    for u in walk():
        requests.get(u, verify=CA)
        pause()


def requests_liar():
    """Says it is a browser; copies its headers, not its handshake."""
    import requests
    with requests.Session() as s:
        s.headers.update({"User-Agent": rnd.choice(LIES), "Accept-Language": "en-US,en;q=0.9", "Upgrade-Insecure-Requests": "1",
                          "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"})
        for u in walk():
            s.get(u, verify=CA, headers={"Referer": SHOP + "/"})
            pause(0.3, 1.2)


def httpx_h2():
    import ssl
    import httpx
    with httpx.Client(http2=True, verify=ssl.create_default_context(cafile=CA), follow_redirects=True) as c:
        for u in walk():
            c.get(u)
            pause()


def aiohttp_fast():
    import aiohttp
    import ssl

    async def go():
        ctx = ssl.create_default_context(cafile=CA)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=6, ssl=ctx)) as s:
            async def one(u):
                async with s.get(u) as r:
                    await r.read()
            await asyncio.gather(*[one(u) for u in walk()])
    asyncio.run(go())


def urllib_each():
    import ssl
    ctx = ssl.create_default_context(cafile=CA)
    for u in walk():
        try:
            urllib.request.urlopen(u, context=ctx).read()
        except urllib.error.HTTPError:
            pass
        pause()


def urllib3_pool():
    import urllib3
    pool = urllib3.PoolManager(ca_certs=CA)
    for u in walk():
        pool.request("GET", u)
        pause()


def pycurl_h2():
    import pycurl
    c = pycurl.Curl()
    c.setopt(pycurl.CAINFO, CA)
    c.setopt(pycurl.WRITEFUNCTION, lambda b: None)
    for u in walk():
        c.setopt(pycurl.URL, u)
        c.perform()
        pause()


def niquests_h2():
    import niquests
    with niquests.Session(disable_http3=True, resolver="system://") as s:
        for u in walk():
            s.get(u, verify=CA)
            pause()


def mechanize_form():
    """A form robot: fills in the search form like a person would, from Python."""
    import mechanize
    b = mechanize.Browser()
    b.set_ca_data(cafile=CA)
    b.set_handle_robots(False)
    for word in ("lamp", "chair", "rug", "vase", "clock", "stool"):
        b.open(SHOP + "/")
        b.select_form(nr=0)
        b["q"] = word
        b.submit()
        pause()


def api_poller():
    """An application that polls the JSON API in the clear and over TLS."""
    import requests
    s = requests.Session()
    s.headers["User-Agent"] = "StockWatcher/2.3"
    for i in range(14):
        s.get(f"{SHOP}/api/v1/products/{rnd.randint(1, 24)}", verify=CA)
        if i % 5 == 4:
            s.post(SHOP + "/api/v1/orders", json={"product": i}, verify=CA)
        if i % 4 == 0:
            s.get(SHOP.replace("https", "http") + "/api/v1/products")
        pause(0.8, 2.2)


# ---- good crawlers -------------------------------------------------------------------------------------------

def polite_crawler():
    """Reads robots.txt, keeps to it and to its delay, says who it is."""
    import re
    import urllib.robotparser
    import requests
    agent = "ExampleSearchBot/1.4 (+https://bot.example/about)"
    s = requests.Session()
    s.headers.update({"User-Agent": agent, "From": "bot@bot.example", "Accept-Encoding": "gzip"})
    site = rnd.choice([SHOP, BLOG])
    rules = urllib.robotparser.RobotFileParser()
    rules.parse(s.get(site + "/robots.txt", verify=CA).text.splitlines())
    pages = re.findall(r"<loc>(.*?)</loc>", s.get(site + "/sitemap.xml", verify=CA).text)
    rnd.shuffle(pages)
    for p in pages[:22]:
        if rules.can_fetch(agent, p):
            s.get(p, verify=CA)
            time.sleep(1)


def feed_reader():
    """Asks for the feed again and again, with the tag it got."""
    import ssl
    ctx, tag = ssl.create_default_context(cafile=CA), None
    for _ in range(7):
        req = urllib.request.Request(BLOG + "/feed.xml", headers={"User-Agent": "FeedReader/3.1 (+https://feeds.example)", "A-IM": "feed"})
        if tag:
            req.add_header("If-None-Match", tag)
        try:
            tag = urllib.request.urlopen(req, context=ctx).headers["ETag"]
        except urllib.error.HTTPError:
            pass
        time.sleep(rnd.uniform(4, 8))


def link_preview():
    """What a chat service does with a pasted link: one page, its picture, gone."""
    import httpx
    import ssl
    for _ in range(6):
        with httpx.Client(http2=True, verify=ssl.create_default_context(cafile=CA), headers={"User-Agent": "ChatPreview/0.9 (link expander; +https://chat.example)"}) as c:
            i = rnd.randint(1, 24)
            c.get(f"{SHOP}/product/{i}")
            c.get(f"{SHOP}/assets/p{i}.png")
        time.sleep(rnd.uniform(2, 6))


# ---- impersonators -------------------------------------------------------------------------------------------

def curl_cffi_as(*names):
    from curl_cffi import requests
    for name in names:
        with requests.Session(impersonate=name, verify=CA) as s:
            for u in walk():
                s.get(u)
                pause(0.1, 0.7)


def tls_client_as(name):
    import tls_client
    s = tls_client.Session(client_identifier=name, random_tls_extension_order=True)
    s.headers.update({"User-Agent": LIES[0], "Accept": "text/html,*/*;q=0.8", "Accept-Language": "en-US,en;q=0.9", "Accept-Encoding": "gzip, deflate, br"})
    for u in walk():
        s.get(u, insecure_skip_verify=True)
        pause(0.1, 0.7)


def rnet_as(name):
    import rnet

    async def go():
        c = rnet.Client(impersonate=getattr(rnet.Impersonate, name), verify=False)
        for u in walk():
            await (await c.get(u)).text()
            await asyncio.sleep(rnd.uniform(0.1, 0.7))
    asyncio.run(go())


def rotation():
    """One address that changes its face every few requests."""
    from curl_cffi import requests
    faces = ["chrome110", "chrome120", "chrome131", "firefox133", "safari17_0", "safari18_0", "edge101", "chrome99", "safari15_5", "chrome124", "safari17_2_ios", "chrome116"]
    rnd.shuffle(faces)
    for face in faces:
        with requests.Session(impersonate=face, verify=CA) as s:
            for u in walk(rnd.randint(3, 6)):
                s.get(u)
                pause(0.2, 0.9)


# ---- against the login form ----------------------------------------------------------------------------------

def stuffing_slow():
    """Stolen pairs, tried slowly, through a library that says it is a browser."""
    import requests
    s = requests.Session()
    s.headers.update({"User-Agent": rnd.choice(LIES), "Accept": "text/html,*/*;q=0.8", "Accept-Language": "en-US,en;q=0.5"})
    for i in range(22):
        if i % 4 == 0:
            s.get(SHOP + "/login", verify=CA)
        s.post(SHOP + "/login", data=wrong_login(i), verify=CA, allow_redirects=False, headers={"Referer": SHOP + "/login", "Origin": SHOP})
        pause(1.0, 3.5)


def stuffing_impersonated():
    from curl_cffi import requests
    face = rnd.choice(["chrome124", "chrome131", "firefox133"])
    for i in range(16):
        with requests.Session(impersonate=face, verify=CA) as s:
            s.get(SHOP + "/login")
            s.post(SHOP + "/login", data=wrong_login(i), allow_redirects=False, headers={"Referer": SHOP + "/login", "Origin": SHOP})
        pause(0.5, 2.0)


def fleet_member():
    """One of several addresses that run the same tool with the same settings on parts of the same catalogue."""
    from curl_cffi import requests
    with requests.Session(impersonate="chrome120", verify=CA) as s:
        for u in walk():
            s.get(u, headers={"Referer": SHOP + "/catalog?page=1"})
            pause(0.6, 1.4)


name, *args = sys.argv[1:]
globals()[name](*args)
