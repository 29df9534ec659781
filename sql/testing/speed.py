"""Seconds and CPU seconds of the feature view on both engines, over generated rows.

    python speed.py [N] [--threads 2] [--repeat 3] [--view view_ai_features_1h] [--rows FILE.parquet] [--engine both|duckdb]

Promises nothing about other machines: it prints the least of the repeats, the load of the machine beside it, and peak memory.
On a busy machine compare CPU seconds; divided by the threads they are the least time a quiet one could take.
"""
import argparse
import os
import pathlib
import resource
import tempfile
import time

import gen_rows
import schema


def cpu():
    """CPU seconds of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def least(repeat, run):
    """Least (seconds, CPU seconds) of some runs."""
    best = []
    for _ in range(repeat):
        wall, used = time.perf_counter(), cpu()
        run()
        best.append((time.perf_counter() - wall, cpu() - used))
    return min(b[0] for b in best), min(b[1] for b in best)


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument('rows_wanted', type=int, nargs='?', default=1_000_000)
    p.add_argument('--threads', type=int, default=2)
    p.add_argument('--repeat', type=int, default=3)
    p.add_argument('--view', default='view_ai_features_1h')
    p.add_argument('--rows', help='use this Parquet file; written if absent')
    p.add_argument('--engine', choices=('both', 'duckdb'), default='both')
    o = p.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        parquet = pathlib.Path(o.rows or pathlib.Path(scratch) / 'rows.parquet')
        if not parquet.exists():
            gen_rows.write(o.rows_wanted, parquet)
        duck = schema.duck(pathlib.Path(scratch) / 'speed.duckdb', o.threads)
        ch = schema.clickhouse(pathlib.Path(scratch) / 'clickhouse') if o.engine == 'both' else None
        if ch:
            ch.query(f'SET max_threads = {o.threads}')
        schema.load(duck, ch, parquet)
        rows, sessions = duck.execute('SELECT count(*), count(DISTINCT (win_ms, src_ip, ja4, host)) FROM ja4_processing.v_requests').fetchone()
        text = f'SELECT * FROM ja4_processing.{o.view}'
        print(f'{rows} rows, {sessions} sessions, {o.view}, {o.threads} threads, load {os.getloadavg()[0]:.1f}')
        engines = [('DuckDB', lambda: duck.execute(f'CREATE OR REPLACE TEMP TABLE answer AS {text}')), ('ClickHouse', lambda: ch.query(f'{text} FORMAT Null'))]
        for name, run in engines if ch else engines[:1]:
            wall, used = least(o.repeat, run)
            print(f'{name:11} {wall:6.2f} s, {used:6.2f} CPU s = {used / o.threads:.2f} s on {o.threads} quiet cores at best')
        if ch:
            ch.close()
        print(f'peak memory of the process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GiB')


if __name__ == '__main__':
    main()
