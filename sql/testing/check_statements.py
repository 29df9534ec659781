"""Every statement of sql/ against the parser of its engine, and every place of the program that puts text into a statement.

    python check_statements.py     exit 1 and a sentence for each difference

Checks: each query file opens with a comment; ClickHouse's parser (formatQuery) accepts every statement of migrations, their undo,
views, queries and access.sql, also those the test engine cannot run (users, roles, grants, quotas); each migration has its undo; the
undo files run after the migrations and leave nothing behind; no Rust source outside tests builds a statement: none holds one in a
string, and marks in statements (`/*mark*/`) are replaced only at the places listed below, each with what it puts there.
"""
import re
import sys
import tempfile

import schema

ROOT = schema.SQL.parent

# Where a mark of a statement is replaced, and by what: names that are constants of the program, integers, or what a person typed as SQL
# into a read-only and confined connection. Values of data never.
PLACES = {
    'replay/src/store/clickhouse/sql.rs': {'table': 'constant', 'staging': 'constant', 'columns': 'constants'},
    'replay/src/store/clickhouse/tables.rs': {'column': 'constant'},
    'replay/src/store/clickhouse/cluster.rs': {'cluster': 'name, checked to be letters, digits and _', 'schema': 'constant', 'name': 'constant', 'key': 'constant'},
    'replay/src/store/duckdb/tables.rs': {'table': 'constant', 'column': 'constant', 'more': 'one mark ? for each further value'},
    'replay/src/store/duckdb/mod.rs': {'threads': 'integer'},
    'lab/src/sessions.rs': {'condition': 'what a person typed as SQL, read-only and confined', 'top': 'integer'},
    'lab/src/cycle/mod.rs': {'from': 'integer', 'to': 'integer'},
    'lab/src/compare/mod.rs': {'column': 'constant'},
    'lab/src/db/copy.rs': {'table': 'constant'},
    'lab/src/cli/export.rs': {'table': 'constant'},
    'lab/src/rescore/mod.rs': {'rescored': 'a text of sql/ with values as ?'},
    'lab/src/service/api/statement.rs': {'filters': 'pieces of the head of the same file', 'sort': 'names of the head of the same file'},
    'desktop/src/data/query.rs': {'condition': 'compiled search: columns of ours, values as ?', 'limit': 'integer', 'order': 'columns of ours'},
}
# Strings that only show a statement to a person, who may run it or not.
SHOWN = {'desktop/src/views/sql/mod.rs'}
# Words that begin a statement, in a string literal.
STATEMENT = re.compile(r'"(?:[^"\\]|\\.)*?\b(SELECT\s+[\w*(]|INSERT\s+INTO\s|DELETE\s+FROM\s|UPDATE\s+\w+\s+SET\s|ALTER\s+TABLE\s|DROP\s+(?:TABLE|VIEW|DATABASE)\s|CREATE\s+(?:OR\s+REPLACE\s+)?(?:TABLE|VIEW|DATABASE)\s)')


def without_tests(text):
    """Rust source without comments and without the test module at its end."""
    text = text.split('#[cfg(test)]')[0]
    return '\n'.join(line.split('//')[0] if line.lstrip().startswith('//') else line for line in text.split('\n'))


def sources():
    for folder in ('replay/src', 'lab/src', 'desktop/src', 'capture/src'):
        yield from sorted((ROOT / folder).rglob('*.rs'))


def in_rust():
    for path in sources():
        name = str(path.relative_to(ROOT))
        text = without_tests(path.read_text())
        for number, line in enumerate(text.split('\n'), 1):
            if STATEMENT.search(line) and name not in SHOWN and 'help' not in line and not re.search(r'#\[|(?:starts_with|contains|strip_prefix)\(', line):
                yield f'{name}:{number}: a statement stands in a string: {line.strip()[:90]}'
        for mark in re.findall(r'"/\*(\w+)\*/', text):
            if mark not in PLACES.get(name, {}):
                yield f'{name}: the mark /*{mark}*/ of a statement is replaced here; list in sql/testing/check_statements.py what is put there'


