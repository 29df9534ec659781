//! A database that another process writes, over HTTP: followed, told how far behind, told when it goes away, even in the middle of an answer.
//!
//! Promises: the server here speaks the protocol of `ja4-lab live --listen` on a port of its own and is stopped by the test.
//!
//! Read next: `support.rs`, `ja4_desktop::shell::follow`, `ja4_replay::store::remote`.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use eframe::egui::Key;
use eframe::egui::accesskit::Role;
use egui_kittest::kittest::Queryable as _;
use ja4_desktop::data::table::Table;
use ja4_lab::sessions;
use ja4_replay::store::Store;
use ja4_replay::store::remote::to_ipc;

use crate::support::{app, recorded, settle, until, window};

pub const TESTS: &[crate::Test] =
    &[("follow::a_running_database_is_followed_until_it_goes_away", a_running_database_is_followed_until_it_goes_away)];

const TOKEN: &str = "0123456789abcdef";

/// How the server behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Mood {
    Answers,
    BreaksOff,
}

#[derive(Debug, Clone)]
struct Server {
    url: String,
    mood: Arc<AtomicU8>,
    asked: Arc<AtomicU64>,
}

impl Server {
    fn start(db: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            mood: Arc::new(AtomicU8::new(Mood::Answers as u8)),
            asked: Arc::default(),
        };
        let store = sessions::open_confined(db).unwrap();
        let twin = server.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                twin.asked.fetch_add(1, Ordering::AcqRel);
                // A client that left is its own business.
                let _ = serve(stream, &*store, twin.mood.load(Ordering::Acquire));
            }
        });
        server
    }
}

/// One question a connection.
fn serve(stream: TcpStream, store: &dyn Store, mood: u8) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut length, mut token) = (0, false);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        token |= line.trim_end().ends_with(&format!("Bearer {TOKEN}"));
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let (status, answer) = match (token, store.query(&String::from_utf8_lossy(&body))) {
        (false, _) => ("401 Unauthorized", b"the token is missing or wrong".to_vec()),
        (true, Ok(batches)) => ("200 OK", to_ipc(&batches).unwrap()),
        (true, Err(error)) => ("400 Bad Request", error.to_string().into_bytes()),
    };
    let mut stream = stream;
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", answer.len())?;
    let sent = if mood == Mood::BreaksOff as u8 { answer.len() / 2 } else { answer.len() };
    stream.write_all(&answer[..sent])
}

fn a_running_database_is_followed_until_it_goes_away() {
    let server = Server::start(recorded());
    let mut window = window(&[]);
    window.get_by_label("Menu").click();
    window.run_steps(2);
    window.get_by_label_contains("Follow a running ja4-lab live").click();
    window.run_steps(3);
    let open = |window: &mut crate::support::Window, token: &str| {
        window.get_by_label("Path to open").focus();
        window.run_steps(1);
        window.key_press_modifiers(eframe::egui::Modifiers::COMMAND, Key::A);
        window.get_by_label("Path to open").type_text(&server.url);
        window.run_steps(2);
        window.get_by_label("Token").focus();
        window.run_steps(1);
        window.get_by_label("Token").type_text(token);
        window.run_steps(2);
        window.get_by_role_and_label(Role::Button, "Open").click();
        settle(window);
    };
    open(&mut window, "wrong");
    assert!(app(&window).data().refused.as_ref().is_some_and(|message| message.contains("the token is missing or wrong")));
    assert!(window.query_all_by_label_contains("the token is missing or wrong").count() > 0);
    window.get_by_label("Menu").click();
    window.run_steps(2);
    window.get_by_label_contains("Follow a running ja4-lab live").click();
    window.run_steps(3);
    open(&mut window, TOKEN);
    let store = sessions::open_confined(recorded()).unwrap();
    let all = store.query("SELECT count(*) AS n FROM ja4_processing.ml_all_scores").unwrap();
    let all = Table::from_batches(&all).int(0, "n");
    assert_eq!(app(&window).data().table(("overview", "figures")).unwrap().int(0, "sessions"), all);
    window.get_by_label_contains("newest request ");
    // It is looked at again by itself.
    let before = server.asked.load(Ordering::Acquire);
    until(&mut window, "second look", |_| server.asked.load(Ordering::Acquire) > before);
    // It goes away in the middle of an answer: a sentence, and the rows stay.
    server.mood.store(Mood::BreaksOff as u8, Ordering::Release);
    until(&mut window, "sentence", |app| app.data().lost.is_some());
    window.run_steps(2);
    window.get_by_label_contains("not reached, what is shown is older");
    assert_eq!(app(&window).data().table(("overview", "figures")).unwrap().int(0, "sessions"), all);
    // It comes back.
    server.mood.store(Mood::Answers as u8, Ordering::Release);
    until(&mut window, "return", |app| app.data().lost.is_none() && !app.data().is_busy());
    window.get_by_label("Follow").click();
    settle(&mut window);
    window.get_by_label_contains("; paused");
}
