"""How little one hour out of thirty days reads in the ClickHouse engine: granules, at most 5 % of all, for what programs really ask.

    python window.py [--rows 300000] [--days 30]

Rows of ordinary density are made by the engine itself, in granules as small as the table is (512 rows in place of 8,192), so that a day
has about as many granules as one of 5 million requests. Fails where a statement reads more than its share, also where it finds nothing.
`store_speed.py` measures the same over 17 million rows. Read next: ../README.md (bounded reads).
"""
import argparse
import re
import sys
import tempfile

import schema

DAY_NS, HOUR_NS = 86_400_000_000_000, 3_600_000_000_000
START_NS = 1_790_000_000_000_000_000 // DAY_NS * DAY_NS
MOST = 0.05


def fill(connection, rows, days):
    """`rows` requests spread evenly over `days`, a block a day as they come in."""
    made, n = re.subn('index_granularity = 8192', 'index_granularity = 512', str(connection.query('SHOW CREATE TABLE ja4_logs.http_logs', 'TSVRaw')))
    assert n == 1, 'the table of requests says nothing of its granules any more: say here how they are made small'
    connection.query('DROP TABLE ja4_logs.http_logs SYNC')
    connection.query(made)
    a_day = rows // days
    for day in range(days):
        connection.query(f"""INSERT INTO ja4_logs.http_logs (row_hi, row_lo, ts_ns, src_ip, host, ja4, path, is_page)
            SELECT cityHash64(number)::Int64, number::Int64, {START_NS} + toInt64(number * {DAY_NS // a_day}),
              concat('10.0.', toString(cityHash64(number) % 250), '.', toString(cityHash64(number, 1) % 250)),
              concat('h', toString(number % 12)), concat('t13d', toString(number % 60)), concat('/p', toString(number % 300)), 1
            FROM numbers({day * a_day}, {a_day})""")


def asked(start_ns):
    """(name, statement) of what reads an hour."""
    end_ns = start_ns + HOUR_NS
    def of(path, *values):
        (text,) = schema.statements(schema.SQL / path)
        for value in values:
            text = text.replace('?', f"'{value}'", 1)
        return text
    frame = of('clickhouse/queries/feature_frame.sql').replace('/*from*/ 0', str(start_ns)).replace('/*to*/ 0', str(end_ns))
    return [
        ('features of a cycle', frame),
        ('what rules look at', of('shared/queries/rule_requests.sql', start_ns, end_ns)),
        ('keys before an append', of('clickhouse/queries/existing_keys.sql', start_ns, end_ns - 1)),
        ('requests to copy', of('shared/queries/requests_between.sql', start_ns, end_ns)),
    ]


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument('--rows', type=int, default=300_000)
    p.add_argument('--days', type=int, default=30)
    o = p.parse_args()
    problems = 0
    with tempfile.TemporaryDirectory() as scratch:
        connection = schema.clickhouse(f'{scratch}/clickhouse')
        fill(connection, o.rows, o.days)
        total = int(str(connection.query("SELECT sum(marks) FROM system.parts WHERE active AND database = 'ja4_logs' AND table = 'http_logs'", 'TSV')))
        for name, text in asked(START_NS + o.days // 2 * DAY_NS + 7 * HOUR_NS):
            plan = str(connection.query(f'EXPLAIN indexes = 1 {text}', 'TSVRaw'))
            # A read is a `ReadFromMergeTree` with its indexes below; the last line of each says what is left. A view reads several times.
            reads = [re.findall(r'Granules: (\d+)/\d+', read) for read in plan.split('ReadFromMergeTree (ja4_logs.http_logs)')[1:]]
            most = max((min(map(int, left)) if left else total for left in reads), default=total)
            answer = connection.query(text, 'TSV')
            found = str(answer).count('\n')
            good = reads and most <= MOST * total and found > 0
            problems += not good
            print(f'{"" if good else "TOO MUCH: "}{name}: each of {len(reads)} reads takes at most {most} of {total} granules = {100 * most / total:.2f} % ({100 * MOST:.0f} % allowed), {found} rows found')
        connection.close()
    print(f'window: {f"{problems} problems" if problems else "one hour reads its own granules"}')
    sys.exit(1 if problems else 0)


if __name__ == '__main__':
    main()
