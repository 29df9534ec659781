"""Writes docs/DATABASE.md from the migrations, the view files and row.rs, so that it cannot tell another story than they do.

    python database_doc.py            writes it
    python database_doc.py --check    exit 1 if it is stale, or if something has no comment that says what it is

A comment above a CREATE is its description; a column of http_logs is described in row.rs. Read next: schema.py, check_schema.py.
"""
import re
import sys

import schema

TARGET = schema.SQL.parent / 'docs' / 'DATABASE.md'
HEAD = '''# Database

Every table, view, dictionary and function of the two databases (schemas in DuckDB) `ja4_logs` and `ja4_processing`. This page is
generated from `sql/` by `sql/testing/database_doc.py`; `make test` fails when it is stale. How the schema changes is in
[MIGRATIONS.md](MIGRATIONS.md), what the features mean in [FEATURES.md](FEATURES.md), how many servers are needed in [SCALING.md](SCALING.md).

A store is named by `--db`: the path of a DuckDB file, or `clickhouse://USER@HOST:PORT` (`clickhouses://` for TLS). The password comes
from `JA4_CLICKHOUSE_PASSWORD` or `?password-file=FILE`, never from the command line. Further options after `?`, joined by `&`:
`cluster=NAME` (tables on every node of a cluster), `timeout=SECONDS` (of one statement, 600), `compression=none|lz4`.

Every stored column is BIGINT / DOUBLE / VARCHAR, in ClickHouse Int64 / Float64 / String or LowCardinality(String), and never NULL:
unknown is -1 or the empty text. Times are ns since 1970 UTC (`*_ns`) or ms (`*_ms`). `received_day` (ClickHouse only, neither inserted
nor read) is the day of arrival, from which retention counts.

Access in ClickHouse is `sql/clickhouse/access.sql`: roles for the writer, shippers, the detector, analysts (who can change nothing but
feedback) and the administrator who migrates, with quotas and limits. Apply it once with `clickhouse-client --multiquery`, then give each
user a password and the hosts it may come from: `ALTER USER ja4_writer IDENTIFIED WITH sha256_password BY '…' HOST IP '…'`.

In a cluster (`cluster=NAME`) sharded tables are called `…_local` on every node, and three views more are there: `v_requests_local`, `sessions_1h_local`
and, Distributed over it, `sessions_1h`; the detector needs `sql/clickhouse/access_cluster.sql` as well ([SCALING.md](SCALING.md)).
'''
KINDS = [('TABLE', r'CREATE TABLE IF NOT EXISTS (\S+) \('), ('MATERIALIZED VIEW', r'CREATE MATERIALIZED VIEW IF NOT EXISTS (\S+) TO (\S+)'),
         ('VIEW', r'CREATE (?:OR REPLACE )?VIEW (?:IF NOT EXISTS )?(\S+) AS'), ('DICTIONARY', r'CREATE DICTIONARY IF NOT EXISTS (\S+) \('),
         ('FUNCTION', r'CREATE OR REPLACE (?:FUNCTION|MACRO) (\w+)')]


def commented(path):
    """(comment above, statement) of a file; the head of the file is no comment of its first statement."""
    comment, last, lines, found = [], [], [], []
    for line in path.read_text().splitlines():
        if not lines and line.startswith('--'):
            comment.append(line[2:].strip())
        elif not lines and not line.strip():
            comment, last = [], []
        else:
            lines.append(line)
            if line.rstrip().endswith(';'):
                # of several statements without a blank line between, the comment above the first is for all
                comment = comment or last
                found.append((' '.join(comment), '\n'.join(lines)))
                lines, last, comment = [], comment, []
    return found


def objects(engine):
    """{(kind, name): (comment, statement, file)}, the last definition of a name."""
    found = {}
    for path in [*schema.migrations(engine), *schema.view_files(engine)]:
        if path.name == 'bounded.sql':
            continue
        head = path.read_text().splitlines()[0][2:].strip() if path.parent.name == 'shared' or path.name == 'base.sql' else ''
        for comment, text in commented(path):
            for kind, pattern in KINDS:
                m = re.match(pattern, text)
                if kind == 'TABLE' and (anew := re.match(r'CREATE OR REPLACE TABLE (\S+)_staging \(', text)):
                    found[kind, anew.group(1)] = (found[kind, anew.group(1)][0], text, path.name)
                if m:
                    found[kind, m.group(1)] = (comment or head, text, path.name)
                    break
    return found


def columns(text):
    """(name, type) of a CREATE TABLE or DICTIONARY."""
    body = text.split('(\n', 1)[1].split('\n)', 1)[0]
    for line in body.split('\n'):
        line = line.strip().rstrip(',')
        if line and not line.startswith(('--', 'INDEX')) and 'MATERIALIZED' not in line:
            name, kind = line.split()[:2]
            yield name, kind


def storage(text):
    """Engine, order, partition and retention in words."""
    parts = []
    for word, pattern in [('in', r'ENGINE = (\w+)'), ('ordered by', r'ORDER BY \(?(.*?)\)?;?$'), ('partition', r'PARTITION BY (.*)'), ('kept', r'INTERVAL (\d+ DAY)')]:
        m = re.search(pattern, text, re.M)
        if m:
            parts.append(f'{word} `{m.group(1)}`')
    indexes = re.findall(r'INDEX (\w+) ', text)
    return ', '.join(parts) + (f', skip indexes `{", ".join(indexes)}`' if indexes else '')


