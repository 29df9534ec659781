"""Who may read what: the grants of sql/clickhouse/access*.sql, enforced by the real engine.

    python access.py

The engine cannot keep users of its own, but takes them from a file: each role becomes a user with the grants as they stand in the files.
A dictionary over a query reads it as the user it names, so a reading that the role may or may not do is tried for real; the six
dictionaries of access_dictionaries.sql are asked as they are. What this cannot show is writing: inserts and staging tables as a user.
Read next: ../clickhouse/access.sql.
"""
import pathlib
import re
import sys
import tempfile
from xml.sax.saxutils import escape

import schema

FOLDER = schema.SQL / 'clickhouse'
FILES = ['access.sql', 'access_dictionaries.sql']
USERS = '''<clickhouse><users><default><password></password><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota>
<access_management>1</access_management></default>{}</users><profiles><default/></profiles><quotas><default/></quotas></clickhouse>'''
USER = '<{0}><no_password/><networks><ip>127.0.0.1</ip><ip>::1</ip></networks><profile>default</profile><quota>default</quota><grants>{1}</grants></{0}>'


def grants(files):
    """{role: [its GRANT statements without TO]}."""
    found = {}
    for name in files:
        for text in schema.statements(FOLDER / name):
            m = re.match(r'(GRANT .*) TO ([\w, ]+)$', text, re.S)
            for role in m.group(2).split(', ') if m else ():
                found.setdefault(role, []).append(m.group(1))
    return found


def engine(folder, roles):
    """A connection to the engine with everything applied and a user for each role."""
    import chdb
    users, config = folder / 'users.xml', folder / 'config.xml'
    users.write_text(USERS.format(''.join(USER.format(role, ''.join(f'<query>{escape(grant)}</query>' for grant in given)) for role, given in roles.items())))
    config.write_text(f'<clickhouse><user_directories><users_xml><path>{users}</path></users_xml></user_directories></clickhouse>')
    connection = chdb.connect(f'{folder}/data?config-file={config}&log-level=fatal')
    schema.apply_all('clickhouse', connection.query)
    return connection


def query(path):
    """A statement of sql/ with values for its `?` and marks."""
    (text,) = schema.statements(FOLDER.parent / path)
    return text.replace('?', "'0'").replace('/*from*/ 0', '0').replace('/*to*/ 0', '1')


def reads(connection, role, text):
    """None, or why `role` cannot read `text`."""
    whole = f'SELECT toUInt64(1) AS id, toInt64(count()) AS n FROM ({text})'.replace('\\', '\\\\').replace("'", "\\'")
    connection.query(f"CREATE OR REPLACE DICTIONARY default.probe (id UInt64, n Int64) PRIMARY KEY id SOURCE(CLICKHOUSE(USER '{role}' QUERY '{whole}')) LAYOUT(FLAT()) LIFETIME(0)")
    try:
        connection.query("SELECT dictGet('default.probe', 'n', toUInt64(1))")
    except Exception as error:
        return str(error).splitlines()[0]
    return None


def cases():
    """(role, what, statement, whether it may)."""
    scores, requests = 'SELECT * FROM ja4_processing.ml_all_scores', 'SELECT * FROM ja4_logs.http_logs'
    feature, keys = query('clickhouse/queries/feature_frame.sql'), query('clickhouse/queries/existing_keys.sql')
    version, spread = query('clickhouse/queries/version.sql'), "SELECT * FROM remote('localhost', ja4_logs, http_logs)"
    health, info = query('clickhouse/queries/health.sql'), query('clickhouse/queries/info.sql')
    for role in ('ja4_writer', 'ja4_detector', 'ja4_analyst', 'ja4_admin'):
        yield role, 'opening', version, True
        yield role, 'applied migrations', query('shared/queries/applied_migrations.sql'), True
    yield 'ja4_writer', 'keys before an append', keys, True
    yield 'ja4_writer', 'inputs', query('shared/queries/inputs.sql'), True
    yield 'ja4_writer', 'scores', scores, False
    yield 'ja4_writer', 'feedback', 'SELECT * FROM ja4_processing.soc_feedback', False
    yield 'ja4_shipper', 'requests', requests, False
    yield 'ja4_shipper', 'lines', 'SELECT * FROM ja4_logs.http_logs_raw', False
    for role in ('ja4_detector', 'ja4_analyst', 'ja4_admin'):
        yield role, 'features of a cycle', feature, True
        yield role, 'scores', scores, True
        yield role, 'other servers', spread, role == 'ja4_admin'
        yield role, 'users', 'SELECT * FROM system.users', False
    for role in ('ja4_detector', 'ja4_admin'):
        yield role, 'health', health, True
        yield role, 'info', info, True
    yield 'ja4_dictionary', 'addresses of crawlers', 'SELECT * FROM ja4_processing.ref_bot_ip', True
    yield 'ja4_dictionary', 'requests', requests, False


