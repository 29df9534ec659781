//! The border to httpd: module structure, directives, hooks and the connection filter. Only here and in `ffi/read.rs` is `unsafe`.
//!
//! Why unsafe: httpd is C. Each function here turns pointers that httpd guarantees for the length of a call into references and
//! hands them to safe code. What is relied on, everywhere: httpd's structures are valid while a hook runs; a pool cleanup runs
//! before the memory of its pool goes; the filters of one connection run on one thread at a time; `conn_config` of a master
//! connection is set before any of its HTTP/2 streams exists and outlives them; modules are unloaded after the cleanups of
//! everything they put into the configuration pool.
//!
//! Promises: every callback goes through [`GUARD`], so no panic unwinds into C; nothing here waits; threads of a child share
//! only atomics and what is set once. A child's [`Child`] is never freed: threads may outlive every pool of the child.
//! Read next: `ffi/read.rs` (httpd's values), `transaction.rs` (the safe half of the log hook), `policy.rs` (directives).

#![allow(unsafe_code, reason = "see the head")]

use std::ffi::{CStr, CString, OsStr, c_char, c_int, c_void};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::{null, null_mut};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Ordering};

use crate::guard::Guard;
use crate::h2fp::{Preface, Progress};
use crate::outlet::{Outlet, Report};
use crate::policy::{Complaint, DirPolicy, Nested, ServerPolicy};
use crate::transaction::{self, Child, Connection, Finished};

mod read;
use read::{address, bytes, entries};

#[allow(
    warnings,
    clippy::all,
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    reason = "generated from httpd's headers"
)]
mod httpd {
    include!(concat!(env!("OUT_DIR"), "/httpd.rs"));
}
use httpd::{
    ap_conf_vector_t, ap_filter_t, apr_bucket, apr_bucket_brigade, apr_pool_t, apr_table_t, cmd_func, cmd_parms, command_rec,
    conn_rec, request_rec, server_rec,
};

const OK: c_int = 0;
const DECLINED: c_int = -1;
/// After TLS (mod_ssl: +5) and the PROXY protocol (mod_remoteip: +7), before whatever reads HTTP (mod_http2: +0).
const FILTER_TYPE: httpd::ap_filter_type = httpd::ap_filter_type_AP_FTYPE_CONNECTION + 3;
/// More headers than this are not remembered as they came; the record then shows them as later modules left them.
const MAX_REMEMBERED_HEADERS: c_int = 1024;
static GUARD: Guard = Guard::new();
/// Whether any section says `ReqinLogEnabled On`: otherwise the hooks do nothing.
static ARMED: AtomicBool = AtomicBool::new(false);
static FILTER: AtomicPtr<httpd::ap_filter_rec_t> = AtomicPtr::new(null_mut());
static CHILD: AtomicPtr<Child> = AtomicPtr::new(null_mut());

/// Context of the input filter. `connection` lives in the same pool.
struct FilterState {
    /// `None` once there is nothing left to learn.
    preface: Option<Preface>,
    connection: *const Connection,
}

/// What was noted when a request arrived; plain memory of its pool.
#[derive(Clone, Copy)]
struct Arrival {
    request_no: u32,
    /// Shallow copy of the headers before other modules edited them; null if there were too many.
    headers: *mut apr_table_t,
}

// ---- module structure and directives ------------------------------------------------------------------------------------------

/// What httpd looks for when it loads the module.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals, reason = "the identifier that LoadModule names")]
pub static mut reqin_log_module: httpd::module = httpd::module {
    version: httpd::MODULE_MAGIC_NUMBER_MAJOR as c_int,
    minor_version: httpd::MODULE_MAGIC_NUMBER_MINOR as c_int,
    module_index: -1,
    name: c"mod_reqin_log".as_ptr(),
    dynamic_load_handle: null_mut(),
    next: null_mut(),
    magic: httpd::MODULE_MAGIC_COOKIE as _,
    rewrite_args: None,
    create_dir_config: Some(create::<DirPolicy, c_char>),
    merge_dir_config: Some(merge::<DirPolicy>),
    create_server_config: Some(create::<ServerPolicy, server_rec>),
    merge_server_config: Some(merge::<ServerPolicy>),
    cmds: COMMANDS.0.as_ptr(),
    register_hooks: Some(register_hooks),
    flags: 0,
};