def document():
    duck, ch = objects('duckdb'), objects('clickhouse')
    docs = dict(re.findall(r'^    (\w+): (?:Int|Float|Text) = "((?:[^"\\]|\\.)*)"', schema.ROW_RS.read_text(), re.M))
    out, missing = [HEAD], []

    def described(key, *places):
        text = next((p[key][0] for p in places if key in p and p[key][0]), '')
        if not text:
            missing.append(f'{key[0]} {key[1]} has no comment that says what it is')
        return (text if key[0] == 'FUNCTION' else text[:1].upper() + text[1:]).rstrip('.').replace('|', '\\|')
    tables = sorted({n for k, n in {*duck, *ch} if k == 'TABLE' and not n.endswith('_parts')})
    out.append(f'\n## Tables ({len(tables)})\n')
    for name in tables:
        key = ('TABLE', name)
        out.append(f'### `{name}`\n\n{described(key, ch, duck)}.\n')
        if key in ch:
            out.append(f'ClickHouse: {storage(ch[key][1])}.\n')
        definition = duck.get(key, ch.get(key))[1]
        cells = list(columns(definition))
        if name == 'ja4_logs.http_logs':
            out.append('| column | type | meaning |\n|---|---|---|')
            out.extend(f'| `{c}` | {k} | {docs.get(c, "")} |'.replace('||', '\\|\\|') for c, k in cells)
            out.append('')
        else:
            out.append(', '.join(f'`{c}` {k}' for c, k in cells) + '.\n')
    parts = sorted(n for k, n in ch if k == 'TABLE' and n.endswith('_parts'))
    out.append(f'## Aggregates by the hour ({len(parts)})\n\nIn DuckDB views that compute, in ClickHouse partial sums kept by materialized views (`…_mv` into `…_parts`) and a view that\n'
               'adds them up; same names, types and values. Every sum is an integer.\n\n| name | what it sums over |\n|---|---|')
    for name in parts:
        out.append(f'| `{name.removesuffix("_parts")}` | {described(("TABLE", name), ch)} |')
    aggregates = {n.removesuffix('_parts') for n in parts}
    views = sorted({n for k, n in {*duck, *ch} if k == 'VIEW' and n not in aggregates})
    out.append(f'\n## Views ({len(views)})\n\n`…_between` forms bound the span that is read (`sql/README.md`).\n\n| view | what it gives | engines |\n|---|---|---|')
    for name in views:
        key = ('VIEW', name)
        engines = ' and '.join(e for e, p in (('DuckDB', duck), ('ClickHouse', ch)) if key in p)
        out.append(f'| `{name}` | {described(key, ch, duck)} | {engines} |')
    fed = sorted(n for k, n in ch if k == 'MATERIALIZED VIEW' and n.removesuffix('_mv') not in aggregates)
    out.append(f'\n## Materialized views of the intake ({len(fed)}, ClickHouse)\n\n| view | what it does |\n|---|---|')
    out.extend(f'| `{n}` | {described(("MATERIALIZED VIEW", n), ch)} |' for n in fed)
    dicts = sorted(n for k, n in ch if k == 'DICTIONARY')
    out.append(f'\n## Dictionaries ({len(dicts)}, ClickHouse)\n\nRead again from their tables every 5 to 10 minutes, as the user `default` without a password; where that user has one or is gone, apply\n`sql/clickhouse/access_dictionaries.sql` (in packages `/usr/share/ja4-platform/clickhouse-access-dictionaries.sql`).\n\n| dictionary | what it answers | source | layout |\n|---|---|---|---|')
    for n in dicts:
        text = ch['DICTIONARY', n][1]
        source, layout = re.search(r"TABLE '(\w+)'", text).group(1), re.search(r'LAYOUT\((\w+)', text).group(1)
        out.append(f'| `{n}` | {described(("DICTIONARY", n), ch)} | `{source}` | {layout} |')
    functions = sorted({n for k, n in {*duck, *ch} if k == 'FUNCTION'})
    out.append(f'\n## Neutral functions ({len(functions)}, both engines)\n\n| function | what it gives |\n|---|---|')
    out.extend(f'| `{n}` | {described(("FUNCTION", n), ch, duck)} |' for n in functions if ('FUNCTION', n) in ch)
    return '\n'.join(out).rstrip() + '\n', missing


if __name__ == '__main__':
    text, missing = document()
    if '--check' in sys.argv:
        if not TARGET.exists() or TARGET.read_text() != text:
            missing.append('docs/DATABASE.md is stale: run sql/testing/database_doc.py')
        for line in missing:
            print(line)
        print('database: docs/DATABASE.md tells what the migrations make' if not missing else f'database: {len(missing)} problems')
        sys.exit(1 if missing else 0)
    TARGET.write_text(text)
    print(f'{TARGET.name}: {len(text.splitlines())} lines', *missing, sep='\n')
