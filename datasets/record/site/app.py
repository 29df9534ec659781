"""The dynamic half of the recorded site: pages, login, search, cart, a JSON API. Listens on the server host's
loopback only, behind Apache's mod_proxy. A wrong password is answered with the form and an error: by the shop
with status 401, by the blog with 200.
"""
import html
import json
import sys
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

PRODUCTS, POSTS = 24, 12
WORDS = ["lamp", "chair", "kettle", "clock", "shelf", "mirror", "basket", "blanket", "stool", "vase", "teapot", "rug"]
USERS = {f"user{i:02d}@shop.example": f"correct-horse-{i:02d}" for i in range(1, 41)}


def name(i: int) -> str:
    return f"{WORDS[i % len(WORDS)].title()} no. {i}"


def layout(title: str, body: str, page: str, extra: str = "") -> str:
    return (f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
            '<link rel="stylesheet" href="/assets/site.css"><link rel="icon" href="/favicon.ico">'
            '<script src="/assets/menu.js"></script><script defer src="/assets/shop.js"></script></head>'
            f'<body data-page="{page}" {extra}><header><img src="/assets/logo.svg" alt="">'
            '<nav><a href="/">Home</a><a href="/catalog?page=1">Catalogue</a><a href="/about">About</a>'
            '<a href="/help">Help</a><a href="/cart">Cart</a><a href="/login">Log in</a>'
            '<a href="https://blog.example/">Blog</a></nav>'
            '<form id="find" action="/search"><input name="q"><button>Search</button></form></header>'
            f'<main><h1>{title}</h1>{body}</main><footer><a href="/download/catalogue.pdf">Catalogue (PDF)</a></footer></body></html>')


def cards(ids) -> str:
    return '<div class="grid">' + "".join(
        f'<div class="card"><a href="/product/{i}"><img src="/assets/p{i}.png" width="120" height="120" alt="">'
        f'<br>{name(i)}</a></div>' for i in ids) + "</div>"


def blog_layout(title: str, body: str) -> str:
    return (f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
            '<link rel="stylesheet" href="/assets/site.css"><link rel="icon" href="/favicon.ico">'
            '<link rel="alternate" type="application/rss+xml" href="/feed.xml">'
            '<script defer src="/assets/blog.js"></script></head><body data-page="blog"><header>'
            '<img src="/assets/logo.svg" alt=""><nav><a href="/">Posts</a><a href="/tag/wood">Wood</a>'
            '<a href="/tag/light">Light</a><a href="https://shop.example/">Shop</a></nav></header>'
            f'<main><h1>{title}</h1>{body}</main></body></html>')


def docs_layout(title: str, body: str) -> str:
    return (f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
            '<link rel="stylesheet" href="/assets/site.css"><link rel="icon" href="/favicon.ico"></head><body data-page="docs">'
            '<header><nav><a href="/">Contents</a><a href="https://shop.example/">Shop</a><a href="https://blog.example/">Blog</a></nav></header>'
            f'<main><h1>{title}</h1>{body}</main></body></html>')


LOGIN = ('<form id="login" method="post" action="/login"><input name="user" type="text"><input name="password" type="password">'
         '<button id="enter">Log in</button></form>')