struct Commands([command_rec; 7]);
// SAFETY: constant, and only httpd reads it.
unsafe impl Sync for Commands {}

type SetWord = unsafe extern "C" fn(*mut cmd_parms, *mut c_void, *const c_char) -> *const c_char;

static COMMANDS: Commands = {
    use httpd::{cmd_how_FLAG as FLAG, cmd_how_ITERATE as LIST, cmd_how_TAKE1 as ONE};
    const SERVER: c_int = httpd::RSRC_CONF as c_int;
    const ANYWHERE: c_int = (httpd::RSRC_CONF | httpd::ACCESS_CONF) as c_int;
    const fn word(name: &'static CStr, set: SetWord, place: c_int, how: httpd::cmd_how, help: &'static CStr) -> command_rec {
        let func = cmd_func { take1: Some(set) };
        command_rec { name: name.as_ptr(), func, cmd_data: null_mut(), req_override: place, args_how: how, errmsg: help.as_ptr() }
    }
    let (name, func, errmsg) =
        (c"ReqinLogEnabled".as_ptr(), cmd_func { flag: Some(set_enabled) }, c"On to log requests".as_ptr());
    let last = cmd_func { no_args: None };
    Commands([
        command_rec { name, func, cmd_data: null_mut(), req_override: ANYWHERE, args_how: FLAG, errmsg },
        word(c"ReqinLogSocket", set_socket, SERVER, ONE, c"path of the collector's UNIX datagram socket"),
        word(c"ReqinLogHeaders", keep_header, ANYWHERE, LIST, c"headers whose values are kept; * all (default), - none"),
        word(c"ReqinLogSecretHeaders", hide_header, ANYWHERE, LIST, c"headers of which only the length is kept"),
        word(c"ReqinLogSample", set_sample, ANYWHERE, ONE, c"log one client in so many"),
        word(c"ReqinLogMaxRecord", set_max_record, SERVER, ONE, c"longest record in bytes, 2048 to 65536"),
        command_rec { name: null(), func: last, cmd_data: null_mut(), req_override: 0, args_how: 0, errmsg: null() },
    ])
};

unsafe extern "C" fn create<T: Nested, A>(pool: *mut apr_pool_t, _place: *mut A) -> *mut c_void {
    GUARD.run(null_mut(), || own(pool, T::default()))
}

unsafe extern "C" fn merge<T: Nested>(pool: *mut apr_pool_t, outer: *mut c_void, inner: *mut c_void) -> *mut c_void {
    // SAFETY: both came from `create` or from here. Without a merge the inner section stands alone.
    GUARD.run(inner, || match unsafe { (outer.cast::<T>().as_ref(), inner.cast::<T>().as_ref()) } {
        (Some(outer), Some(inner)) => own(pool, inner.within(outer)),
        _ => inner,
    })
}

unsafe extern "C" fn set_enabled(_: *mut cmd_parms, section: *mut c_void, on: c_int) -> *const c_char {
    directive(section, |policy| {
        policy.set_enabled(on != 0);
        if on != 0 {
            ARMED.store(true, Ordering::Relaxed);
        }
        Ok(())
    })
}

macro_rules! section_word {
    ($name:ident, $set:path) => {
        unsafe extern "C" fn $name(_: *mut cmd_parms, section: *mut c_void, word: *const c_char) -> *const c_char {
            directive(section, |policy| $set(policy, bytes(word).unwrap_or_default()))
        }
    };
}
section_word!(set_sample, DirPolicy::set_sample);
section_word!(keep_header, DirPolicy::keep_header);
section_word!(hide_header, DirPolicy::hide_header);

