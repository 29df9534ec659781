#!/usr/bin/env python3
"""ClickHouse's HTTP interface, as far as the Rust `clickhouse` crate 0.15 (and curl) needs it, over chdb.

    python chdb_http.py --path DIR --port 18123 [--schema] [--config-file conf.xml] [--user u --password p]
                        [--compatibility 24.8] [--advertise 24.8.14.39] [--init a.sql --init b.sql] [--port-file FILE] [--until-stdin-closes]

Only the standard library and chdb. TEST USE ONLY (no TLS, one process, queries serialised by a lock).
--schema applies all files of sql/clickhouse and sql/shared; --port 0 takes a free port and writes it to --port-file.
It cannot show CREATE USER, ROLE, GRANT and QUOTA, asynchronous inserts, Replicated engines or real parallelism.

What it does
  GET  /ping, /, /replicas_status          -> Ok.
  GET  /?query=...                         -> readonly=1 query
  POST /?query=INSERT..FORMAT F  body=data -> streamed into chdb with Connection.send_insert (no temp file);
                                             chunked request bodies; an aborted chunked body cancels the INSERT
  POST /?default_format=F        body=SQL  -> query (also INSERT ... VALUES / FORMAT JSONEachRow with inline data)
  multipart/form-data body                 -> query + param_* fields (what clickhouse-rs sends with .param())
  every other URL parameter                -> SET name = value on a connection opened for this request only
  decompress=1                             -> ClickHouse block framing, LZ4 or none (pure python, slow; CityHash is not checked)
  Accept-Encoding: lz4 (what clickhouse-rs sends) -> ignored: the answer is plain, without Content-Encoding, which is legal
  compress=1                               -> refused (old clients; needs CityHash128)
  errors                                   -> X-ClickHouse-Exception-Code, ClickHouse's own HTTP status, message in the body
"""
import argparse, json, os, re, struct, sys, threading, time, uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit, parse_qsl
import chdb

RESERVED = {'query', 'database', 'default_format', 'user', 'password', 'compress', 'decompress', 'session_id',
            'session_timeout', 'session_check', 'query_id', 'quota_key', 'role', 'buffer_size', 'wait_end_of_query',
            'stacktrace', 'enable_http_compression', 'http_zlib_compression_level', 'client_protocol_version',
            'add_http_cors_header', 'send_progress_in_http_headers', 'http_headers_progress_interval_ms',
            'cancel_http_readonly_queries_on_client_close', 'http_write_exception_in_output_format'}
# exceptionCodeToHTTPStatus() of ClickHouse
STATUS = {194: 401, 516: 403, 192: 403, 193: 403, 497: 403, 291: 403, 195: 403,
          60: 404, 46: 404, 47: 404, 50: 404, 56: 404, 81: 404, 115: 404, 73: 404, 63: 404, 70: 400,
          6: 400, 26: 400, 27: 400, 38: 400, 41: 400, 53: 400, 62: 400, 67: 400, 43: 400, 117: 400, 158: 500,
          159: 408, 160: 408, 381: 411, 164: 500, 209: 503, 210: 503, 439: 503}
CT = {'TabSeparated': 'text/tab-separated-values; charset=UTF-8', 'CSV': 'text/csv; charset=UTF-8',
      'JSON': 'application/json; charset=UTF-8', 'JSONEachRow': 'application/x-ndjson; charset=UTF-8',
      'JSONCompact': 'application/json; charset=UTF-8', 'Pretty': 'text/plain; charset=UTF-8'}
INSERT = re.compile(r'^\s*(?:--[^\n]*\n\s*|/\*.*?\*/\s*)*insert\s+into\b', re.I | re.S)
TAIL_FORMAT = re.compile(r'\sFORMAT\s+([A-Za-z0-9_]+)\s*;?\s*$', re.I | re.S)
TAIL_VALUES = re.compile(r'\sVALUES\s*;?\s*$', re.I)
CODE = re.compile(r'Code: (\d+)\.')
RETURNS_ROWS = re.compile(r'^\s*(?:--[^\n]*\n\s*|/\*.*?\*/\s*|\(\s*)*(select|with|show|desc|describe|explain|exists|check|values)\b', re.I | re.S)


class HttpError(Exception):
    def __init__(self, code, name, msg, status=None):
        self.code, self.status = code, status
        super().__init__(f'Code: {code}. DB::Exception: {msg}. ({name})')


