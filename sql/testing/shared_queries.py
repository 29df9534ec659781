"""Every statement of sql/shared/queries on both engines, over what the program itself stored and scored there: the same rows.

    python shared_queries.py PATH/TO/ja4-lab        exit 1 and a sentence for each difference or refusal

The recorded set is replayed into a DuckDB file and into the ClickHouse engine (`chdb_http.py`), then scored by a detection cycle, with a
policy, a look at drift, and decisions of an analyst, so that most statements have something to answer. Each `?` gets a value
that stands in the data; marks (`/*condition*/`, `/*limit*/` …) keep their defaults. Filters and sort keys of the interface: api.py.
Promises: columns by name, type and order, and every value by its bits; the order of rows counts where a statement says ORDER BY.
Read next: parity.py (the views), api.py.
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
import warnings

import duckdb
import pyarrow as pa

import schema

ROOT = schema.SQL.parent
SITE = ROOT / 'datasets' / 'recorded' / 'site-small'
# What each program run writes of its own clock or chance: such columns are compared by presence only.
OWN = {'scored_run', 'run_id', 'feedback_id', 'decision_id', 'decided_ns', 'started_ns', 'finished_ns', 'sent_ns', 'counters'}
# About the schema's own history: one migration is ClickHouse's alone.
BY_DESIGN = {'applied_migrations'}
# Tables whose times are those of the run and not of the traffic.
RUN_TIMES = re.compile(r'ja4_processing\.(audit_logs|soc_feedback|alerts_sent|ml_performance_metrics|campaign_decisions|runs|leases|kept_rankings)\b')


class ClickHouse:
    """The engine behind its HTTP front-end, as the program meets it."""

    def __init__(self, folder):
        port = folder / 'port'
        command = [sys.executable, str(schema.SQL / 'testing' / 'chdb_http.py'), '--port', '0', '--path', str(folder / 'click'), '--port-file', str(port), '--until-stdin-closes']
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        patience = time.monotonic() + 120
        while not port.exists():
            assert self.process.poll() is None and time.monotonic() < patience, 'the ClickHouse engine does not start'
            time.sleep(0.05)
        self.port = port.read_text().strip()
        self.address = f'clickhouse://default@127.0.0.1:{self.port}'

    def ask(self, text, values):
        """The answer as an Arrow table; values travel beside the statement, as the store sends them."""
        parameters = {'default_format': 'ArrowStream', 'readonly': '1', 'output_format_arrow_compression_method': 'none', 'output_format_arrow_low_cardinality_as_dictionary': '0'}
        parameters |= {f'param_p{i}': v.replace('\\', '\\\\').replace('\t', '\\t').replace('\n', '\\n') for i, v in enumerate(values)}
        pieces = text.split('?')
        numbered = ''.join(piece + (f'{{p{i}:String}}' if i < len(pieces) - 1 else '') for i, piece in enumerate(pieces))
        url = f'http://127.0.0.1:{self.port}/?{urllib.parse.urlencode(parameters)}'
        try:
            with urllib.request.urlopen(urllib.request.Request(url, data=numbered.encode()), timeout=300) as answer:
                return pa.ipc.open_stream(answer.read()).read_all()
        except urllib.error.HTTPError as error:
            raise RuntimeError(error.read().decode()) from None

    def run(self, text):
        """A statement of an administrator, without answer."""
        try:
            urllib.request.urlopen(f'http://127.0.0.1:{self.port}/', data=text.encode(), timeout=300).read()
        except urllib.error.HTTPError as error:
            raise RuntimeError(f'{text[:90]!r}: {error.read().decode()}') from None

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def fill(lab, db):
    """What a site does with a store, in the small."""
    run = lambda *arguments: subprocess.run([lab, *arguments, '--db', db], check=True, capture_output=True, text=True).stdout
    run('replay', str(SITE / 'capture.pcap.gz'), '--http-log', str(SITE / 'access.jsonl.gz'), '--no-score')
    run('rules', 'import', str(ROOT / 'datasets' / 'reference' / 'policy-sample.yaml'))
    run('detect', '--once', '--window', '1d', '--alert-file', '/dev/null')
    worst = json.loads(run('sessions', '--top', '1', '--format', 'jsonl').splitlines()[0])
    run('feedback', 'add', '--session', worst['session_id'], '--verdict', 'human', '--note', "it's fine", '--analyst', 'ann')
    hour = '2026-11-20T19:00:00Z..2026-11-20T20:00:00Z'
    run('drift', '--reference', hour, '--now', hour)
    campaign = json.loads(run('campaigns', 'list', '--format', 'jsonl').splitlines()[0])['campaign_id']
    run('campaigns', 'rename', campaign, 'the worst', '--analyst', 'ann')
    return worst, campaign


def plain(path):
    """The text without comment lines and its last `;`."""
    lines = [line for line in path.read_text().split('\n') if not line.lstrip().startswith('--')]
    text = '\n'.join(lines).strip().rstrip(';')
    return text.replace('/*from*/ 0', '0').replace('/*to*/ 0', '9000000000000000000').replace('/*table*/', 'ja4_processing.campaign_members')


def values(text, known):
    """A text for each `?`, by what stands before it: the column it is compared with, or what a number bounds."""
    found = []
    for match in re.finditer(r'\?', text):
        before = text[:match.start()]
        number = re.search(r'CAST\($', before)
        if not number:
            name = re.search(r'(\w+)\s*(?:=|<>|<|>=)\s*$', before)
            name = name.group(1) if name else 'src_ip'
            found.append(known.get(name, known['campaign_id'] if 'campaign' in text else ''))
        elif re.search(r'OFFSET CAST\($', before):
            found.append('0')
        elif re.search(r'LIMIT CAST\($', before):
            found.append('100000')
        elif re.search(r'% CAST\($', before):
            found.append('60000000000')
        elif re.search(r'(<|<=) CAST\($', before):
            # An upper bound; in ms where it is multiplied.
            found.append(known['win_ms'] if text[match.end():].startswith(' AS BIGINT) * 1000000') else '9000000000000000000')
        elif re.search(r'>=? CAST\($', before):
            found.append(known['win_ms'] if text[match.end():].startswith(' AS BIGINT) * 1000000') else '0')
        else:
            found.append('9000000000000000000' if 'before_ns' in text else '60000000000')
    return found


KINDS = {'int8': 'int', 'int16': 'int', 'int32': 'int', 'int64': 'int', 'uint8': 'int', 'uint16': 'int', 'uint32': 'int', 'uint64': 'int', 'bool': 'int',
         'string': 'text', 'large_string': 'text', 'binary': 'text', 'large_binary': 'text', 'string_view': 'text', 'double': 'float', 'float': 'float'}


def comparable(table, text):
    """Rows of plain values; those of the run's own clock or chance as whether there is one."""
    own = OWN | ({'ts_ns', 'first_ns', 'last_ns', 'value', 'day'} if RUN_TIMES.search(text) else set())
    columns = []
    for name, column in zip(table.column_names, table.columns):
        cells = [cell.decode() if isinstance(cell, bytes) else cell for cell in column.to_pylist()]
        if name in own:
            cells = [cell not in (None, '') for cell in cells]
        columns.append([cell.hex() if isinstance(cell, float) else cell for cell in cells])
    return [tuple(row) for row in zip(*columns)]