unsafe extern "C" fn set_socket(cmd: *mut cmd_parms, _: *mut c_void, word: *const c_char) -> *const c_char {
    server_directive(cmd, |policy| {
        // SAFETY: `cmd` and `word` are httpd's; the result lives in the configuration pool.
        let path = bytes(unsafe { httpd::ap_server_root_relative((*cmd).pool, word) }).unwrap_or_default();
        policy.set_socket(Path::new(OsStr::from_bytes(path)))
    })
}

unsafe extern "C" fn set_max_record(cmd: *mut cmd_parms, _: *mut c_void, word: *const c_char) -> *const c_char {
    server_directive(cmd, |policy| policy.set_max_record(bytes(word).unwrap_or_default()))
}

fn directive(section: *mut c_void, set: impl FnOnce(&mut DirPolicy) -> Result<(), Complaint>) -> *const c_char {
    // SAFETY: the section's policy from `create`; the configuration is read by one thread.
    complain(|| set(unsafe { section.cast::<DirPolicy>().as_mut() }.ok_or(c"the module failed earlier")?))
}

fn server_directive(cmd: *mut cmd_parms, set: impl FnOnce(&mut ServerPolicy) -> Result<(), Complaint>) -> *const c_char {
    complain(|| {
        // SAFETY: as above, for the server that is being configured.
        let policy = unsafe {
            cmd.as_ref().and_then(|cmd| cmd.server.as_ref()).map(|server| config::<ServerPolicy>(server.module_config))
        };
        set(unsafe { policy.and_then(|policy| policy.cast_mut().as_mut()) }.ok_or(c"the module failed earlier")?)
    })
}

fn complain(set: impl FnOnce() -> Result<(), Complaint>) -> *const c_char {
    GUARD.run(c"mod_reqin_log failed while reading this directive".as_ptr(), || set().map_or_else(CStr::as_ptr, |()| null()))
}

// ---- hooks --------------------------------------------------------------------------------------------------------------------

unsafe extern "C" fn register_hooks(_: *mut apr_pool_t) {
    // httpd calls this before it reads the configuration, at start and at every restart.
    GUARD.reset();
    ARMED.store(false, Ordering::Relaxed);
    // SAFETY: functions of httpd with arguments of the types it declares.
    unsafe {
        let middle = httpd::APR_HOOK_MIDDLE as c_int;
        let first = httpd::APR_HOOK_REALLY_FIRST as c_int;
        httpd::ap_hook_child_init(Some(child_init), null(), null(), middle);
        httpd::ap_hook_pre_connection(Some(pre_connection), null(), null(), middle);
        // Before mod_remoteip and mod_headers edit the request.
        httpd::ap_hook_post_read_request(Some(post_read_request), null(), null(), first);
        httpd::ap_hook_log_transaction(Some(log_transaction), null(), null(), middle);
        FILTER.store(
            httpd::ap_register_input_filter(c"REQIN_LOG_IN".as_ptr(), Some(input_filter), None, FILTER_TYPE),
            Ordering::Release,
        );
    }
}

unsafe extern "C" fn child_init(pool: *mut apr_pool_t, main_server: *mut server_rec) {
    GUARD.run((), || {
        if !ARMED.load(Ordering::Relaxed) {
            return;
        }
        let mut outlet = Outlet::default();
        let mut next = main_server;
        // SAFETY: httpd's list of servers; their policies are not changed after the configuration was read, but for an atomic.
        while let Some(server) = unsafe { next.as_ref() } {
            if let Some(policy) = unsafe { config::<ServerPolicy>(server.module_config).as_ref() } {
                policy.outlet.store(outlet.add(policy.socket()), Ordering::Relaxed);
            }
            next = server.next;
        }
        for socket in outlet.sockets() {
            widen(socket.as_raw_fd());
        }
        let child = Child { outlet, pid: std::process::id(), start_us: now_us(), connections: AtomicU64::new(0) };
        CHILD.store(Box::into_raw(Box::new(child)), Ordering::Release);
        // SAFETY: the server and the pool are httpd's. The child's state is never freed: at the exit of a child, pools go while its
        // threads may still log, and what frees it then corrupts their heap (found by restarts under load, one in some thousand).
        unsafe {
            let keep = Some(httpd::apr_pool_cleanup_null as unsafe extern "C" fn(*mut c_void) -> httpd::apr_status_t);
            httpd::apr_pool_cleanup_register(pool, main_server.cast(), Some(child_exit), keep);
        }
    });
}

