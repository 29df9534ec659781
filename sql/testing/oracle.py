"""A second implementation of the features in plain Python, held against the view in DuckDB, value by value and bit for bit.

    python oracle.py [N] [--seed 11] [--hostile]

Promises: written from the formulas of features.toml, not from the SQL; one pass over the requests of each session in time order;
compares with ==, no tolerance. Prints the first differences and exits with 1 if there is any, or if fewer than a third of the
features are covered. Read next: parity.py, which holds the two engines against each other.
"""
import argparse
import math
import sys
import tempfile
from collections import Counter, defaultdict

import pyarrow.parquet as pq

import features_doc
import gen_rows
import schema

CAPS = {'request_bytes': 2**36, 'response_bytes': 2**36, 'duration_us': 2**36}
COUNTS = ('header_count', 'path_depth', 'path_bytes', 'query_bytes', 'query_params', 'ua_bytes', 'ua_major', 'hello_bytes', 'hello_segments', 'cipher_count', 'extension_count', 'ip_ttl', 'tcp_window', 'tcp_mss', 'tcp_wscale')


def share(a, b, neutral):
    return a / b if b else float(neutral)


def std(values, neutral):
    n, s, ss = len(values), sum(values), sum(v * v for v in values)
    return math.sqrt(float(n * ss - s * s)) / n if n else float(neutral)


def quantile(values, q, neutral):
    if not values:
        return float(neutral)
    v = sorted(values)
    h = (len(v) - 1) * q
    low = int(h)
    high = min(low + 1, len(v) - 1)
    return v[low] + (h - low) * (v[high] - v[low])


def clog2(c):
    return math.floor(c * math.log2(c) * 1048576 + 0.5)


def clamp(row):
    """Caps of the base view."""
    for c, top in CAPS.items():
        row[c] = min(max(row[c], -1), top)
    for c in COUNTS:
        row[c] = min(max(row[c], -1), 2**20)
    return row


