"""What the tests know of the schema: the columns of row.rs, the statements of a SQL file, an engine with everything applied.

Promises: the order of files here is the order of ../README.md; statements end with `;` at a line end, as the store splits them.
Read next: parity.py, oracle.py.
"""
import pathlib
import re

VIEWS = ['view_ai_features_1h', 'view_thesis_features_1h', 'view_resource_cascade_1h', 'view_form_bruteforce_detected', 'view_host_ip_ja4_rotation', 'view_dashboard_entities', 'view_dashboard_user_agents']
SQL = pathlib.Path(__file__).resolve().parent.parent
ROW_RS = SQL.parent / 'replay' / 'join' / 'src' / 'row.rs'
KINDS = {'BIGINT': 'Int64', 'DOUBLE': 'Float64', 'VARCHAR': 'String', 'Int': 'Int64', 'Float': 'Float64', 'Text': 'String'}


def row_columns():
    """(name, Int|Float|Text) of every column of the joined row, in order."""
    return re.findall(r'^    (\w+): (Int|Float|Text) = "', ROW_RS.read_text(), re.M)


def statements(path):
    """The statements of a file: comment lines dropped, split where a line ends with `;`."""
    lines = [l for l in pathlib.Path(path).read_text().splitlines() if not l.lstrip().startswith('--')]
    return [s.strip() for s in re.split(r';[ \t]*(?:\n|$)', '\n'.join(lines)) if s.strip()]


def migrations(engine):
    """Numbered files of an engine in order, without the undo files."""
    return sorted(p for p in (SQL / engine).glob('[0-9]*.sql') if not p.name.endswith('.undo.sql'))


def shared_files():
    """The shared views in the order in which they may be created."""
    return [SQL / 'shared' / f'{name}.sql' for name in VIEWS]


def view_files(engine):
    """What is applied after the migrations at every start, in order."""
    shared = shared_files()
    own = [SQL / engine / f'{name}.sql' for name in ('prelude', 'base', 'aggregates')]
    return [p for p in [*own, *shared, SQL / engine / 'bounded.sql'] if p.exists()]


def apply_all(engine, run):
    """Applies every file; `run` executes one statement."""
    for path in migrations(engine) + view_files(engine):
        for text in statements(path):
            try:
                run(text)
            except Exception as error:
                raise RuntimeError(f'{engine}: {path.name}: {text[:90]!r}: {error}') from error


def duck(path=':memory:', threads=2):
    """A DuckDB connection with everything applied."""
    import duckdb
    connection = duckdb.connect(str(path))
    connection.execute(f"SET TimeZone='UTC'; SET threads={threads}")
    apply_all('duckdb', connection.execute)
    return connection


def clickhouse(path):
    """A connection to the ClickHouse engine with everything applied."""
    import chdb
    connection = chdb.connect(f'{path}?log-level=fatal')
    apply_all('clickhouse', connection.query)
    return connection


def load(duck_connection, ch_connection, parquet):
    """The rows of a Parquet file into http_logs of both engines (either may be None)."""
    names = ', '.join(c for c, _ in row_columns())
    if duck_connection is not None:
        duck_connection.execute(f"INSERT INTO ja4_logs.http_logs SELECT {names} FROM read_parquet('{parquet}')")
    if ch_connection is not None:
        ch_connection.query(f"INSERT INTO ja4_logs.http_logs ({names}) SELECT {names} FROM file('{parquet}', 'Parquet')")
