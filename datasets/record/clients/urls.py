"""The walk that all simple clients share: which URLs, in which order, how fast. Drawn from SEED."""
import os
import random

SHOP, BLOG = os.environ["SHOP"], os.environ["BLOG"]
CA = os.environ["CA"]
rnd = random.Random(os.environ["SEED"])
LIES = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/154.0.0.0 Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
]


def walk(n: int | None = None) -> list[str]:
    n = n or int(os.environ.get("N", "20"))
    pool = ([f"{SHOP}/product/{i}" for i in range(1, 25)] + [f"{SHOP}/catalog?page={i}" for i in range(1, 5)]
            + [f"{SHOP}/api/v1/products/{i}" for i in range(1, 25)] + [f"{SHOP}/search?q={q}" for q in ("lamp", "rug", "vase")]
            + [f"{BLOG}/post/{i}" for i in range(1, 13)] + [SHOP + "/api/v1/products", BLOG + "/feed.xml", SHOP + "/old-page"])
    if "DOCS" in os.environ:  # a recording with four sites
        docs, api = os.environ["DOCS"], os.environ["API"]
        pool += [f"{docs}/guide/{i}" for i in range(1, 11)] + [f"{api}/v1/products/{i}" for i in range(1, 25)] + [api + "/v1/orders"]
    return [SHOP + "/"] + rnd.sample(pool, min(n - 1, len(pool)))


def wrong_login(i: int) -> dict[str, str]:
    return {"user": f"user{rnd.randint(1, 60):02d}@shop.example",
            "password": rnd.choice(["123456", "password", "qwerty", "letmein", "dragon", "summer2026", "iloveyou"]) + str(i)}


if __name__ == "__main__":  # for shell clients: one URL per line
    print("\n".join(walk()))