def session_features(rows):
    """Features of one session from its rows in time order."""
    n = len(rows)
    out = {}
    times = [r['ts_ns'] // 1_000_000 for r in rows]
    gaps = [b - a for a, b in zip(times, times[1:])]
    span = times[-1] - times[0]
    count = lambda f: sum(1 for r in rows if f(r))
    known = lambda c, low=0: [r[c] for r in rows if r[c] >= low]
    rate = lambda c, neutral: share(count(lambda r: r[c] == 1), count(lambda r: r[c] >= 0), neutral)
    out.update(hits=n, duration_ms=span, requests_per_minute=n * 60000 / (span + 1000))
    out.update(gap_mean_ms=share(sum(gaps), len(gaps), 5000), gap_std_ms=std(gaps, 5000), gap_median_ms=quantile(gaps, .5, 1000), gap_q875_ms=quantile(gaps, .875, 10000),
               gap_min_ms=min(gaps, default=50), gap_max_ms=max(gaps, default=30000))
    out['gap_cv'] = share(out['gap_std_ms'], out['gap_mean_ms'], 1)
    out['burst_share'] = share(sum(g < 100 for g in gaps), len(gaps), .5)
    out['pause_share'] = share(sum(g >= 10000 for g in gaps), len(gaps), .1)
    out['gap_regular_share'] = share(sum(b >= 50 and abs(b - a) * 10 <= b for a, b in zip(gaps, gaps[1:])), len(gaps) - 1 if len(gaps) > 1 else 0, .1)
    out['active_minutes_share'] = len({t // 60000 for t in times}) / (times[-1] // 60000 - times[0] // 60000 + 1)
    out['night_share'] = count(lambda r: r['ts_ns'] // 1_000_000 % 86_400_000 < 6 * 3_600_000) / n
    paths = Counter(r['path'] for r in rows)
    spread = clog2(n) - sum(map(clog2, paths.values()))
    out.update(paths=len(paths), path_unique_share=len(paths) / n, path_entropy_bits=spread / (n * 2**20), path_top_share=max(paths.values()) / n,
               path_entropy_normal=share(float(spread) * (len(paths) + 1), float(n) * clog2(len(paths) + 1), 0))
    positive = lambda c: [max(r[c], 0) for r in rows]
    out.update(path_depth_mean=sum(positive('path_depth')) / n, path_depth_std=std(positive('path_depth'), 0), path_bytes_mean=sum(positive('path_bytes')) / n, path_bytes_std=std(positive('path_bytes'), 0))
    for c in ('page', 'api', 'asset', 'sensitive', 'robots', 'login'):
        out[c + '_share'] = count(lambda r: r['is_' + c] == 1) / n
    queries = [r for r in rows if r['query_bytes'] > 0]
    out.update(query_share=len(queries) / n, query_bytes_std=std([r['query_bytes'] for r in queries], 0), query_params_mean=share(sum(positive('query_params')), len(queries), 1))
    methods = Counter(r['method'] for r in rows)
    out.update(get_share=methods['GET'] / n, post_share=methods['POST'] / n, head_share=methods['HEAD'] / n, other_method_share=(n - methods['GET'] - methods['POST'] - methods['HEAD']) / n)
    in_class = lambda k: count(lambda r: r['status'] // 100 == k)
    out.update(status_2xx_share=in_class(2) / n, status_3xx_share=(in_class(3) - count(lambda r: r['status'] == 304)) / n, status_304_share=count(lambda r: r['status'] == 304) / n, status_4xx_share=in_class(4) / n,
               status_404_share=count(lambda r: r['status'] == 404) / n, status_denied_share=count(lambda r: r['status'] in (401, 403)) / n, status_429_share=count(lambda r: r['status'] == 429) / n, status_5xx_share=count(lambda r: r['status'] >= 500) / n)
    for c, mean, deviation in (('request_bytes', 700, 200), ('response_bytes', 10000, 20000)):
        out[c + '_mean'], out[c + '_std'] = share(sum(known(c)), len(known(c)), mean), std(known(c), deviation)
    out.update(response_bytes_median=quantile(known('response_bytes'), .5, 3000), duration_median_us=quantile(known('duration_us'), .5, 1000), duration_q875_us=quantile(known('duration_us'), .875, 5000))
    heads = known('header_count')
    out.update(header_count_mean=share(sum(heads), len(heads), 14), header_count_std=std(heads, 1))
    orders = [r['header_order'] for r in rows if r['header_order']]
    out.update(header_orders=len(set(orders)) if orders else 2, header_orders_share=share(len(set(orders)), len(orders), .2))
    for c, neutral in (('accept', 1), ('accept_language', 1), ('accept_encoding', 1), ('referer', .8), ('cookie', .5), ('origin', 0), ('sec_fetch', 1), ('client_hints', .5)):
        out[c + '_rate'] = rate('has_' + c, neutral)
    out['accept_any_share'] = share(count(lambda r: r['accept'] == '*/*'), count(lambda r: r['has_accept'] >= 0), .3)
    out['encoding_br_share'] = share(count(lambda r: 'br' in r['accept_encoding']), count(lambda r: r['has_accept_encoding'] >= 0), 1)
    out['xhr_share'] = count(lambda r: r['x_requested_with']) / n
    says = count(lambda r: r['has_user_agent'] >= 0 or r['ua_bytes'] > 0)
    out.update(ua_browser_share=share(count(lambda r: r['ua_class'] == 'browser'), says, 1), ua_tool_share=share(count(lambda r: r['ua_class'] in ('tool', 'library')), says, 0), user_agents=len({r['user_agent'] for r in rows}))
    for c in ('ua_ja4', 'alpn', 'sni', 'h2', 'hints'):
        out[c + '_mismatch_rate'] = rate(c + '_mismatch', 0)
    out['http2_share'] = count(lambda r: r['http_version'] in ('HTTP/2.0', 'HTTP/3.0')) / n
    out['h2_known_share'] = share(count(lambda r: r['h2_browser']), count(lambda r: r['h2']), 1)
    ttls, windows = known('ip_ttl', 1), known('tcp_window')
    out['ttl_initial'] = next((c for c in (32, 64, 128) if max(ttls) <= c), 255) if ttls else 64
    out.update(ttl_std=std(ttls, 0), tcp_window_mean=share(sum(windows), len(windows), 64240), tcp_window_std=std(windows, 0))
    unknown = lambda c, neutral: neutral if max(r[c] for r in rows) < 0 else max(r[c] for r in rows)
    out.update(tcp_mss=unknown('tcp_mss', 1460), tcp_wscale=unknown('tcp_wscale', 8), tls_ciphers=unknown('cipher_count', 16), tls_extensions=unknown('extension_count', 16), tls_grease=unknown('grease', 1), tls_ech=unknown('ech', 1))
    good = [r['is_page'] == 1 and (200 <= r['status'] < 300 or r['status'] == 304) for r in rows]
    delays = [g for g, was_page, r in zip(gaps, good, rows[1:]) if was_page and r['is_asset'] == 1]
    out.update(page_cascade_share=share(min(len(delays), sum(good)), sum(good), .5), cascade_delay_median_ms=quantile(delays, .5, 200))
    pages = [r for r in rows if r['is_page'] == 1]
    out['page_gap_median_ms'] = quantile([b['ts_ns'] // 1_000_000 - a['ts_ns'] // 1_000_000 for a, b in zip(pages, pages[1:])], .5, 5000)
    linked = [(a, b) for a, b in zip(pages, pages[1:]) if b['referer']]
    origin = lambda r: r['scheme'] + '://' + r['host']
    out['page_referer_follows_share'] = share(sum(b['referer'].startswith(origin(b) + a['path']) for a, b in linked), len(linked), .6)
    out['page_referer_repeat_share'] = share(sum(b['referer'] == a['referer'] for a, b in linked), len(linked), .1)
    out['referer_own_share'] = share(count(lambda r: r['referer'] and (r['referer'] + '/').startswith(origin(r) + '/')), count(lambda r: r['referer']), .9)
    out['fetch_site_none_page_share'] = share(sum(r['sec_fetch_site'] == 'none' for r in pages), sum(r['sec_fetch_site'] != '' for r in pages), .3)
    calls = [r['sec_fetch_dest'] for r in rows if r['is_api'] == 1 and r['sec_fetch_dest']]
    out['api_as_document_share'] = share(calls.count('document'), len(calls), 0)
    loaded = [r['path'] for r in rows if r['is_asset'] == 1 and r['status'] != 304]
    out['asset_repeat_share'] = share(len(loaded) - len(set(loaded)), len(loaded), 0)
    out['assets_per_page'] = share(count(lambda r: r['is_asset'] == 1), count(lambda r: r['is_page'] == 1), 5)
    out['asset_kinds'] = len({r['asset_kind'] for r in rows} & {'css', 'js', 'image', 'font'})
    connections = Counter((r['src_port'], r['hello_ts_ns']) for r in rows if r['src_port'] >= 0 or r['hello_ts_ns'] >= 0)
    out.update(requests_per_connection=share(sum(connections.values()), len(connections), 6), requests_per_connection_max=max(connections.values(), default=12),
               connection_single_share=share(sum(c == 1 for c in connections.values()), len(connections), .2))
    shown = {(r['src_port'], r['hello_ts_ns']): r['ja3'] for r in rows if r['ja3']}
    out['ja3_per_connection'] = len(set(shown.values())) / len(shown) if len(shown) > 1 else .5
    posts = [r for r in rows if r['is_login'] == 1 and r['method'] == 'POST']
    out.update(login_posts=len(posts), login_failed_share=share(sum(400 <= r['status'] < 500 for r in posts), len(posts), 0), login_posts_per_minute=len(posts) * 60000 / (span + 1000))
    return out


def population_features(sessions):
    """Features of a session that compare it with the others of its hour, by session key."""
    out = defaultdict(dict)
    by_ip, by_ja4, by_client = defaultdict(list), defaultdict(list), defaultdict(list)
    for key in sessions:
        win, ip, ja4, _ = key
        by_ip[win, ip].append(key)
        by_ja4[win, ja4].append(key)
        by_client[win, ip, ja4].append(key)
    agents = {key: {r['user_agent'] for r in rows} for key, rows in sessions.items()}
    paths = {key: {r['path'] for r in rows} for key, rows in sessions.items()}
    by_agent = defaultdict(list)
    for key, rows in sessions.items():
        for r in rows:
            by_agent[key[0], key[1], r['user_agent']].append(r['is_asset'] == 1)
    for key, rows in sessions.items():
        win, ip, ja4, host = key
        combined = Counter((r['user_agent'], r['header_order'], r['accept_language']) for r in rows)
        agent = by_agent[win, ip, min(combined, key=lambda c: (-combined[c], *(t.encode() for t in c)))[0]]
        mine, alike, own = by_ip[win, ip], by_ja4[win, ja4], by_client[win, ip, ja4]
        hits = sum(len(sessions[k]) for k in mine)
        shared = Counter(p for k in own for p in paths[k])
        pairs, total = sum(k * (k - 1) for k in shared.values()), sum(shared.values())
        out[key] = {'ja4s_per_ip': len({k[2] for k in mine}), 'hosts_per_ip': len({k[3] for k in mine}), 'user_agents_per_ip': len(set().union(*(agents[k] for k in mine))), 'ip_hits': hits, 'session_share_of_ip': len(rows) / hits,
                    'ips_per_ja4': len({k[1] for k in alike}) if ja4 else 1, 'user_agents_per_ja4': len(set().union(*(agents[k] for k in alike))) if ja4 else 1,
                    'agent_hits': len(agent), 'agent_asset_share': sum(agent) / len(agent),
                    'path_jaccard_hosts': share(pairs, 2 * (len(own) - 1) * total - pairs, 0)}
    return out


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument('rows', type=int, nargs='?', default=5000)
    p.add_argument('--seed', type=int, default=11)
    p.add_argument('--hostile', action='store_true')
    o = p.parse_args()
    duck = schema.duck()
    with tempfile.NamedTemporaryFile(suffix='.parquet') as file:
        gen_rows.write(o.rows, file.name, o.seed, o.hostile)
        schema.load(duck, None, file.name)
        rows = [clamp(r) for r in pq.read_table(file.name).to_pylist()]
    sessions = defaultdict(list)
    for r in sorted(rows, key=lambda r: (r['ts_ns'], r['row_lo'])):
        sessions[r['ts_ns'] // 1_000_000 // 3_600_000 * 3_600_000, r['src_ip'], r['ja4'], r['host']].append(r)
    population = population_features(sessions)
    view = duck.sql('SELECT * FROM ja4_processing.view_ai_features_1h').to_arrow_table().to_pylist()
    differences, covered = Counter(), set()
    for have in view:
        key = have['win_ms'], have['src_ip'], have['ja4'], have['host']
        want = session_features(sessions.pop(key)) | population[key]
        covered |= set(want)
        for name, value in want.items():
            if have[name] != value:
                differences[name] += 1
                if differences[name] == 1:
                    print(f'{name}: the view has {have[name]!r}, the oracle {value!r} (session {key})')
    total = len(features_doc.catalogue()['feature'])
    print(f'oracle: {len(view)} sessions, {len(covered)} of {total} features, {sum(differences.values())} differences, {len(sessions)} sessions missing')
    sys.exit(1 if differences or sessions or len(covered) * 3 < total else 0)


if __name__ == '__main__':
    main()