def lz4_block(src, n):
    """raw LZ4 block -> n bytes"""
    out, i, end = bytearray(), 0, len(src)
    while i < end:
        tok = src[i]; i += 1
        ln = tok >> 4
        if ln == 15:
            while True:
                b = src[i]; i += 1; ln += b
                if b != 255: break
        out += src[i:i + ln]; i += ln
        if i >= end: break
        off = src[i] | src[i + 1] << 8; i += 2
        ml = (tok & 15) + 4
        if ml == 19:
            while True:
                b = src[i]; i += 1; ml += b
                if b != 255: break
        p = len(out) - off
        if off == 0 or p < 0: raise HttpError(432, 'CANNOT_DECOMPRESS', 'bad LZ4 offset')
        if off >= ml: out += out[p:p + ml]
        else:
            pat = bytes(out[p:]); out += (pat * (ml // off + 1))[:ml]
    if len(out) != n: raise HttpError(432, 'CANNOT_DECOMPRESS', 'bad LZ4 block length')
    return bytes(out)


def ch_frames(chunks):
    """ClickHouse native framing: 16 bytes CityHash128, 1 byte method, u32 compressed size (with 9 byte header), u32 size"""
    buf = b''
    for c in chunks:
        buf += c
        while len(buf) >= 25:
            method, csz, usz = struct.unpack_from('<BII', buf, 16)
            if len(buf) < 16 + csz: break
            body = buf[25:16 + csz]; buf = buf[16 + csz:]
            if method == 0x82: yield lz4_block(body, usz)
            elif method == 0x02: yield body
            else: raise HttpError(89, 'UNKNOWN_COMPRESSION_METHOD', f'compression method 0x{method:02x} is not supported by chdb_http (use Compression::None or Lz4)')
    if buf: raise HttpError(33, 'CANNOT_READ_ALL_DATA', 'truncated compressed block')


class Aborted(Exception): pass


class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    server_version = 'chdb_http'
    wbufsize = -1
    disable_nagle_algorithm = True

    def log_message(self, fmt, *a):
        if self.server.opt.verbose: sys.stderr.write('%s %s\n' % (self.address_string(), fmt % a))

    # ---- request body
    def body_chunks(self):
        if 'chunked' in self.headers.get('Transfer-Encoding', '').lower():
            while True:
                line = self.rfile.readline(1024)
                if not line.endswith(b'\n'): raise Aborted
                n = int(line.split(b';')[0].strip() or b'-1', 16)
                if n == 0:
                    while self.rfile.readline(65536).strip(): pass
                    self.body_done = True
                    return
                left = n
                while left:
                    d = self.rfile.read(min(left, 1 << 20))
                    if not d: raise Aborted
                    left -= len(d); yield d
                self.rfile.readline(16)
        else:
            left = int(self.headers.get('Content-Length') or 0)
            while left:
                d = self.rfile.read(min(left, 1 << 20))
                if not d: raise Aborted
                left -= len(d); yield d
            self.body_done = True

    def multipart(self, body):
        m = re.search(r'boundary="?([^";]+)', self.headers['Content-Type'])
        out = {}
        for part in body.split(b'--' + m.group(1).encode())[1:-1]:
            head, _, val = part.partition(b'\r\n\r\n')
            name = re.search(rb'name="([^"]*)"', head)
            if name: out[name.group(1).decode()] = val[:-2].decode()
        return out

    # ---- answers
    def reply(self, status, body=b'', headers=()):
        self.send_response(status)
        for k, v in headers: self.send_header(k, v)
        self.send_header('Content-Length', str(len(body)))
        if not self.body_done or self.close_connection:     # or the client asked for it
            self.send_header('Connection', 'close'); self.close_connection = True
        else:
            self.send_header('Connection', 'Keep-Alive'); self.send_header('Keep-Alive', 'timeout=30')
        self.end_headers()
        if self.command != 'HEAD': self.wfile.write(body)
        self.wfile.flush()

    def fail(self, exc, qid):
        msg = str(exc).strip()
        if not isinstance(exc, HttpError) and not CODE.search(msg): msg = 'Code: 1002. DB::Exception: ' + msg
        code = int(CODE.search(msg).group(1))
        if '(version' not in msg: msg += f' (version {self.server.opt.advertise or self.server.engine_version})'
        # the client may still be sending: read the rest, or it sees a broken pipe in place of this message
        try:
            if not self.body_done:
                n = 0
                for c in self.chunks:
                    n += len(c)
                    if n > 256 << 20: break
        except Exception: pass
        status = getattr(exc, 'status', None) or STATUS.get(code, 500)
        self.reply(status, (msg + '\n').encode(), [('Content-Type', 'text/plain; charset=UTF-8'),
            ('X-ClickHouse-Exception-Code', str(code)), ('X-ClickHouse-Query-Id', qid)])

    def do_HEAD(self): self.do_GET()

    def do_GET(self):
        u = urlsplit(self.path); self.body_done = True; self.chunks = iter(())
        if u.path in ('/ping', '/replicas_status') or (u.path == '/' and not u.query):
            return self.reply(200, b'Ok.\n', [('Content-Type', 'text/html; charset=UTF-8')])
        self.run(u, readonly=True)

    def do_POST(self):
        self.body_done = False; self.chunks = self.body_chunks()
        self.run(urlsplit(self.path), readonly=False)
    do_PUT = do_POST

    def run(self, u, readonly):
        p, sets, params = {}, [], {}
        for k, v in parse_qsl(u.query, keep_blank_values=True):
            if k.startswith('param_'): params[k[6:]] = v
            elif k in RESERVED: p[k] = v
            else: sets.append((k, v))
        qid = p.get('query_id') or str(uuid.uuid4())
        try:
            o = self.server.opt
            if o.user is not None:
                usr = p.get('user') or self.headers.get('X-ClickHouse-User') or 'default'
                pw = p.get('password') or self.headers.get('X-ClickHouse-Key') or ''
                if (usr, pw) != (o.user, o.password or ''):
                    raise HttpError(516, 'AUTHENTICATION_FAILED', f'{usr}: Authentication failed: password is incorrect, or there is no user with such name')
            if u.path not in ('/', ''): raise HttpError(404, 'NOT_FOUND', f'There is no handle {u.path}', status=404)
            if p.get('compress') == '1':       # frames need CityHash128, which the standard library lacks; clickhouse-rs 0.15 never asks
                raise HttpError(344, 'SUPPORT_IS_DISABLED', 'compress=1 is not supported by chdb_http')
            chunks = self.chunks
            if p.get('decompress') == '1': chunks = ch_frames(chunks)
            sql = p.get('query', '')
            if self.headers.get('Content-Type', '').startswith('multipart/form-data'):
                f = self.multipart(b''.join(chunks)); chunks = iter(())
                sql = f.pop('query', sql)
                for k, v in f.items():
                    if k.startswith('param_'): params[k[6:]] = v
                    else: sets.append((k, v))
            t0 = time.perf_counter()
            db = p.get('database') or self.headers.get('X-ClickHouse-Database')
            sid = p.get('session_id')
            conn = self.server.connection(sid)
            try:
                with self.server.lock:
                    if db: conn.query('USE `%s`' % db.replace('`', '\\`'))
                    if readonly: sets.append(("readonly", "2"))
                    if o.compatibility and not any(k == 'compatibility' for k, _ in sets):
                        conn.query(f"SET compatibility='{o.compatibility}'")
                    # a server applies all settings of a request at once; here one after the other, so what forbids the rest comes last
                    for k, v in sorted(sets, key=lambda s: s[0] == 'readonly'):
                        if not re.fullmatch(r'[A-Za-z_][A-Za-z0-9_.]*', k): raise HttpError(115, 'UNKNOWN_SETTING', f'Unknown setting {k}')
                        conn.query("SET %s = '%s'" % (k, v.replace('\\', '\\\\').replace("'", "\\'")))
                stream_fmt = None
                if sql and INSERT.match(sql):
                    m = TAIL_FORMAT.search(sql)
                    if m: stream_fmt, head = m.group(1), sql[:m.start()]
                    elif TAIL_VALUES.search(sql): stream_fmt, head = 'Values', TAIL_VALUES.sub('', sql)
                if stream_fmt:
                    rows, nbytes = self.insert(conn, head, stream_fmt, chunks)
                    body, fmt, read = b'', stream_fmt, (0, 0)
                else:
                    rest = b''.join(chunks).decode('utf-8', 'surrogateescape')
                    full = sql + ('\n' + rest if sql and rest else rest)
                    # a server over HTTP has no files of the client to write to; the embedded engine has
                    if re.search(r'\binto\s+outfile\b', full, re.I): raise HttpError(48, 'NOT_IMPLEMENTED', 'INTO OUTFILE is not allowed')
                    if not full.strip(): raise HttpError(62, 'SYNTAX_ERROR', 'Empty query')
                    fmt = p.get('default_format') or self.headers.get('X-ClickHouse-Format') or 'TabSeparated'
                    with self.server.lock:
                        r = conn.query(full, fmt, params=params or None)
                        body = r.bytes() or b''
                    read = (r.storage_rows_read(), r.storage_bytes_read()); rows, nbytes = r.rows_written(), r.bytes_written()
                    m = TAIL_FORMAT.search(full)
                    if m and RETURNS_ROWS.match(full): fmt = m.group(1)
            finally:
                if not sid: conn.close()
        except Aborted:
            self.close_connection = True; return
        except Exception as e:
            return self.fail(e, qid)
        ns = int((time.perf_counter() - t0) * 1e9)
        summary = {'read_rows': str(read[0] or rows), 'read_bytes': str(read[1] or nbytes), 'written_rows': str(rows), 'written_bytes': str(nbytes),
                   'total_rows_to_read': '0', 'result_rows': str(rows if stream_fmt else 0), 'result_bytes': str(len(body)), 'elapsed_ns': str(ns)}
        self.reply(200, body, [('Content-Type', CT.get(fmt, 'application/octet-stream')), ('X-ClickHouse-Format', fmt),
            ('X-ClickHouse-Query-Id', qid), ('X-ClickHouse-Server-Display-Name', 'chdb'), ('X-ClickHouse-Timezone', 'UTC'),
            ('X-ClickHouse-Summary', json.dumps(summary, separators=(',', ':')))])

    def insert(self, conn, head, fmt, chunks):
        ins = None
        try:
            # the stream is opened at the first data: an unknown table is then reported before any row is read
            with self.server.lock: ins = conn.send_insert(head, fmt)
            for c in chunks:
                with self.server.lock: ins.append(c)
            with self.server.lock: r = ins.finish()
            ins = None
            return r.rows_written, r.bytes_written
        except RuntimeError as e:
            m = CODE.search(str(e))
            raise RuntimeError(str(e)[m.start():] if m else str(e)) from None
        finally:
            if ins is not None:
                try: ins.cancel()
                except Exception: pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, opt):
        self.opt = opt
        args = ['log-level=fatal'] + ([f'config-file={opt.config_file}'] if opt.config_file else [])
        self.uri = opt.path + '?' + '&'.join(args)
        self.root = chdb.connect(self.uri)       # keeps the engine alive while requests come and go
        self.engine_version = str(self.root.query('select version()', 'TSV')).strip()
        self.lock, self.sessions = threading.RLock(), {}
        if opt.schema:
            import schema
            schema.apply_all('clickhouse', self.root.query)
        for f in opt.init:
            for st in split_sql(open(f).read()): self.root.query(st)
        super().__init__((opt.host, opt.port), Handler)

    def connection(self, sid=None):
        with self.lock:
            if not sid: return chdb.connect(self.uri)
            if sid not in self.sessions: self.sessions[sid] = chdb.connect(self.uri)
            return self.sessions[sid]


def split_sql(text):
    """statements on ';' outside quotes and comments"""
    out, cur, i = [], '', 0
    for m in re.finditer(r"'(?:\\.|''|[^'\\])*'|`[^`]*`|\"[^\"]*\"|--[^\n]*|/\*.*?\*/|;|[^;'`\"\-/]+|.", text, re.S):
        t = m.group(0)
        if t == ';': out.append(cur); cur = ''
        elif t.startswith('--') or t.startswith('/*'): cur += ' '
        else: cur += t
    return [s for s in out + [cur] if s.strip()]


def main():
    a = argparse.ArgumentParser()
    a.add_argument('--path', required=True); a.add_argument('--host', default='127.0.0.1'); a.add_argument('--port', type=int, default=18123)
    a.add_argument('--schema', action='store_true'); a.add_argument('--config-file'); a.add_argument('--user'); a.add_argument('--password'); a.add_argument('--compatibility')
    a.add_argument('--advertise'); a.add_argument('--init', action='append', default=[]); a.add_argument('--verbose', action='store_true')
    a.add_argument('--until-stdin-closes', action='store_true', help='end when the program that started it ends')
    a.add_argument('--port-file', help='write the bound port here (use with --port 0)')
    opt = a.parse_args()
    s = Server(opt)
    if opt.port_file:
        with open(opt.port_file + '.tmp', 'w') as f: f.write(str(s.server_address[1]))
        os.replace(opt.port_file + '.tmp', opt.port_file)
    print(f'chdb {s.engine_version} on http://{opt.host}:{s.server_address[1]}', flush=True)
    if opt.until_stdin_closes:
        threading.Thread(target=lambda: (sys.stdin.buffer.read(), os._exit(0)), daemon=True).start()
    try: s.serve_forever()
    except KeyboardInterrupt: pass
    finally: s.root.close()


if __name__ == '__main__': main()