def difference(text, duck, click):
    """A sentence about what differs, or none."""
    if duck.column_names != click.column_names:
        return f'columns {duck.column_names} and {click.column_names}'
    for field, other in zip(duck.schema, click.schema):
        kinds = [KINDS.get(str(one.type), str(one.type)) for one in (field, other)]
        if kinds[0] != kinds[1] and not str(field.type).startswith('decimal'):
            return f'{field.name} is {field.type} in DuckDB and {other.type} in ClickHouse'
    have, want = comparable(duck, text), comparable(click, text)
    if not re.search(r'ORDER BY[^)]*$', text):
        have, want = sorted(have, key=repr), sorted(want, key=repr)
    if len(have) != len(want):
        return f'{len(have)} rows in DuckDB, {len(want)} in ClickHouse'
    for row, (one, two) in enumerate(zip(have, want)):
        for name, a, b in zip(duck.column_names, one, two):
            if a != b:
                return f'row {row}, {name}: DuckDB {a!r}, ClickHouse {b!r}'
    return None


def main():
    warnings.filterwarnings('ignore', message='Arrow output on a DB-API result')
    lab = sys.argv[1]
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        click = ClickHouse(folder)
        try:
            worst, campaign = fill(lab, str(folder / 'site.duckdb'))
            fill(lab, click.address)
            duck = duckdb.connect(str(folder / 'site.duckdb'), read_only=True)
            duck.execute("SET TimeZone='UTC'")
            names = ['src_ip', 'ja4', 'host', 'session_id', 'win_ms']
            # The worst session names an address, a fingerprint, an hour.
            row = duck.execute(f"SELECT {', '.join(names)} FROM ja4_processing.ml_all_scores WHERE session_id = ?", [worst['session_id']]).fetchone()
            known = dict(zip(names, map(str, row)))
            known |= {'client_ip': known['src_ip'], 'campaign_id': campaign, 'kind': 'ip', 'day': '0', 'name': 'detect', 'address': known['src_ip']}
            wrong, ran, empty = [], 0, []
            for path in sorted((schema.SQL / 'shared' / 'queries').glob('*.sql')):
                if path.stem in BY_DESIGN:
                    continue
                text = plain(path)
                given = values(text, known)
                try:
                    one, two = duck.execute(text, given).to_arrow_table(), click.ask(text, given)
                except Exception as error:
                    wrong.append(f'{path.name}: {str(error).splitlines()[0][:240]}')
                    continue
                ran += 1
                if one.num_rows == 0:
                    empty.append(path.stem)
                found = difference(text, one, two)
                if found:
                    wrong.append(f'{path.name}: {found}')
        finally:
            click.end()
    for line in wrong:
        print(line)
    print(f'shared queries: {ran} ran on both engines, {len(wrong)} problems; nothing to answer in {len(empty)}: {", ".join(empty)}')
    sys.exit(1 if wrong else 0)


if __name__ == '__main__':
    main()
