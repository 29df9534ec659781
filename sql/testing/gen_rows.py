"""Synthetic rows of `ja4_logs.http_logs` as Parquet, for the parity, oracle and speed tests.

    python gen_rows.py N OUT.parquet [--seed 7] [--hostile] [--per-session 25]

Promises: exactly the columns of replay/join/src/row.rs in that order; the same seed gives the same rows; about N/25 sessions (N by
`--per-session`) of 1 to some thousands of requests over six hours; about 15 % of the rows have no handshake and 10 % no known headers. With --hostile
a fraction of the rows carries extreme numbers and odd text (what a forged log could hold).
It imitates shapes (bursts, page cascades, rotation), it is no traffic model: never train on it.
"""
import argparse
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from schema import row_columns

PART = 100_000
T0_NS = 1_790_000_000_000_000_000 // 3_600_000_000_000 * 3_600_000_000_000
PAGES = ['/', '/index.html', '/about', '/produit/été', '/a/b/c/d', '/account/login', '/api/v1/items', '/robots.txt', '/.env'] + [f'/item/{i}' for i in range(300)]
ASSETS = [(f'/static/{k}/{i}.{e}', k) for i in range(30) for k, e in (('css', 'css'), ('js', 'js'), ('image', 'png'), ('image', 'WEBP'), ('font', 'woff2'))]
# family, class, share, extensions, ciphers, hello bytes, majors, user agent
CLIENTS = [
    ('chrome', 'browser', 16, 15, 1780, (118, 131), 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/{v}.0.0.0 Safari/537.36'),
    ('firefox', 'browser', 17, 17, 1890, (120, 133), 'Mozilla/5.0 (X11; Linux x86_64; rv:{v}.0) Gecko/20100101 Firefox/{v}.0'),
    ('safari', 'browser', 14, 20, 1540, (16, 18), 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/{v}.0 Safari/605.1.15'),
    ('curl', 'tool', 11, 30, 517, (7, 8), 'curl/{v}.5.0'),
    ('python-requests', 'library', 12, 18, 517, (2, 2), 'python-requests/{v}.31.0'),
    ('', 'none', 10, 13, 240, (-1, -1), ''),
    ('googlebot', 'bot', 13, 16, 520, (2, 2), 'Mozilla/5.0 (compatible; Googlebot/{v}.1; Ünïcode ☃)'),
]


def generate(n, seed, hostile, part, per_session=25):
    """A dict of numpy arrays, one per column; each part has its own addresses."""
    rng = np.random.default_rng([seed, part])
    pick = lambda values, i: np.array(values, dtype=object)[i]
    flag = lambda p: (rng.random(n) < p).astype('int64')
    sessions = max(60, n // per_session)
    n_ip = max(60, sessions * 25 // 60)
    s_ip = rng.zipf(1.35, sessions) % n_ip
    ip_client = rng.choice(len(CLIENTS), n_ip, p=[.34, .16, .12, .12, .14, .04, .08])
    s_client = np.where(rng.random(sessions) < .85, ip_client[s_ip], rng.integers(0, len(CLIENTS), sessions))
    s_lie = rng.random(sessions) < .12                       # a tool that claims Chrome
    s_host = np.where(rng.random(sessions) < .3, rng.integers(0, 12, sessions), s_ip % 12)
    s_brute = rng.random(sessions) < .02                     # guesses passwords
    s_bare = rng.random(sessions) < .15                      # no handshake seen
    s_nohdr = rng.random(sessions) < .10                     # a log without headers
    s_start = rng.integers(0, 6 * 3_600_000, sessions) * 1_000_000
    s_ja4 = rng.integers(0, 60, sessions) * len(CLIENTS) + s_client
    weight = rng.pareto(1.1, sessions) + 1
    size = np.maximum(1, np.round(weight / weight.sum() * n)).astype(int)
    s = np.repeat(np.arange(sessions), size)[:n]
    s = np.sort(np.concatenate([s, rng.integers(0, sessions, n - len(s))]) if len(s) < n else s, kind='stable')
    ip, client = s_ip[s], s_client[s]
    bot = (client > 2) | s_lie[s]
    claimed = np.where(s_lie[s], 0, client)
    bare, nohdr = s_bare[s], s_nohdr[s]
    gap_ms = np.where(bot, rng.normal(500, 15, n).clip(1), rng.exponential(6000, n))
    is_asset = rng.random(n) < np.where(bot, .05, .6)
    gap_ms = np.where(is_asset & ~bot, rng.exponential(60, n), gap_ms)
    gap_ms[rng.random(n) < .03] = 0
    c = np.cumsum(gap_ms)
    first = np.r_[True, s[1:] != s[:-1]]
    ts = T0_NS + s_start[s] + ((c - np.maximum.accumulate(np.where(first, c, 0))) * 1e6).astype('int64')

    out = {}
    put = lambda **k: out.update(k)
    asset = rng.integers(0, len(ASSETS), n)
    page = np.minimum((rng.pareto(.9, n) * 3).astype(int), len(PAGES) - 1)
    brute = s_brute[s] & (rng.random(n) < .95)
    is_asset = is_asset & ~brute
    path = np.where(is_asset, pick([a for a, _ in ASSETS], asset), np.where(brute, '/account/login', pick(PAGES, page)))
    paths, inverse = np.unique(path.astype(str), return_inverse=True)
    by_path = lambda f: np.array([f(p) for p in paths], dtype='int64')[inverse]
    key = lambda f: np.array([f'{i}' for i in f], dtype=object)
    ips = [f'10.{part}.{i >> 8 & 255}.{i & 255}' if i % 11 else f'2001:db8:{part + 1:x}::{i:x}' for i in range(n_ip)]
    conn = (np.arange(n) - np.maximum.accumulate(np.where(first, np.arange(n), 0))) // np.where(bot, 1, 12)
    port = 1024 + (s * 7919 + conn * 31) % 60000
    put(row_hi=rng.integers(-2**62, 2**62, n), row_lo=rng.integers(-2**62, 2**62, n), ts_ns=ts,
        src_ip=pick(ips, ip), src_port=np.where(nohdr & bare, -1, port), dst_ip=pick(['192.0.2.1'], np.zeros(n, int)), dst_port=np.full(n, 443),
        client_ip=pick(ips, ip), server=pick(['web1', 'web2'], s % 2), conn_id=pick([f'c{i}' for i in range(997)], port % 997), request_no=flag(.5))
    method = pick(['GET', 'POST', 'HEAD', 'OPTIONS', 'PUT'], np.where(rng.random(n) < .9, 0, rng.integers(0, 5, n)))
    method = np.where(brute, 'POST', method)
    has_query = rng.random(n) < .2
    status = pick([200, 200, 200, 200, 301, 304, 401, 403, 404, 429, 500, 503], rng.integers(0, 12, n)).astype('int64')
    status = np.where(brute & (rng.random(n) < .9), 401, status)
    h2 = rng.random(n) < np.where(bot, .3, .95)
    put(scheme=pick(['https'], np.zeros(n, int)), method=method, host=pick([f'h{i}.example' for i in range(12)], s_host[s]), path=path,
        query=np.where(has_query, 'a=1&b=2', ''), http_version=np.where(h2, 'HTTP/2.0', 'HTTP/1.1'), status=status,
        request_bytes=rng.integers(80, 2000, n), response_bytes=(rng.pareto(1.2, n) * 800).clip(0, 2e9).astype('int64'),
        duration_us=(rng.gamma(2, 40, n) * 1000).astype('int64'))
    known = ~nohdr
    hdr = lambda p: np.where(known, flag(p), -1)
    text = lambda has, value: np.where(has == 1, value, '')
    accept, lang, enc = hdr(.99), hdr(np.where(bot, .1, .97)), hdr(np.where(bot, .6, .99))
    ref, fetch, hints = hdr(np.where(bot, .1, .7)), hdr(np.where(bot, .02, .93)), hdr(np.where(claimed == 0, np.where(bot, .2, .98), 0.))
    xhr = hdr(.05)
    major = np.array([rng.integers(lo, hi + 1, n) if lo > 0 else np.full(n, -1) for *_, (lo, hi), _ in CLIENTS])[claimed, np.arange(n)]
    agents = {(k, v): CLIENTS[k][6].format(v=v) for k in range(len(CLIENTS)) for v in range(-1, 140)}
    major = np.where(first, major, 0)
    major = major[np.maximum.accumulate(np.where(first, np.arange(n), 0))]
    major = np.where((rng.random(n) < .03) & (major > 8), major - 1, major)
    ua = np.array([agents[k, v] for k, v in zip(claimed.tolist(), major.tolist())], dtype=object)
    ua = np.where(nohdr & (rng.random(n) < .5), '', ua)
    put(headers_known=np.where(known, 2, 0), header_count=np.where(known, np.where(bot, 5, 12) + rng.integers(0, 4, n), -1),
        header_names=np.where(known, 'Host,User-Agent,Accept', ''), header_order=np.where(known, pick([f'{k * 2654435761 % 2**48:012x}' for k in range(40)], (client * 3 + flag(.2)) % 40), ''),
        user_agent=ua, referer=text(ref, 'https://h1.example/'), accept=text(accept, np.where(rng.random(n) < np.where(bot, .9, .3), '*/*', 'text/html,application/xhtml+xml')),
        accept_language=text(lang, np.where(rng.random(n) < .5, 'fr-FR,fr;q=0.9,en;q=0.8', 'en-US')), accept_encoding=text(enc, np.where(bot, 'gzip, deflate', 'gzip, deflate, br, zstd')),
        content_type=np.where(method == 'POST', 'application/x-www-form-urlencoded', ''), origin=np.where(method == 'POST', 'https://h1.example', ''),
        sec_ch_ua=text(hints, '"Chromium";v="130"'), sec_ch_ua_mobile=text(hints, '?0'), sec_ch_ua_platform=text(hints, '"Windows"'),
        sec_fetch_site=text(fetch, 'same-origin'), sec_fetch_mode=text(fetch, np.where(is_asset, 'no-cors', 'navigate')),
        sec_fetch_dest=text(fetch, np.where(is_asset ^ (rng.random(n) < .01), 'image', 'document')), x_requested_with=text(xhr, 'XMLHttpRequest'),
        cookie_bytes=np.where(flag(.4) == 1, rng.integers(10, 900, n), 0), authorization_bytes=np.where(flag(.02) == 1, 40, 0),
        has_user_agent=np.where(known, (ua != '').astype('int64'), -1), has_accept=accept, has_accept_language=lang, has_accept_encoding=enc, has_referer=ref,
        has_cookie=hdr(np.where(bot, .05, .8)), has_origin=hdr(.1), has_sec_fetch=fetch, has_client_hints=hints, has_upgrade_insecure=hdr(np.where(bot, .01, .3)),
        h2=np.where(h2 & (rng.random(n) < .8), pick([f'1:65536;3:{k}|{k}|0|m,a,s,p' for k in range(9)], client), ''))
    is_api, robots = by_path(lambda p: p.startswith('/api')), by_path(lambda p: p == '/robots.txt')
    put(path_depth=by_path(lambda p: p.count('/')), path_bytes=by_path(lambda p: len(p.encode())), query_bytes=np.where(has_query, 7, 0),
        query_params=np.where(has_query, 2, 0), is_asset=is_asset.astype('int64'), asset_kind=np.where(is_asset, pick([k for _, k in ASSETS], asset), ''),
        is_page=((method == 'GET') & ~is_asset & (is_api == 0) & (robots == 0)).astype('int64'), is_api=is_api, is_sensitive=by_path(lambda p: p == '/.env'),
        is_login=by_path(lambda p: 'login' in p), is_robots=robots, ua_bytes=np.array([len(u.encode()) for u in ua.tolist()], dtype='int64'),
        ua_class=np.where(ua == '', 'none', pick([c[1] for c in CLIENTS], claimed)), ua_family=np.where(ua == '', '', pick([c[0] for c in CLIENTS], claimed)),
        ua_major=np.where(ua == '', -1, major), ua_os=np.where(ua == '', '', pick(['windows', 'linux', 'macos', 'other', 'other', '', 'other'], claimed)))
    tls = ~bare
    num = lambda v: np.where(tls, v, -1)
    txt = lambda v: np.where(tls, v, '')
    ja4 = s_ja4[s]
    hello = T0_NS + s_start[s] + conn * 1_000_000_000
    syn = tls & (rng.random(n) < .95)
    put(protocol=txt('tls'), sni=txt(np.where(rng.random(n) < .97, out['host'], '')), alpn=txt(np.where(bot, 'http/1.1', 'h2,http/1.1')), tls_version=num(np.where(client == 4, 771, 772)),
        ja3=txt(key(np.where(client == 0, (s * 131 + conn) % 5003, ja4))), ja4=txt(pick([f't13d{i:04d}h2_{i * 2654435761 % 2**48:012x}_{i * 40503 % 2**48:012x}' for i in range(60 * len(CLIENTS))], ja4)),
        ja4_r=txt('r'), ja4_o=txt(key(conn % 13)), ja4s=txt('t130200_1301_234ea6891581'), ja4t=np.where(syn, pick([f'{w}_2-1-3-1-1-4_1460_{k}' for w in (64240, 65535, 29200) for k in (7, 8)], (ip + flag(.02)) % 6), ''),
        ja4ts=txt(''), ja4l_us=num(rng.integers(100, 90000, n)), hello_ts_ns=num(hello), hello_bytes=num(np.array([c[4] for c in CLIENTS])[client]), hello_segments=num(np.where(client < 3, 2, 1)),
        cipher_count=num(np.array([c[3] for c in CLIENTS])[client]), extension_count=num(np.array([c[2] for c in CLIENTS])[client] + flag(.1)), grease=num((client == 0).astype('int64')),
        resumption=num(flag(np.where(bot, .05, .4))), ech=num((client < 2).astype('int64')), ip_ttl=np.where(syn, np.array([52, 57, 64, 118, 128])[ip % 5] + flag(.02), -1), ip_df=np.where(syn, 1, -1),
        tcp_window=np.where(syn, np.array([65535, 64240, 29200])[ip % 3], -1), tcp_mss=np.where(syn, np.array([1460, 1440, 1400])[ip % 3], -1), tcp_wscale=np.where(syn, np.array([7, 8])[ip % 2], -1),
        tcp_options=np.where(syn, '2-1-3-1-1-4', ''), syn_to_hello_us=np.where(syn, rng.integers(200, 200000, n), -1))
    put(match_kind=np.where(tls, 'exact', 'no_handshake'), match_confidence=np.where(tls, .999, 0.), match_candidates=tls.astype('int64'), hello_to_request_us=num((ts - hello) // 1000), handshake_request_no=num(np.zeros(n, 'int64')))
    put(asn=np.where(ip % 17 == 0, 0, ip % 500), as_name=pick([f'AS name {k}' for k in range(500)], ip % 500), country=pick(['FR', 'DE', 'US', ''], ip % 4), ip_bot=np.where(client == 6, 'googlebot', ''),
        ja4_bot=np.where(tls & (client == 3), 'curl', ''), ja4_browser=np.where(tls & (client < 3), pick([c[0] for c in CLIENTS], client), ''), h2_browser=np.where((out['h2'] != '') & (client < 3), pick([c[0] for c in CLIENTS], client), ''),
        ua_ja4_mismatch=np.where(tls & (client < 4), (claimed != client).astype('int64'), -1), alpn_mismatch=num(flag(np.where(bot, .3, .01))), sni_mismatch=num(flag(.02)),
        h2_mismatch=np.where((out['h2'] != '') & (client < 3), (claimed != client).astype('int64'), -1), hints_mismatch=np.where(known & (claimed == 0), (hints == 0).astype('int64'), -1))
    if hostile:
        bad = np.flatnonzero(rng.random(n) < .001)
        for c in ('response_bytes', 'duration_us', 'header_count', 'ip_ttl', 'tcp_window', 'hello_bytes', 'path_depth', 'ua_major', 'query_params'):
            out[c][rng.permutation(bad)[:len(bad) // 3]] = rng.choice([2**63 - 1, -2**63, 2**31, -2, 10**12])
        odd = ['', "'; DROP TABLE x; --", 'a\u0000b', '\U0001f600', '%', '_', 'x' * 9000, '\u202e', '"', '\\', '\n', ' ', 'NULL', 'é' * 300]
        for c in ('user_agent', 'path', 'host', 'header_order', 'ja4', 'src_ip', 'sec_fetch_dest', 'accept', 'alpn', 'tcp_options', 'method'):
            out[c] = out[c].astype(object)
            out[c][rng.permutation(bad)[:len(bad) // 3]] = odd[rng.integers(0, len(odd))]
    order = rng.permutation(n)
    return {c: out[c][order] for c in out}


def tables(n, seed=7, hostile=False, per_session=25):
    """The rows as Arrow tables whose schema is that of row.rs, at most PART rows each (memory stays flat)."""
    kinds = {'Int': pa.int64(), 'Float': pa.float64(), 'Text': pa.string()}
    columns = row_columns()
    for part, start in enumerate(range(0, n, PART)):
        data = generate(min(PART, n - start), seed, hostile, part, per_session)
        missing = [c for c, _ in columns if c not in data]
        assert not missing and len(data) == len(columns), f'columns differ from row.rs: missing {missing}, extra {set(data) - {c for c, _ in columns}}'
        yield pa.table([pa.array(data[c], kinds[k]) for c, k in columns], names=[c for c, _ in columns])


def write(n, out, seed=7, hostile=False, per_session=25):
    """Writes the rows to a Parquet file; the number of rows."""
    writer, rows = None, 0
    for t in tables(n, seed, hostile, per_session):
        writer = writer or pq.ParquetWriter(out, t.schema)
        writer.write_table(t)
        rows += t.num_rows
    writer.close()
    return rows


def main():
    a = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    a.add_argument('rows', type=int)
    a.add_argument('out')
    a.add_argument('--seed', type=int, default=7)
    a.add_argument('--hostile', action='store_true')
    a.add_argument('--per-session', type=int, default=25, help='requests of a session in the mean')
    o = a.parse_args()
    print(f'{write(o.rows, o.out, o.seed, o.hostile, o.per_session)} rows -> {o.out}')


if __name__ == '__main__':
    main()
