"""Both definitions of http_logs against the joined row of the code, and both stores against each other.

    python check_schema.py        exit 1 and a sentence for each difference

Checks, from the text alone (no engine needed): ja4_logs.http_logs has exactly the columns of replay/join/src/row.rs in that order and
with those types in both stores; v_requests begins with them; every other table has the same columns on both stores; no column is
nullable; statements end at a line end and hold no `;` inside.
"""
import re
import sys

import schema

CLICKHOUSE_KINDS = {'Int64': 'Int64', 'Float64': 'Float64', 'String': 'String', 'LowCardinality(String)': 'String'}


def tables(engine):
    """{table: [(column, kind)]} of the migrations of an engine; bookkeeping columns that are not inserted are left out."""
    found = {}
    for path in schema.migrations(engine):
        for text in schema.statements(path):
            m = re.match(r'CREATE TABLE IF NOT EXISTS (\S+) \(\n(.*?)\n\)', text, re.S)
            if not m:
                continue
            columns = []
            for line in m.group(2).split('\n'):
                line = line.strip().rstrip(',')
                if not line or line.startswith(('--', 'INDEX')) or 'MATERIALIZED' in line:
                    continue
                name, kind = line.split()[:2]
                columns.append((name, schema.KINDS.get(kind) if engine == 'duckdb' else CLICKHOUSE_KINDS.get(kind, kind)))
                if engine == 'duckdb' and not line.endswith('NOT NULL'):
                    columns.append((name, 'nullable'))
            found[m.group(1)] = columns
    return found


def base_columns(engine):
    """Names that v_requests selects, in order."""
    view = next(s for s in schema.statements(schema.SQL / engine / 'base.sql') if 'VIEW ja4_processing.v_requests AS' in s)
    return re.findall(r' AS (\w+),?$', view.split('SELECT\n', 1)[1].split('\nFROM')[0], re.M)


def problems():
    """Every difference as a sentence."""
    want = [(n, schema.KINDS[k]) for n, k in schema.row_columns()]
    if not want:
        yield f'{schema.ROW_RS}: no columns found'
    both = {engine: tables(engine) for engine in ('duckdb', 'clickhouse')}
    for engine, found in both.items():
        have = found.get('ja4_logs.http_logs', [])
        for i in range(max(len(want), len(have))):
            w, h = (want[i] if i < len(want) else None), (have[i] if i < len(have) else None)
            if w != h:
                yield f'{engine}: column {i + 1} of http_logs is {h}, row.rs has {w}'
                break
        columns = base_columns(engine)
        if columns[:len(want)] != [n for n, _ in want]:
            yield f'{engine}: v_requests does not begin with the columns of row.rs: {sorted({n for n, _ in want} ^ set(columns))[:5]}'
        for path in sorted((schema.SQL / engine).glob('*.sql')) + sorted((schema.SQL / 'shared').glob('*.sql')):
            for text in schema.statements(path):
                if ';' in text:
                    yield f'{path.name}: a statement holds `;` inside: {text[:60]!r}'
    if base_columns('duckdb') != base_columns('clickhouse'):
        yield 'v_requests differs between the stores'
    duck, ch = both['duckdb'], {t: c for t, c in both['clickhouse'].items() if not t.endswith('_parts')}
    for table in sorted(set(duck) | set(ch)):
        if table != 'ja4_logs.http_logs' and duck.get(table) != ch.get(table):
            yield f'{table}: DuckDB {duck.get(table)}, ClickHouse {ch.get(table)}'


if __name__ == '__main__':
    found = list(problems())
    for line in found:
        print(line)
    print(f'schema: {len(found)} problems' if found else f'schema: {len(schema.row_columns())} columns of http_logs and {len(tables("duckdb"))} tables agree')
    sys.exit(1 if found else 0)
