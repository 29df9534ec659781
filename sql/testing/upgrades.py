"""Databases of every earlier schema, with rows and scores in them, brought to today's by the program, on both engines.

    python upgrades.py PATH/TO/ja4-lab        exit 1 and a sentence for each difference

For each schema that was ever current: its migrations are applied and recorded as the program of that time did, requests (hostile ones
too), handshakes and scores are stored, then `ja4-lab db migrate` runs twice, and as many requests again are imported.
Promises: afterwards rows, features, scores and all six sums read as in a database that was of today's schema from the start, to the
bit; all migrations are recorded; the second run changes nothing. Read next: docs/MIGRATIONS.md, shared_queries.py.
"""
import hashlib
import pathlib
import subprocess
import sys
import tempfile

import duckdb

import gen_rows
import schema
from shared_queries import ClickHouse

READ = {'rows': 'SELECT * FROM ja4_logs.http_logs ORDER BY row_hi, row_lo', 'handshakes': 'SELECT * FROM ja4_logs.tls_only ORDER BY key_lo',
        'features': 'SELECT * FROM ja4_processing.view_ai_features_1h ORDER BY win_ms, src_ip, ja4, host',
        'scores': 'SELECT * FROM ja4_processing.ml_all_scores ORDER BY win_ms, session_id'}
SUMMED = ('hits, n_2xx, n_3xx, n_4xx, n_5xx, n_post, n_page, n_asset, n_sensitive, n_login_post, n_joined, n_mismatch, request_bytes_sum, response_bytes_sum, duration_us_sum, '
          'header_count_n, header_count_sum, header_count_squares, first_ns, last_ns')
KEYS = {'host': 'host', 'src_ip': 'src_ip', 'ja4': 'ja4', 'session': "concat(src_ip, '|', ja4, '|', host)", 'header_signature': "concat(header_order, '|', ua_family)", 'path': "concat(host, '|', path)"}
READ['sums'] = ' UNION ALL '.join(f"SELECT '{name}' AS summed_by, win_ms, {key} AS summed_key, {SUMMED} FROM ja4_processing.agg_{name}_1h" for name, key in KEYS.items())
READ['sums'] = f"SELECT * FROM ({READ['sums']}) AS s ORDER BY ALL"
ROWS = 3000


def digest(lab, db):
    """What a reader sees, in short."""
    answers = {name: subprocess.run([lab, '-q', 'sql', '--db', db, '--format', 'jsonl', text], check=True, capture_output=True).stdout for name, text in READ.items()}
    return {name: (answer.count(b'\n'), hashlib.sha256(answer).hexdigest()) for name, answer in answers.items()}


def stored(run, parquet, source):
    """Requests, handshakes and scores; the same on both engines."""
    names = ', '.join(name for name, _ in schema.row_columns())
    run(f'INSERT INTO ja4_logs.http_logs ({names}) SELECT {names} FROM {source}')
    for number in range(1, 4):
        run(f"INSERT INTO ja4_logs.tls_only (ts_ns, src_ip, src_port, dst_ip, dst_port, protocol, sni, alpn, tls_version, ja3, ja4, ja4_r, ja4s, ja4t, ip_ttl, tcp_window, tcp_mss, "
            f"tcp_wscale, tcp_options, key_hi, key_lo) VALUES (1790000000000000000, '192.0.2.{number}', 1, '', 443, 'tls', '', '', 772, '', 'j', '', '', '', -1, -1, -1, -1, '', 1, {number})")
        # A day and more apart: scores are kept by day since schema 3.
        run(f"INSERT INTO ja4_processing.ml_all_scores (win_ms, src_ip, ja4, host, session_id, model_name, model_id, model_kind, hits, score_eif, score_autoencoder, score_boosted, score, "
            f"threshold, anomaly, severity, agreement, reason, explanation, population_share, label, label_source, user_agent, ua_family, client_ip, asn, as_name, country, scored_run, "
            f"first_ns, last_ns) VALUES ({1790000000000 + number * 90000000}, '192.0.2.{number}', 'j', 'h', 's{number}', 'm', 'i', 'complete', 3, 0.1, 0.2, -1, 0.25, 0.7, 0, 'none', 1, 'r', "
            f"'[]', 0.5, -1, '', '', '', '', 0, '', '', 'run', 1, 2)")


