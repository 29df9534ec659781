"""Every statement of the HTTP interface on both engines, with each of its filters and sort keys: same rows, or a sentence.

    python api.py [ROWS]        exit 1 and a sentence for each difference or refusal

It reads the markers as lab/src/service/api/statement.rs does: `-- filter NAME (KIND): AND …`, `-- sort: NAMES`, `/*filters*/`,
`/*sort*/ NAME DESC`; values are texts. Read next: ../shared/queries/api_*.sql.
"""
import pathlib
import re
import sys
import tempfile

import gen_rows
import schema

SAMPLES = {'address': '10.0.0.1', 'text': "it's", 'severity': 'high', 'share': '0.5', 'count': '64500', 'flag': '1'}
NEW_SCORES = """INSERT INTO ja4_processing.{table} SELECT win_ms, src_ip, ja4, host, substr(src_ip || '-' || host, 1, 24) || '-' || CAST(win_ms AS VARCHAR)
|| ja4, 'm', 'id', CASE WHEN ja4 = '' THEN 'application' ELSE 'complete' END, hits, 0.1, 0.2, -1.0, CAST(hits % 100 AS DOUBLE) / 100.0, 0.7, CASE WHEN
hits % 100 >= 70 THEN 1 ELSE 0 END, CASE WHEN hits % 100 >= 90 THEN 'high' WHEN hits % 100 >= 70 THEN 'low' ELSE 'none' END, 1.0, 'why', '[]', 0.5, -1,
'', user_agent, ua_family, client_ip, asn, as_name, country, 'run', first_ns, last_ns FROM ja4_processing.view_ai_features_1h"""


def variants(text):
    """(what, statement, values of its filters) for the plain form, each filter, and each sort key in both directions."""
    filters = re.findall(r'^-- filter (\w+) \((\w+)\): (AND .*)$', text, re.M)
    sorts = re.findall(r'^-- sort: (.*)$', text, re.M)
    yield 'plain', text, []
    for name, kind, clause in filters:
        yield f'filter {name}', text.replace('/*filters*/', clause), [SAMPLES[kind]] * clause.count('?')
    for name in sorts[0].split(', ') if sorts else []:
        for direction in ('ASC', 'DESC'):
            yield f'sort {name} {direction}', re.sub(r'/\*sort\*/ \w+ DESC', f'{name} {direction}', text), []


def values_of(text, filters):
    """Texts for every `?`: the time range, the filters, the page; or an address, a day, a name."""
    if '/*filters*/' in text or 'LIMIT CAST(?' in text:
        return ['0', '9000000000000000000', *filters, '20', '1']
    return ['10.0.0.1' if 'src_ip = ?' in text else '0'] * strip(text).count('?')


def strip(text):
    return '\n'.join(line for line in text.split('\n') if not line.startswith('--'))


def bound(text, values):
    """The statement with its values as literals, as the ClickHouse client sends it."""
    parts = strip(text).rstrip().rstrip(';').split('?')
    quoted = ["'" + v.replace('\\', '\\\\').replace("'", "\\'") + "'" for v in values]
    assert len(parts) == len(quoted) + 1, (len(parts), values)
    return ''.join(a + b for a, b in zip(parts, quoted + ['']))


def same(a, b):
    return a == b or isinstance(a, float) and abs(a - b) < 1e-12


def main():
    folder = pathlib.Path(tempfile.mkdtemp())
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    gen_rows.write(rows, str(folder / "rows.parquet"))
    duck, click = schema.duck(), schema.clickhouse(folder / 'click')
    schema.load(duck, click, folder / 'rows.parquet')
    for table in ('ml_all_scores', 'ml_detected_anomalies'):
        text = NEW_SCORES.format(table=table) + (' WHERE hits % 100 >= 70' if 'detected' in table else '')
        duck.execute(text)
        click.query(text.replace('ml_all_scores SELECT', 'ml_all_scores SELECT').replace('VARCHAR', 'String').replace('DOUBLE', 'Float64'))
    wrong, ran, answered = [], 0, 0
    for path in sorted((schema.SQL / 'shared' / 'queries').glob('api_*.sql')):
        whole = path.read_text()
        for what, text, filters in variants(whole):
            values = values_of(text if what != 'plain' else whole, filters)
            try:
                cursor = duck.execute(strip(text).rstrip().rstrip(';'), values)
                names, have = [c[0] for c in cursor.description], cursor.fetchall()
                table = click.query(bound(text, values), 'ArrowTable')
                want = [tuple(r.values()) for r in table.to_pylist()]
            except Exception as error:
                wrong.append(f'{path.name}: {what}: {str(error).splitlines()[0][:200]}')
                continue
            ran, answered = ran + 1, answered + bool(have)
            want = [tuple(v.decode() if isinstance(v, bytes) else v for v in r) for r in want]
            if names != table.column_names:
                wrong.append(f'{path.name}: {what}: columns {names} and {table.column_names}')
            elif len(have) != len(want) or not all(same(a, b) for h, w in zip(have, want) for a, b in zip(h, w)):
                wrong.append(f'{path.name}: {what}: DuckDB {have[:1]}, ClickHouse {want[:1]}')
    print('\n'.join(wrong) or f'api: {ran} statements gave the same rows on both engines, {answered} of them some')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