def plain(text):
    """A statement with its marks and `?` filled as the program would."""
    for mark, value in [('table', 'ja4_processing.runs'), ('staging', 'ja4_processing.runs_staging'), ('columns', 'run_id'), ('column', 'run_id'),
                        ('schema', 'ja4_logs'), ('name', 'http_logs'), ('cluster', 'site'), ('key', 'sipHash64(src_ip)')]:
        text = text.replace(f'/*{mark}*/', value)
    pieces = re.split(r"('(?:[^'\\]|\\.)*')", text)
    return ''.join(p if p.startswith("'") else p.replace('?', '{p0:String}') for p in pieces)


def parsed(connection):
    files = sorted((schema.SQL / 'clickhouse').rglob('*.sql')) + sorted((schema.SQL / 'shared').rglob('*.sql'))
    count = 0
    for path in files:
        for text in schema.statements(path):
            count += 1
            text = plain(text)
            if text.endswith('FORMAT ArrowStream'):
                text = text.replace('FORMAT ArrowStream', 'VALUES (1)')
            try:
                connection.query('SELECT formatQuery({s:String})', params={'s': text.replace('\\', '\\\\').replace('\t', '\\t').replace('\n', '\\n')})
            except Exception as error:
                yield f'{path.relative_to(ROOT)}: {text[:60]!r}: {str(error)[:160]}'
    print(f'statements: {count} of ClickHouse parsed')


def undone(connection):
    for path in reversed(schema.migrations('clickhouse')):
        for text in schema.statements(path.with_name(path.name.replace('.sql', '.undo.sql'))):
            connection.query(text)
    left = str(connection.query("SELECT database || '.' || name FROM system.tables WHERE startsWith(database, 'ja4_') AND name NOT LIKE 'view\\_%' AND name NOT LIKE 'v\\_%'", 'TSV')).split()
    if left:
        yield f'the undo files leave {left}'


def dictionaries():
    """Those of access_dictionaries.sql are those of the migration, read as another user."""
    made = lambda name: [t for t in schema.statements(schema.SQL / 'clickhouse' / name) if re.match(r'CREATE (OR REPLACE )?DICTIONARY', t)]
    want = [t.replace('CREATE DICTIONARY IF NOT EXISTS', 'CREATE OR REPLACE DICTIONARY').replace('CLICKHOUSE(DB', "CLICKHOUSE(USER 'ja4_dictionary' DB") for t in made('0003_intake.sql')]
    have = made('access_dictionaries.sql')
    rights = (schema.SQL / 'clickhouse' / 'access_dictionaries.sql').read_text()
    for text in want:
        table = re.search(r"TABLE '(\w+)'", text).group(1)
        if text not in have or f'GRANT SELECT ON ja4_processing.{table} TO ja4_dictionary' not in rights:
            yield f'sql/clickhouse/access_dictionaries.sql: lacks the dictionary over {table} as 0003_intake.sql makes it, or the right to read it'
    if len(want) != len(have):
        yield f'sql/clickhouse/access_dictionaries.sql: {len(have)} dictionaries, the migration has {len(want)}'


def problems():
    yield from dictionaries()
    for path in sorted(schema.SQL.glob('*/queries/*.sql')):
        if not path.read_text().startswith('-- '):
            yield f'{path.relative_to(ROOT)}: opens with no comment that says what it gives'
    for engine in ('duckdb', 'clickhouse'):
        for path in schema.migrations(engine):
            if not path.with_name(path.name.replace('.sql', '.undo.sql')).exists():
                yield f'{path.relative_to(ROOT)}: nothing says how to undo it'
    yield from in_rust()
    with tempfile.TemporaryDirectory() as folder:
        connection = schema.clickhouse(folder)
        yield from parsed(connection)
        yield from undone(connection)
        connection.close()


if __name__ == '__main__':
    found = list(problems())
    for line in found:
        print(line)
    print(f'statements: {len(found)} problems' if found else 'statements: none is built from data, each engine accepts its own')
    sys.exit(1 if found else 0)