unsafe extern "C" fn child_exit(main_server: *mut c_void) -> httpd::apr_status_t {
    GUARD.run(0, || {
        if let Some(report) = child().and_then(|child| child.outlet.last_report()) {
            log_report(main_server.cast(), &report);
        }
        0
    })
}

unsafe extern "C" fn pre_connection(connection: *mut conn_rec, _socket: *mut c_void) -> c_int {
    GUARD.run((), || {
        let (true, Some(child)) = (ARMED.load(Ordering::Relaxed), child()) else { return };
        // SAFETY: httpd's, and this is its first hook: nobody else holds the connection.
        let Some(c) = (unsafe { connection.as_ref() }) else { return };
        if !c.master.is_null() || c.outgoing != 0 {
            return; // an HTTP/2 stream, or a connection of mod_proxy to its backend
        }
        let (peer, local) = (address(c.client_addr), address(c.local_addr));
        let state = Connection { id: child.next_connection(), peer, local, requests: AtomicU32::new(0), h2: OnceLock::new() };
        let state = own(c.pool, state);
        let filter = own(c.pool, FilterState { preface: Some(Preface::default()), connection: state.cast() });
        // SAFETY: as above; both states live as long as the connection's pool.
        unsafe {
            httpd::ap_set_module_config(c.conn_config, &raw const reqin_log_module, state);
            httpd::ap_add_input_filter_handle(FILTER.load(Ordering::Acquire), filter, null_mut(), connection);
        }
    });
    OK
}

/// Reads along until the HTTP/2 fingerprint is known. What passes is exactly what httpd's own filters return. It then stays and
/// does nothing: the filter chain of the request being read begins here, so to take the filter out would cut that request off.
unsafe extern "C" fn input_filter(
    filter: *mut ap_filter_t,
    brigade: *mut apr_bucket_brigade,
    mode: httpd::ap_input_mode_t,
    block: httpd::apr_read_type_e,
    wanted: httpd::apr_off_t,
) -> httpd::apr_status_t {
    // SAFETY: the arguments are passed on as they came; the context is the one `pre_connection` gave.
    let (status, state) =
        unsafe { (httpd::ap_get_brigade((*filter).next, brigade, mode, block, wanted), (*filter).ctx.cast::<FilterState>()) };
    // Bytes looked at speculatively come again; AP_MODE_INIT brings none.
    let reading = [
        httpd::ap_input_mode_t_AP_MODE_READBYTES,
        httpd::ap_input_mode_t_AP_MODE_GETLINE,
        httpd::ap_input_mode_t_AP_MODE_EXHAUSTIVE,
    ];
    if status == 0 && reading.contains(&mode) {
        GUARD.run((), || {
            // SAFETY: one thread at a time runs a connection's filters.
            let Some(state) = (unsafe { state.as_mut() }) else { return };
            let Some(preface) = &mut state.preface else { return };
            // SAFETY: the brigade that httpd's filters just filled.
            let learnt = unsafe { read_along(preface, brigade) };
            // SAFETY: of the same pool as this state.
            if let (Progress::Found(fingerprint), Some(connection)) = (&learnt, unsafe { state.connection.as_ref() }) {
                let _ = connection.h2.set(fingerprint.clone());
            }
            if learnt != Progress::More {
                state.preface = None; // frees what was collected
            }
        });
    }
    status
}