def judge(connection, role, what, text, may):
    why = reads(connection, role, text)
    if (why is None) == may and (may or 'ACCESS_DENIED' in why):
        return 0
    print(f'  {role}, {what}: {"may not: " + why[:300] if may else "may, and should not" if why is None else why[:300]}')
    return 1


def answers(connection):
    """Each dictionary gives what its table holds, read as ja4_dictionary."""
    rows = [('ref_asn', "'192.0.2.0/24', 64500, 'Example', 'FR', 'isp', 'test'"), ('ref_bot_ip', "'192.0.2.0/24', 'bot', 'crawler', 'test'"),
            ('ref_bot_ja4', "'j', 'curl', 'tool', 'test'"), ('ref_browser_ja4', "'j', 'chrome', 'linux', 1, 2, 'test'"),
            ('ref_browser_h2', "'h', 'chrome', 'test'"), ('ref_rules_anubis', "1, 'rule', 'user_agent', '', 'curl', 'deny', 0, 'test'")]
    for table, values in rows:
        connection.query(f'INSERT INTO ja4_processing.{table} VALUES ({values})')
    for text in schema.statements(FOLDER / 'access_dictionaries.sql'):
        if text.startswith('CREATE OR REPLACE DICTIONARY'):
            connection.query(text)
    address = "toIPv6('192.0.2.7')"
    asked = [('dict_asn', 'as_name', address, 'Example'), ('dict_bot_ip', 'name', address, 'bot'), ('dict_bot_ja4', 'name', "tuple('j')", 'curl'),
             ('dict_browser_ja4', 'family', "tuple('j')", 'chrome'), ('dict_browser_h2', 'family', "tuple('h')", 'chrome'),
             ('dict_rules_user_agent', 'action', "'curl/8.0'", 'deny')]
    problems = 0
    for name, column, key, want in asked:
        try:
            got = str(connection.query(f"SELECT dictGet('ja4_processing.{name}', '{column}', {key})", 'TSVRaw')).strip()
        except Exception as error:
            got = str(error).splitlines()[0][:200]
        if got != want:
            problems += 1
            print(f'  {name}: {got!r}, not {want!r}')
    return problems


def main():
    problems, tried = 0, 0
    with tempfile.TemporaryDirectory() as scratch:
        roles = grants(FILES)
        # What the detector of a cluster may beyond that, as a user of its own.
        roles['cluster_detector'] = roles['ja4_detector'] + grants(['access_cluster.sql'])['ja4_detector']
        connection = engine(pathlib.Path(scratch), roles)
        extra = ('cluster_detector', 'other servers', "SELECT * FROM remote('localhost', ja4_logs, http_logs)", True)
        for case in [*cases(), extra]:
            tried += 1
            problems += judge(connection, *case)
        problems += answers(connection)
        connection.close()
    print(f'access: {problems} problems' if problems else f'access: {tried} readings allowed or refused as the roles say, six dictionaries read by their own user')
    sys.exit(1 if problems else 0)


if __name__ == '__main__':
    main()
