"""Writes the static half of the recorded site (assets, robots.txt, sitemap.xml, a download) below a folder.

Deterministic: the same bytes every time. The web font is noise of the right size and type: a browser asks
for it exactly as for a real one and then falls back.
"""
import random
import struct
import sys
import zlib
from pathlib import Path

PRODUCTS, POSTS = 24, 12


def png(rnd: random.Random, size: int) -> bytes:
    base = [rnd.randint(60, 220) for _ in range(3)]
    rows = b""
    for y in range(size):
        rows += b"\0" + bytes(min(255, max(0, c + (x * y) % 23 + rnd.randint(0, 3))) for x in range(size) for c in base)

    def chunk(tag: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + tag + data + struct.pack(">I", zlib.crc32(tag + data))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b""))


CSS = """body{font-family:Site,sans-serif;margin:0;color:#222;background:url(/assets/paper.svg)}
@font-face{font-family:Site;src:url(/assets/site.woff2) format("woff2")}
header,main,footer{max-width:60rem;margin:auto;padding:1rem}nav a{margin-right:1rem}
.grid{display:grid;grid-template-columns:repeat(3,1fr);gap:1rem}.card{border:1px solid #ccc;padding:.6rem}
article p{line-height:1.6;min-height:8rem}.error{color:#a00}
"""
SHOP_JS = """"use strict";
const page = document.body.dataset.page;
function api(path, body) {
  return fetch("/api/v1/" + path, body
    ? {method: "POST", headers: {"Content-Type": "application/json", "X-Requested-With": "XMLHttpRequest"}, body: JSON.stringify(body)}
    : {headers: {"X-Requested-With": "XMLHttpRequest"}}).then(r => r.json());
}
if (page === "product") {
  const id = document.body.dataset.id;
  api("reviews?product=" + id).then(r => { document.querySelector("#reviews").textContent = r.reviews.join(" / "); });
  document.querySelector("#add").addEventListener("click", () => api("cart", {product: id, n: 1}));
}
let told = false;
addEventListener("scroll", () => { if (!told && scrollY > 200) { told = true; navigator.sendBeacon("/api/v1/events", JSON.stringify({page, y: scrollY})); } });
"""
BLOG_JS = '"use strict";\ndocument.querySelectorAll("time").forEach(t => { t.title = t.dateTime; });\n'
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="{0}" height="{0}"><rect width="{0}" height="{0}" fill="{1}"/><circle cx="50%" cy="50%" r="30%" fill="{2}"/></svg>'


def write(path: Path, data: bytes | str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)


def make(root: Path) -> None:
    rnd = random.Random(4)
    for site in ("shop", "blog"):
        d = root / site
        write(d / "assets/site.css", CSS)
        write(d / "assets/site.woff2", b"wOF2" + rnd.randbytes(2600))
        write(d / "assets/logo.svg", SVG.format(64, "#246", "#fc0"))
        write(d / "assets/paper.svg", SVG.format(16, "#fff", "#fefefe"))
        write(d / "favicon.ico", png(rnd, 16))
    for i in range(1, PRODUCTS + 1):
        write(root / f"shop/assets/p{i}.png", png(rnd, 28))
    for i in range(1, POSTS + 1):
        write(root / f"blog/assets/b{i}.png", png(rnd, 32))
    write(root / "shop/assets/shop.js", SHOP_JS)
    write(root / "shop/assets/menu.js", "document.documentElement.className='js';\n")
    write(root / "blog/assets/blog.js", BLOG_JS)
    write(root / "shop/download/catalogue.pdf", b"%PDF-1.4\n" + (b"% catalogue line of the shop\n" * 700))
    for site, pages in (("shop", ["", "about", "help"] + [f"catalog?page={i}" for i in range(1, 5)]
                         + [f"product/{i}" for i in range(1, PRODUCTS + 1)]),
                        ("blog", [""] + [f"post/{i}" for i in range(1, POSTS + 1)])):
        locs = "".join(f"<url><loc>https://{site}.example/{p}</loc></url>" for p in pages)
        write(root / site / "sitemap.xml",
              f'<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">{locs}</urlset>')
        write(root / site / "robots.txt", "User-agent: *\nDisallow: /admin/\nDisallow: /staff/\nDisallow: /cart\n"
              "Disallow: /account\nDisallow: /search\nCrawl-delay: 1\n"
              f"Sitemap: https://{site}.example/sitemap.xml\n")


if __name__ == "__main__":
    make(Path(sys.argv[1]))