unsafe fn read_along(preface: &mut Preface, brigade: *mut apr_bucket_brigade) -> Progress {
    // SAFETY: a brigade is a ring whose end mark is its head seen as a bucket (APR_BRIGADE_SENTINEL; the links come first).
    unsafe {
        let end = (&raw mut (*brigade).list).cast::<apr_bucket>();
        let mut bucket = (*brigade).list.next;
        while bucket != end {
            let (mut data, mut len): (*const c_char, usize) = (null(), 0);
            let length = (*bucket).length;
            // Only bytes in memory: reading a bucket of unknown length would read the network.
            let Some(read) = (*(*bucket).type_).read.filter(|_| length != usize::MAX) else { return Progress::NotHttp2 };
            if length > 0 && read(bucket, &raw mut data, &raw mut len, httpd::apr_read_type_e_APR_NONBLOCK_READ) != 0 {
                return Progress::NotHttp2;
            }
            if len > 0 && !data.is_null() {
                match preface.feed(std::slice::from_raw_parts(data.cast(), len)) {
                    Progress::More => {}
                    learnt => return learnt,
                }
            }
            bucket = (*bucket).link.next;
        }
    }
    Progress::More
}

unsafe extern "C" fn post_read_request(request: *mut request_rec) -> c_int {
    GUARD.run((), || {
        // SAFETY: httpd's.
        let Some(r) = (unsafe { request.as_ref() }) else { return };
        if !ARMED.load(Ordering::Relaxed) || !r.main.is_null() || !r.prev.is_null() {
            return; // subrequests and internal redirects are no requests of the client
        }
        let Some(connection) = connection_of(r) else { return };
        // SAFETY: pool memory that is written whole before it is published.
        unsafe {
            let few = (*httpd::apr_table_elts(r.headers_in)).nelts <= MAX_REMEMBERED_HEADERS;
            let headers = if few { httpd::apr_table_copy(r.pool, r.headers_in) } else { null_mut() };
            let arrival = httpd::apr_palloc(r.pool, size_of::<Arrival>()).cast::<Arrival>();
            arrival.write(Arrival { request_no: connection.next_request(), headers });
            httpd::ap_set_module_config(r.request_config, &raw const reqin_log_module, arrival.cast());
        }
    });
    DECLINED
}

unsafe extern "C" fn log_transaction(request: *mut request_rec) -> c_int {
    GUARD.run((), || {
        // SAFETY: httpd's.
        if let (true, Some(child), Some(request)) = (ARMED.load(Ordering::Relaxed), child(), unsafe { request.as_ref() }) {
            log(child, request);
        }
    });
    DECLINED
}

fn log(child: &Child, request: &request_rec) -> Option<()> {
    // The request as the client sent it, and the one that answered it: internal redirects lie between.
    let (mut first, mut last) = (request, request);
    // SAFETY: httpd's chain of internal redirects and its configuration vectors; what `post_read_request` left, if it ran.
    let (policy, server, server_policy, arrival) = unsafe {
        while let Some(previous) = first.prev.as_ref() {
            first = previous;
        }
        while let Some(next) = last.next.as_ref() {
            last = next;
        }
        let server = first.server.as_ref()?;
        let policy = config::<DirPolicy>(first.per_dir_config).as_ref()?;
        (policy, server, config::<ServerPolicy>(server.module_config).as_ref()?, config::<Arrival>(first.request_config).as_ref())
    };
    let finished = Finished {
        connection: connection_of(first),
        request_no: arrival.map(|arrival| arrival.request_no),
        request_time_us: first.request_time,
        now_us: now_us(),
        useragent_ip: bytes(first.useragent_ip),
        server: bytes(server.server_hostname),
        // SAFETY: httpd's function on httpd's request; the text is static.
        scheme: bytes(unsafe { httpd::ap_run_http_scheme(first) }),
        method: bytes(first.method),
        hostname: bytes(first.hostname),
        request_line: bytes(first.the_request),
        target: bytes(first.unparsed_uri),
        protocol: bytes(first.protocol),
        protocol_number: first.proto_num,
        status: last.status,
        status_line: bytes(last.status_line),
        body_bytes_sent: last.bytes_sent,
        headers: entries(arrival.map(|arrival| arrival.headers).filter(|table| !table.is_null()).unwrap_or(first.headers_in)),
        response_headers: entries(last.headers_out).chain(entries(last.err_headers_out)),
    };
    let report = transaction::log(child, policy, server_policy, finished, |len| {
        // SAFETY: `apr_palloc` gives that many bytes or ends the process; they are initialised before they become a slice.
        unsafe {
            let start = httpd::apr_palloc(first.pool, len).cast::<u8>();
            start.write_bytes(0, len);
            std::slice::from_raw_parts_mut(start, len)
        }
    });
    if let Some(report) = report {
        log_report(server, &report);
    }
    Some(())
}

