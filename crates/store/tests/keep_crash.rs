//! Crashes: processes that are killed at any moment lose nothing that they acknowledged, and harm nobody.

#![allow(clippy::unwrap_used, clippy::panic)]

mod keep_common;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Duration;

use chrysalis_store::{Remember, Store};
use keep_common::{assert_holds, found, open, remember, saying, tagged};
use tempfile::TempDir;

const WRITERS: usize = 3;
const KILLS: usize = 210;

/// What a writer does until it is killed: everything that a store can do, and after each thing it says so.
#[test]
#[ignore = "a part of another test, which runs it in a process of its own"]
fn writes_until_killed() {
    let Some(folder) = std::env::var_os("KEEP_FOLDER") else { return };
    let life: usize = std::env::var("KEEP_LIFE").unwrap().parse().unwrap();
    let store = open(Path::new(&folder));
    let mut out = std::io::stdout().lock();
    let mut say = |line: String| {
        writeln!(out, "\n> {line}").unwrap();
        out.flush().unwrap();
    };
    for number in 0.. {
        let id = format!("w{life}-{number}");
        match number % 7 {
            0..=2 => {
                remember(&store, &id, tagged(&format!("{id} was written"), &["alive"]));
                say(format!("+ {id}"));
            }
            3 => {
                let wanted = |n: usize| Remember { id: Some(format!("{id}-{n}")), edit: saying(&format!("{id} many")) };
                store.remember_many("anna", (0..5).map(wanted).collect()).unwrap();
                (0..5).for_each(|n| say(format!("+ {id}-{n}")));
            }
            4 => {
                store.begin_batch().unwrap();
                (0..3).for_each(|n| remember(&store, &format!("{id}-{n}"), saying("in a batch")));
                store.commit_batch().unwrap();
                (0..3).for_each(|n| say(format!("+ {id}-{n}")));
            }
            5 => {
                let gone = format!("w{life}-{}", number - 5);
                say(format!("? {gone}"));
                store.forget(&gone, "", false).unwrap();
                say(format!("- {gone}"));
            }
            _ => {
                let _ = found(&store, &format!("w{life}"));
                store.update("boris", &format!("w{life}-{}", number - 5), saying(&format!("{id} edited"))).unwrap();
                store.count_uses([id.as_str()].into_iter());
                store.flush_uses().unwrap();
            }
        }
    }
}

struct Writer {
    child: Child,
    out: BufReader<ChildStdout>,
}

fn start(folder: &Path, life: usize) -> Writer {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "writes_until_killed", "--nocapture", "--test-threads=1", "--ignored"])
        .env("KEEP_FOLDER", folder)
        .env("KEEP_LIFE", life.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    Writer { child, out }
}

/// What a memory must be: there, gone, or either, because the process died while it forgot.
type Expected = BTreeMap<String, Option<bool>>;

impl Writer {
    /// Kills the writer and takes down what it had acknowledged.
    fn kill(mut self, expected: &mut Expected) {
        self.child.kill().unwrap();
        let mut line = Vec::new();
        while self.out.read_until(b'\n', &mut line).unwrap() > 0 {
            // A line that the kill has cut short acknowledges nothing.
            let said = String::from_utf8_lossy(&line).into_owned();
            if let Some((word, id)) = said.strip_suffix('\n').and_then(|said| said.strip_prefix("> ")?.split_once(' '))
            {
                let fate = match word {
                    "+" => Some(true),
                    "-" => Some(false),
                    _ => None,
                };
                expected.insert(id.to_owned(), fate);
            }
            line.clear();
        }
        self.child.wait().unwrap();
    }
}

fn check(store: &Store, expected: &Expected) {
    for (id, fate) in expected {
        if let Some(alive) = fate {
            assert_eq!(store.get(id).unwrap().is_some(), *alive, "{id}");
        }
    }
}

#[test]
fn no_kill_loses_an_acknowledged_write() {
    let folder = TempDir::new().unwrap();
    let mut expected = Expected::new();
    let (mut kills, mut life) = (0, 0);
    while kills < KILLS {
        // Rounds of a few writers at once, on a store that grows, and on a new one now and then.
        let path = folder.path().join(format!("store{}", kills / 60));
        if kills % 60 == 0 {
            expected.clear();
        }
        let mut writers: Vec<Writer> = (0..WRITERS).map(|writer| start(&path, life + writer)).collect();
        life += WRITERS;
        for (number, writer) in writers.drain(..).enumerate() {
            // Any moment: while it opens, writes, forgets or checkpoints.
            let moment = Duration::from_micros((kills as u64 * 7_919 + number as u64 * 31_337) % 160_000);
            thread::park_timeout(moment);
            writer.kill(&mut expected);
            kills += 1;
        }
        if kills % 15 == 0 {
            let store = open(&path);
            check(&store, &expected);
            assert_holds(&store);
            store.close().unwrap();
        }
    }
    println!("{kills} kills, {} memories at the end", expected.len());
}