class App(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status: int, body: str | bytes, kind: str = "text/html; charset=utf-8", **headers: str) -> None:
        data = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", "no-cache")
        for k, v in headers.items():
            self.send_header(k.replace("_", "-"), v)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def json(self, status: int, value) -> None:
        self.answer(status, json.dumps(value), "application/json")

    def not_found(self) -> None:
        self.answer(404, layout("Not found", "<p>There is no such page.</p>", "error"))

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        url = urlsplit(self.path)
        query = {k: v[0] for k, v in parse_qs(url.query).items()}
        if (self.headers.get("Host") or "").startswith("blog."):
            return self.blog(url.path)
        if (self.headers.get("Host") or "").startswith("docs."):
            return self.docs(url.path)
        if (self.headers.get("Host") or "").startswith("api."):
            return self.interface(url.path)
        parts = [p for p in url.path.split("/") if p]
        user = SimpleCookie(self.headers.get("Cookie") or "").get("user")
        match parts:
            case []:
                self.answer(200, layout("The shop", cards(range(1, 7)), "home"), Set_Cookie="visit=1; Path=/; Secure; SameSite=Lax")
            case ["catalog"]:
                page = int(query.get("page", "1")) if query.get("page", "1").isdigit() else 1
                ids = range(page * 6 - 5, min(PRODUCTS, page * 6) + 1)
                more = "".join(f'<a href="/catalog?page={n}">{n}</a> ' for n in range(1, 5))
                self.answer(200, layout(f"Catalogue, page {page}", cards(ids) + more, "catalog"))
            case ["product", i] if i.isdigit() and 1 <= int(i) <= PRODUCTS:
                n = int(i)
                others = [(n * k) % PRODUCTS + 1 for k in (3, 5, 7)]
                self.answer(200, layout(name(n), f'<img src="/assets/p{n}.png" alt=""><article><p>Made to be used every day.</p>'
                            '<p>Ships in two days.</p><p>Read what others say.</p></article><button id="add">Add to cart</button>'
                            f'<div id="reviews"></div><h2>Also seen</h2>{cards(others)}', "product", f'data-id="{n}"'))
            case ["search"]:
                q = query.get("q", "")
                found = [i for i in range(1, PRODUCTS + 1) if q and q.lower() in name(i).lower()]
                self.answer(200, layout(f"Results for “{html.escape(q)}”", cards(found) or "<p>Nothing found.</p>", "search"))
            case ["about"] | ["help"]:
                self.answer(200, layout(parts[0].title(), "<article>" + "<p>A short text that takes a while to read.</p>" * 6 + "</article>", parts[0]))
            case ["cart"]:
                self.answer(200, layout("Cart", cards([2]), "cart"))
            case ["login"]:
                self.answer(200, layout("Log in", LOGIN, "login"))
            case ["account"]:
                if user:
                    self.answer(200, layout("Your account", f"<p>Hello {html.escape(user.value)}</p><a href=\"/logout\">Log out</a>", "account"))
                else:
                    self.answer(302, "", Location="/login")
            case ["logout"]:
                self.answer(303, "", Location="/", Set_Cookie="user=; Path=/; Max-Age=0")
            case ["status"]:
                self.answer(200, "ok\n", "text/plain")
            case ["api", "v1", "products"]:
                self.json(200, [{"id": i, "name": name(i), "price": 9 + i} for i in range(1, PRODUCTS + 1)])
            case ["api", "v1", "products", i] if i.isdigit() and 1 <= int(i) <= PRODUCTS:
                self.json(200, {"id": int(i), "name": name(int(i)), "price": 9 + int(i), "stock": int(i) * 7 % 11})
            case ["api", "v1", "reviews"]:
                self.json(200, {"reviews": ["Good.", "Arrived late.", "As described."]})
            case ["api", "v1", "orders"]:
                self.json(401, {"error": "token required"})
            case _:
                self.not_found()

    def docs(self, path: str) -> None:
        """Ten pages of text with a style sheet and no script."""
        parts = [p for p in path.split("/") if p]
        links = "".join(f'<li><a href="/guide/{i}">Chapter {i}</a></li>' for i in range(1, 11))
        match parts:
            case []:
                self.answer(200, docs_layout("Documentation", f"<ol>{links}</ol>"))
            case ["guide", i] if i.isdigit() and 1 <= int(i) <= 10:
                text = "<p>How a thing is put together, and how it is taken apart.</p>" * 9
                self.answer(200, docs_layout(f"Chapter {i}", f'{text}<a href="/guide/{int(i) % 10 + 1}">Next chapter</a>'))
            case _:
                self.answer(404, docs_layout("Not found", "<p>There is no such chapter.</p>"))

    def interface(self, path: str) -> None:
        """JSON and nothing else; orders want a token."""
        parts = [p for p in path.split("/") if p]
        match parts:
            case []:
                self.json(200, {"products": "/v1/products", "orders": "/v1/orders"})
            case ["v1", "products"]:
                self.json(200, [{"id": i, "name": name(i)} for i in range(1, PRODUCTS + 1)])
            case ["v1", "products", i] if i.isdigit() and 1 <= int(i) <= PRODUCTS:
                self.json(200, {"id": int(i), "name": name(int(i)), "stock": int(i) * 7 % 11})
            case ["v1", "orders"]:
                self.json(401, {"error": "token required"})
            case _:
                self.json(404, {"error": "no such resource"})

    def blog(self, path: str) -> None:
        parts = [p for p in path.split("/") if p]
        match parts:
            case [] | ["tag", _]:
                posts = range(1, POSTS + 1) if not parts else range(1, POSTS + 1, 3)
                body = "".join(f'<article><h2><a href="/post/{i}">How we made {name(i)}</a></h2><time datetime="2026-0{i % 9 + 1}-01">'
                               f'2026</time><p>Some words.</p></article>' for i in posts)
                self.answer(200, blog_layout("The blog", body))
            case ["post", i] if i.isdigit() and 1 <= int(i) <= POSTS:
                n = int(i)
                self.answer(200, blog_layout(f"How we made {name(n)}", f'<img src="/assets/b{n}.png" alt=""><article>'
                            + "<p>A paragraph about the workshop, the wood, and the weather.</p>" * 7
                            + f'<p><a href="https://shop.example/product/{n}">See it in the shop</a> '
                            f'<a href="/post/{n % POSTS + 1}">Next post</a></p></article>'))
            case ["login"]:
                self.answer(200, blog_layout("Log in", LOGIN))
            case ["feed.xml"]:
                items = "".join(f"<item><title>How we made {name(i)}</title><link>https://blog.example/post/{i}</link></item>" for i in range(1, POSTS + 1))
                tag = '"feed-12"'
                if self.headers.get("If-None-Match") == tag:
                    self.answer(304, "", ETag=tag)
                else:
                    self.answer(200, f'<?xml version="1.0"?><rss version="2.0"><channel><title>The blog</title>{items}</channel></rss>',
                                "application/rss+xml", ETag=tag)
            case _:
                self.answer(404, blog_layout("Not found", "<p>There is no such page.</p>"))

    def do_POST(self):
        size = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(min(size, 100_000)).decode("utf-8", "replace")
        path = urlsplit(self.path).path
        if path == "/login" and (self.headers.get("Host") or "").startswith("blog."):
            self.answer(200, blog_layout("Log in", '<p class="error">Wrong user or password.</p>' + LOGIN))
        elif path == "/login":
            form = {k: v[0] for k, v in parse_qs(body).items()}
            user = form.get("user", "")
            if user in USERS and USERS[user] == form.get("password"):
                self.answer(303, "", Location="/account", Set_Cookie=f"user={user}; Path=/; Secure; HttpOnly")
            else:
                self.answer(401, layout("Log in", '<p class="error">Wrong user or password.</p>' + LOGIN, "login"))
        elif path == "/api/v1/cart":
            self.json(200, {"items": 1})
        elif path == "/api/v1/events":
            self.answer(204, "")
        elif path == "/api/v1/orders":
            self.json(401, {"error": "token required"})
        else:
            self.not_found()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


Server(("127.0.0.1", int(sys.argv[1])), App).serve_forever()