fn log_report(server: *const server_rec, report: &Report) {
    let text = format!("mod_reqin_log: {report}");
    let Ok(text) = CString::new(text) else { return };
    // SAFETY: httpd's server and a format that takes one text.
    unsafe {
        let index = reqin_log_module.module_index;
        let level = httpd::APLOG_WARNING as c_int;
        if httpd::ap_get_server_module_loglevel(server, index) >= level {
            httpd::ap_log_error_(c"ffi.rs".as_ptr(), 0, index, level, 0, server, c"%s".as_ptr(), text.as_ptr());
        }
    }
}

// ---- httpd's data as Rust's ---------------------------------------------------------------------------------------------------

/// Moves `value` to the heap and drops it when the pool goes.
fn own<T>(pool: *mut apr_pool_t, value: T) -> *mut c_void {
    unsafe extern "C" fn drop_owned<T>(data: *mut c_void) -> httpd::apr_status_t {
        // SAFETY: the box made below, once.
        GUARD.run(0, || {
            drop(unsafe { Box::from_raw(data.cast::<T>()) });
            0
        })
    }
    let data = Box::into_raw(Box::new(value)).cast();
    // SAFETY: httpd's pool.
    unsafe { httpd::apr_pool_cleanup_register(pool, data, Some(drop_owned::<T>), Some(httpd::apr_pool_cleanup_null)) };
    data
}

/// This module's entry in a configuration vector; `T` must be what the module puts into that kind of vector.
unsafe fn config<T>(vector: *const ap_conf_vector_t) -> *const T {
    // SAFETY: httpd's vector.
    unsafe { httpd::ap_get_module_config(vector, &raw const reqin_log_module).cast() }
}

fn child() -> Option<&'static Child> {
    // SAFETY: never freed.
    unsafe { CHILD.load(Ordering::Acquire).as_ref() }
}

/// The client's connection: for an HTTP/2 stream the one that carries it.
fn connection_of(r: &request_rec) -> Option<&Connection> {
    // SAFETY: httpd's; the master outlives its streams.
    unsafe {
        let connection = r.connection.as_ref()?;
        let master = connection.master.as_ref().unwrap_or(connection);
        config::<Connection>(master.conn_config).as_ref()
    }
}

fn now_us() -> i64 {
    // SAFETY: takes nothing.
    unsafe { httpd::apr_time_now() }
}

/// Lets the socket hold as much as the system allows; the kernel's default is enough for about 50 records of 2 KB.
fn widen(descriptor: c_int) {
    let bytes: c_int = 4 << 20;
    // SAFETY: a socket of ours and a pointer to an int, of its length.
    unsafe {
        libc::setsockopt(descriptor, libc::SOL_SOCKET, libc::SO_SNDBUF, (&raw const bytes).cast(), size_of::<c_int>() as u32)
    };
}
