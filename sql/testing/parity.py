"""The same views on the same rows in DuckDB and the ClickHouse engine, compared bit for bit.

    python parity.py [N] [--seed 7] [--hostile] [--view NAME]... [--compatibility 24.8] [--keep DIR]

Promises: every column of every row of every shared view is compared by its bits (floats as 64-bit patterns); also names, types and
order of columns, NULL, NaN and infinities. Prints the first differences and exits with 1 if there is any.
Default: 100,000 rows, all views. Needs duckdb, chdb, numpy, pyarrow.
"""
import argparse
import pathlib
import re
import sys
import tempfile

import numpy as np

import gen_rows
import schema


def shared_views():
    """Names of the aggregates and of the views that sql/shared defines, in order of definition."""
    aggregates = re.findall(r'CREATE OR REPLACE VIEW ja4_processing\.(\w+)', (schema.SQL / 'duckdb' / 'aggregates.sql').read_text())
    return aggregates + schema.VIEWS


def fetch(duck, ch, view):
    """The view from both engines as (names and types, columns) each."""
    duck_types = [(r[0], schema.KINDS.get(r[1], r[1])) for r in duck.execute(f'DESCRIBE ja4_processing.{view}').fetchall()]
    ch_types = [tuple(l.split('\t')[:2]) for l in str(ch.query(f'DESCRIBE ja4_processing.{view}', 'TSV')).strip('\n').split('\n')]
    a = duck.sql(f'SELECT * FROM ja4_processing.{view}').to_arrow_table()
    b = ch.query(f'SELECT * FROM ja4_processing.{view}', 'ArrowTable')
    return (duck_types, a), (ch_types, b)


def bits(column):
    """A column as comparable numpy array, and the number of NULL."""
    column = column.combine_chunks() if hasattr(column, 'combine_chunks') else column
    nulls = column.null_count
    kind = str(column.type)
    if kind in ('string', 'large_string', 'binary', 'large_binary', 'string_view') or 'dictionary' in kind:
        values = np.array([v if isinstance(v, bytes) else (v or '').encode() for v in column.to_pylist()], dtype=object)
        return values, nulls
    return column.fill_null(0).to_numpy(zero_copy_only=False), nulls


def compare(view, duck_side, ch_side, show=8):
    """Number of problems; prints them."""
    (duck_types, a), (ch_types, b) = duck_side, ch_side
    problems = []
    if duck_types != ch_types:
        problems += [f'column {i}: DuckDB {x}, ClickHouse {y}' for i, (x, y) in enumerate(zip(duck_types, ch_types)) if x != y][:show] or ['number of columns differs']
    if a.num_rows != b.num_rows:
        problems.append(f'rows: DuckDB {a.num_rows}, ClickHouse {b.num_rows}')
    if problems:
        for p in problems:
            print(f'  {view}: {p}')
        return len(problems)
    names = [n for n, _ in duck_types]
    left, right = [bits(a.column(n)) for n in names], [bits(b.column(n)) for n in names]
    text = [i for i, (_, k) in enumerate(duck_types) if k == 'String']
    whole = [i for i, (_, k) in enumerate(duck_types) if k == 'Int64']
    order = lambda side: sorted(range(a.num_rows), key=lambda r: [side[i][0][r] for i in text] + [side[i][0][r] for i in whole])
    oa, ob = np.array(order(left), dtype='int64'), np.array(order(right), dtype='int64')
    for n, (_, k), (x, nx), (y, ny) in zip(names, duck_types, left, right):
        x, y = x[oa], y[ob]
        if nx or ny:
            problems.append(f'{n}: NULL in {nx} (DuckDB) and {ny} (ClickHouse) rows')
        if k == 'Float64':
            bad = int((~np.isfinite(x)).sum())
            if bad:
                problems.append(f'{n}: {bad} values are not finite')
            x, y = x.astype('float64').view('uint64'), y.astype('float64').view('uint64')
        differ = np.flatnonzero(x != y)
        if len(differ):
            r = differ[0]
            value = (lambda v: float(np.uint64(v).view('float64'))) if k == 'Float64' else (lambda v: v)
            problems.append(f'{n}: {len(differ)} of {a.num_rows} rows differ, first: DuckDB {value(x[r])!r}, ClickHouse {value(y[r])!r}')
    for p in problems[:show]:
        print(f'  {view}: {p}')
    print(f'{view}: {a.num_rows} rows, {len(names)} columns, {"identical" if not problems else str(len(problems)) + " columns differ"}')
    return len(problems)


def compare_bounded(duck, ch):
    """The bounded form of one hour against the view filtered to that hour, on both engines; prints and counts differences."""
    problems = 0
    win, = duck.execute('SELECT win_ms FROM ja4_processing.v_requests GROUP BY win_ms ORDER BY count(*) DESC, win_ms LIMIT 1').fetchone()
    start, end = win * 1_000_000, (win + 3_600_000) * 1_000_000
    for view in [v for v in schema.VIEWS if 'dashboard' not in v]:
        whole, = duck.execute(f'SELECT count(*) FROM (SELECT * FROM ja4_processing.{view} WHERE win_ms = {win} EXCEPT SELECT * FROM ja4_processing.{view}_between({start}, {end}))').fetchone()
        extra, = duck.execute(f'SELECT count(*) FROM (SELECT * FROM ja4_processing.{view}_between({start}, {end}) EXCEPT SELECT * FROM ja4_processing.{view} WHERE win_ms = {win})').fetchone()
        call = f'ja4_processing.{view}_between(from_ns = {start}, to_ns = {end})'
        left = str(ch.query(f'SELECT count(), sum(cityHash64(*)) FROM {call}', 'TSV'))
        right = str(ch.query(f'SELECT count(), sum(cityHash64(*)) FROM ja4_processing.{view} WHERE win_ms = {win}', 'TSV'))
        if whole or extra or left != right:
            problems += 1
            print(f'  {view}_between: differs from the view of that hour (DuckDB {whole} and {extra} rows, ClickHouse {left.strip()} against {right.strip()})')
    print(f'bounded forms: {"identical to the views of their hour" if not problems else f"{problems} differ"}')
    return problems


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument('rows', type=int, nargs='?', default=100_000)
    p.add_argument('--seed', type=int, default=7)
    p.add_argument('--hostile', action='store_true')
    p.add_argument('--view', action='append')
    p.add_argument('--compatibility', help='SET compatibility of the ClickHouse engine, e.g. 24.8')
    p.add_argument('--keep', help='use and keep this directory')
    o = p.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(o.keep or scratch)
        folder.mkdir(parents=True, exist_ok=True)
        parquet = folder / f'rows_{o.rows}_{o.seed}_{int(o.hostile)}.parquet'
        if not parquet.exists():
            gen_rows.write(o.rows, parquet, o.seed, o.hostile)
        duck, ch = schema.duck(), schema.clickhouse(pathlib.Path(scratch) / 'clickhouse')
        if o.compatibility:
            ch.query(f"SET compatibility = '{o.compatibility}'")
        schema.load(duck, ch, parquet)
        problems = 0
        for view in o.view or ['v_requests', *shared_views()]:
            problems += compare(view, *fetch(duck, ch, view))
        if not o.view:
            problems += compare_bounded(duck, ch)
        ch.close()
    print(f'{problems} problems' if problems else 'parity: all identical')
    sys.exit(1 if problems else 0)


if __name__ == '__main__':
    main()