def apply(run, engine, migrations):
    """Migrations as the program of their time applied and recorded them."""
    for path in migrations:
        for text in schema.statements(path):
            run(text)
        version, name = path.stem.split('_', 1)
        run(f"INSERT INTO ja4_processing.schema_migrations (version, name, sha256, applied_ns) VALUES ({int(version)}, '{name}', '{hashlib.sha256(path.read_bytes()).hexdigest()}', 1)")


def main():
    lab, wrong, made = sys.argv[1], [], 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        parquet = folder / 'rows.parquet'
        later = folder / 'later.parquet'
        gen_rows.write(ROWS, folder / 'all.parquet', hostile=True)
        for path, half in ((parquet, 0), (later, 1)):
            duckdb.sql(f"COPY (SELECT * FROM read_parquet('{folder / 'all.parquet'}') WHERE row_lo % 2 IN ({half}, -{half})) TO '{path}'")
        before = duckdb.sql(f"SELECT count(*) FROM read_parquet('{parquet}')").fetchall()[0][0]
        click = ClickHouse(folder)
        try:
            def duck_of(number):
                path = folder / f'{number}.duckdb'
                connection = duckdb.connect(str(path))
                return str(path), connection.execute, f"read_parquet('{parquet}')", connection.close

            def click_of(_):
                for name in ('ja4_processing', 'ja4_logs'):
                    click.run(f'DROP DATABASE IF EXISTS {name} SYNC')
                return click.address, click.run, f"file('{parquet}', 'Parquet')", lambda: None

            for engine, opened in (('duckdb', duck_of), ('clickhouse', click_of)):
                migrations = schema.migrations(engine)
                today = None
                # Today's own schema first: what the others must read like.
                for count in range(len(migrations), 0, -1):
                    db, run, source, close = opened(count)
                    apply(run, engine, migrations[:count])
                    stored(run, parquet, source)
                    close()
                    for turn in range(2):
                        done = subprocess.run([lab, 'db', 'migrate', '--db', db], capture_output=True, text=True)
                        applied = f'{len(migrations) - count if turn == 0 else 0} migrations applied'
                        if done.returncode != 0 or f': {applied}' not in done.stdout:
                            wrong.append(f'{engine} from {migrations[count - 1].stem}: not "{applied}" but {(done.stdout + done.stderr).strip()[:300]}')
                    counted = int(subprocess.run([lab, '-q', 'sql', '--db', db, '--format', 'csv', 'SELECT count(*) AS n FROM ja4_logs.http_logs'], check=True, capture_output=True, text=True).stdout.split()[1])
                    if counted != before:
                        wrong.append(f'{engine} from {migrations[count - 1].stem}: {counted} of {before} requests are left')
                    subprocess.run([lab, '-q', 'db', 'import', str(later), '--db', db], check=True, stdout=subprocess.DEVNULL)
                    found = digest(lab, db)
                    made += 1
                    today = today or found
                    if found['rows'][0] != ROWS or found['scores'][0] != 3:
                        wrong.append(f'{engine} from {migrations[count - 1].stem}: {found["rows"][0]} requests and {found["scores"][0]} scores are there in place of {ROWS} and 3')
                    # ClickHouse sums rows as they come in: those that came before there were sums (schema 1) are in none.
                    unsummed = {'sums'} if engine == 'clickhouse' and count == 1 else set()
                    wrong += [f'{engine} from {migrations[count - 1].stem}: {name} read differently' for name in found if name not in unsummed and found[name] != today[name]]
        finally:
            click.end()
    for line in wrong:
        print(line)
    print(f'upgrades: {made} databases of earlier schemas, {len(wrong)} problems')
    sys.exit(1 if wrong else 0)


if __name__ == '__main__':
    main()
