"""How fast rows go into each store, how fast the feature view comes out, and how little a window reads: the figures of docs/PERFORMANCE.md.

    python store_speed.py PATH/TO/ja4-lab [--rows 1000000] [--views 5000000] [--days 30] [--keep DIR]

Four measures, each printed with its target; exit 1 where one is missed and --strict is given:
  insert    `ja4-lab db import` of generated rows (all columns, Parquet) into an empty DuckDB file and into the ClickHouse engine behind
            its HTTP front-end, as rows/s of the whole command and as CPU seconds of program and engine
  view      the feature view over --views rows in the ClickHouse engine
  window    one hour out of --days days: granules read of all (EXPLAIN indexes = 1) and rows read
Promises nothing about other machines: it prints the load beside the figures. On a busy machine only CPU seconds mean something.
Read next: speed.py (the view on both engines), gen_rows.py.
"""
import argparse
import json
import os
import pathlib
import re
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request

import duckdb

import gen_rows
import schema

TICKS = os.sysconf('SC_CLK_TCK')
DAY_NS, HOUR_NS = 86_400_000_000_000, 3_600_000_000_000


def cpu_of(pid):
    """CPU seconds of a process so far, all its threads."""
    fields = pathlib.Path(f'/proc/{pid}/stat').read_text().rsplit(') ', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class Engine:
    """The ClickHouse engine behind its HTTP front-end."""

    def __init__(self, folder):
        port = folder / 'port'
        command = [sys.executable, str(schema.SQL / 'testing' / 'chdb_http.py'), '--port', '0', '--path', str(folder / 'click'), '--port-file', str(port), '--until-stdin-closes']
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        while not port.exists():
            assert self.process.poll() is None, 'the ClickHouse engine does not start'
            time.sleep(0.05)
        self.port = port.read_text().strip()
        self.address = f'clickhouse://default@127.0.0.1:{self.port}'

    def ask(self, text):
        """The answer as text, and the rows that were read for it."""
        request = urllib.request.Request(f'http://127.0.0.1:{self.port}/?default_format=TSVRaw', data=text.encode())
        with urllib.request.urlopen(request, timeout=3600) as answer:
            return answer.read().decode(), int(json.loads(answer.headers['X-ClickHouse-Summary'])['read_rows'])

    def cpu(self):
        return cpu_of(self.process.pid)

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def say(ok, text):
    print(f'{"reached" if ok else "MISSED "}  {text}', flush=True)
    return ok


def insert(lab, db, parquet, rows, engine=None):
    """Imports into an empty store; the rate of the whole command decides."""
    subprocess.run([lab, '-q', 'db', 'migrate', '--db', db], check=True, stdout=subprocess.DEVNULL)
    before, children = engine.cpu() if engine else 0.0, resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.perf_counter()
    subprocess.run([lab, '-q', 'db', 'import', str(parquet), '--db', db], check=True, stdout=subprocess.DEVNULL)
    wall = time.perf_counter() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    program = after.ru_utime + after.ru_stime - children.ru_utime - children.ru_stime
    served = engine.cpu() - before if engine else 0.0
    name = 'ClickHouse' if engine else 'DuckDB'
    each = f'program {program:.1f} CPU s' + (f', engine {served:.1f} CPU s' if engine else '')
    return say(rows / wall >= 200_000, f'insert {name}: {rows} rows in {wall:.1f} s = {rows / wall:,.0f} rows/s (200,000 wanted); {each} = '
               f'{rows / (program + served):,.0f} rows a CPU second, {2 * rows / (program + served):,.0f} rows/s at best on 2 quiet cores')


def view(engine, wanted):
    """The feature view over rows that the engine multiplies itself: each copy has addresses of its own."""
    have = int(engine.ask('SELECT count() FROM ja4_logs.http_logs')[0])
    copies = max(1, round(wanted / have))
    names = [name for name, _ in schema.row_columns()]
    for number in range(1, copies):
        moved = ', '.join(f"concat({name}, '~{number}')" if name == 'src_ip' else name for name in names)
        engine.ask(f'INSERT INTO ja4_logs.http_logs ({", ".join(names)}) SELECT {moved} FROM ja4_logs.http_logs WHERE position(src_ip, \'~\') = 0')
    rows = int(engine.ask('SELECT count() FROM ja4_logs.http_logs')[0])
    best, used = None, None
    for _ in range(3):
        before, begin = engine.cpu(), time.perf_counter()
        engine.ask('SELECT * FROM ja4_processing.view_ai_features_1h SETTINGS max_threads = 2 FORMAT Null')
        wall = time.perf_counter() - begin
        if best is None or wall < best:
            best, used = wall, engine.cpu() - before
    limit = 12 * max(rows, 1) / 5_000_000
    return say(best <= limit, f'feature view: {rows} rows in {best:.1f} s, {used:.1f} CPU s (12 s for 5 million, so {limit:.1f} s)')


def window(engine, days):
    """One hour out of many days: what is there is spread over them, merged as a server merges it within a day."""
    names = [name for name, _ in schema.row_columns()]
    engine.ask('TRUNCATE TABLE ja4_logs.http_logs')
    # A day is about 70 granules of 8,192 rows here; a real site's has more, and a smaller share is read.
    cells = {'row_hi': 'cityHash64(number)::Int64', 'row_lo': 'number::Int64', 'ts_ns': f'1790000000000000000 + intDiv(number * {DAY_NS // 576000}, 1)::Int64',
             'src_ip': "concat('10.0.', toString(cityHash64(number) % 250), '.', toString(cityHash64(number, 1) % 250))", 'host': "concat('h', toString(number % 12))"}
    given = [name for name in names if name in cells]
    for day in range(days):
        engine.ask(f'INSERT INTO ja4_logs.http_logs ({", ".join(given)}) SELECT {", ".join(cells[name] for name in given)} FROM numbers({day * 576000}, 576000)')
    start = 1790000000000000000 // HOUR_NS * HOUR_NS + (days // 2) * DAY_NS
    good = True
    for name, text in (('requests', f'SELECT count() FROM ja4_processing.v_requests WHERE ts_ns >= {start} AND ts_ns < {start + HOUR_NS}'),
                       ('features', f'SELECT count() FROM ja4_processing.view_ai_features_1h_between(from_ns = {start}, to_ns = {start + HOUR_NS})')):
        plan, _ = engine.ask(f'EXPLAIN indexes = 1 {text}')
        # The last line of each index says what is left of what came in; the first comes in whole.
        found = [(int(a), int(b)) for a, b in re.findall(r'Granules: (\d+)/(\d+)', plan)]
        left, whole = min(a for a, _ in found), max(b for _, b in found)
        answer, read = engine.ask(text)
        total = int(engine.ask('SELECT count() FROM ja4_logs.http_logs')[0])
        good &= say(left * 20 <= whole, f'one hour of {days} days, {name}: {left} of {whole} granules = {100 * left / whole:.2f} % (5 % wanted); {read} of {total} rows read, {answer.strip()} found')
    return good


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument('lab')
    p.add_argument('--rows', type=int, default=1_000_000)
    p.add_argument('--views', type=int, default=5_000_000)
    p.add_argument('--days', type=int, default=30)
    p.add_argument('--keep', help='folder for the generated rows, to be used again')
    p.add_argument('--strict', action='store_true')
    o = p.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        folder = pathlib.Path(o.keep or scratch)
        folder.mkdir(parents=True, exist_ok=True)
        parquet = folder / f'rows_{o.rows}.parquet'
        if not parquet.exists():
            gen_rows.write(o.rows, scratch / 'unordered.parquet')
            # By time, as a log is.
            duckdb.sql(f"COPY (SELECT * FROM read_parquet('{scratch / 'unordered.parquet'}') ORDER BY ts_ns) TO '{parquet}'")
        print(f'load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores')
        engine = Engine(scratch)
        try:
            good = insert(o.lab, str(scratch / 'speed.duckdb'), parquet, o.rows)
            good &= insert(o.lab, engine.address, parquet, o.rows, engine)
            good &= view(engine, o.views)
            good &= window(engine, o.days)
        finally:
            engine.end()
    sys.exit(0 if good or not o.strict else 1)


if __name__ == '__main__':
    main()
