//! Generates the httpd bindings from the headers installed on this machine (Debian: `apache2-dev`, `libclang-dev`).
//!
//! Promises: a machine without the headers or without libclang still builds the workspace. The crate is then compiled
//! without `cfg(httpd_headers)`, i.e. without the module symbols, and a warning says so.
//! `APXS` names another `apxs`; `LIBCLANG_PATH` another libclang. Read next: `src/ffi.rs`, the only user of the bindings.

use std::env;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::process::Command;

const FUNCTIONS: &str = "ap_hook_(child_init|pre_connection|post_read_request|log_transaction)\
|ap_(add_input_filter_handle|register_input_filter|get_brigade)\
|ap_(get|set)_module_config|ap_get_server_module_loglevel|ap_log_error_|ap_run_http_scheme|ap_server_root_relative\
|apr_(palloc|pool_cleanup_register|pool_cleanup_null|table_copy|table_elts|time_now)";
const TYPES: &str = "module|command_rec|cmd_parms|request_rec|conn_rec|server_rec|apr_table_entry_t|ap_filter_t|apr_bucket";
const VARS: &str = "MODULE_MAGIC_(NUMBER_MAJOR|NUMBER_MINOR|COOKIE)|APR_HOOK_(REALLY_FIRST|MIDDLE|LAST)|RSRC_CONF|ACCESS_CONF|APLOG_WARNING|APLOG_ERR";

#[allow(clippy::print_stdout, reason = "how a build script speaks to cargo")]
fn main() {
    for line in [
        "rerun-if-changed=build.rs",
        "rerun-if-changed=wrapper.h",
        "rerun-if-env-changed=APXS",
        "rustc-check-cfg=cfg(httpd_headers)",
    ] {
        println!("cargo:{line}");
    }
    match generate() {
        Ok(()) => println!("cargo:rustc-cfg=httpd_headers"),
        Err(reason) => println!(
            "cargo:warning=mod_reqin_log is built without the Apache module: {reason} (Debian: apt-get install apache2-dev libclang-dev)"
        ),
    }
}

fn generate() -> Result<(), String> {
    let includes = include_dirs()?;
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo set no OUT_DIR")?).join("httpd.rs");
    // bindgen panics where libclang cannot be loaded; that must cost the module, not the build.
    let bindings = catch_unwind(|| {
        bindgen::Builder::default()
            .header("wrapper.h")
            .clang_args(includes.iter().map(|dir| format!("-I{}", dir.display())))
            // APR refuses to compile without the large-file type; the rest is what `apr-1-config --cppflags` prints on Linux.
            .clang_args(["-DLINUX", "-D_REENTRANT", "-D_GNU_SOURCE"])
            .allowlist_function(FUNCTIONS)
            .allowlist_type(TYPES)
            .allowlist_var(VARS)
            .layout_tests(false)
            .generate_comments(false)
            .derive_debug(false)
            .formatter(bindgen::Formatter::None)
            .generate()
    })
    .map_err(|_| "libclang is not installed".to_owned())?
    .map_err(|error| format!("bindgen: {error}"))?;
    bindings.write_to_file(&out).map_err(|error| format!("writing {}: {error}", out.display()))
}

/// httpd's own directory from `apxs`, APR's from `apr-1-config`; Debian's places where neither is on the path.
fn include_dirs() -> Result<Vec<PathBuf>, String> {
    let apxs = env::var("APXS").unwrap_or_else(|_| "apxs".to_owned());
    let httpd = output(&apxs, &["-q", "INCLUDEDIR"]).unwrap_or_else(|| "/usr/include/apache2".to_owned());
    let apr = output("apr-1-config", &["--includedir"]).unwrap_or_else(|| "/usr/include/apr-1.0".to_owned());
    for (dir, file) in [(&httpd, "httpd.h"), (&apr, "apr.h")] {
        if !Path::new(dir).join(file).is_file() {
            return Err(format!("{file} is not in {dir}"));
        }
    }
    Ok(vec![httpd.into(), apr.into()])
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let run = Command::new(program).args(arguments).output().ok().filter(|run| run.status.success())?;
    let text = String::from_utf8(run.stdout).ok()?.trim().to_owned();
    (!text.is_empty()).then_some(text)
}
