//! A ground with nothing but what searching reads of it, written by plain SQL.
#![allow(dead_code, clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrysalis_core::codec::Encoder;
use chrysalis_store::search::feed::{CatchUp, catch_up};
use chrysalis_store::search::filter::Filter;
use chrysalis_store::search::frequency::Frequencies;
use chrysalis_store::search::lookup::{Wanted, Words, search};
use chrysalis_store::search::place::languages;
use chrysalis_store::search::query::{Star, parse};
use chrysalis_store::search::{Number, StoreMark, text};
use rusqlite::{Connection, params};
use tempfile::TempDir;

pub const MARK: StoreMark = StoreMark([7; 16]);

const TABLES: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = OFF;
    CREATE TABLE memory(
        number INTEGER PRIMARY KEY, changed INTEGER NOT NULL, created_at INTEGER NOT NULL, importance INTEGER NOT NULL,
        tier TEXT NOT NULL, memory_type TEXT NOT NULL, scope TEXT NOT NULL, thread TEXT, speaker TEXT, occurred_at INTEGER,
        valid_from INTEGER, valid_until INTEGER, expires_at INTEGER, tags BLOB, content TEXT NOT NULL);
    CREATE INDEX memory_changed ON memory(changed);
    CREATE TABLE tag(name TEXT NOT NULL, memory INTEGER NOT NULL, PRIMARY KEY(name, memory)) WITHOUT ROWID;
    CREATE TABLE clock(one INTEGER PRIMARY KEY CHECK(one = 1), changed INTEGER NOT NULL);
    INSERT INTO clock VALUES(1, 0);";

/// What a memory of a test says beyond its content.
#[derive(Debug, Clone)]
pub struct Said {
    pub content: String,
    pub scope: String,
    pub tier: String,
    pub tags: Vec<String>,
    pub thread: Option<String>,
    pub speaker: Option<String>,
    pub occurred_at: Option<i64>,
    pub created_at: i64,
    pub importance: u16,
    pub valid: (Option<i64>, Option<i64>),
    pub expires_at: Option<i64>,
}

pub fn said(content: &str) -> Said {
    Said {
        content: content.to_owned(),
        scope: String::new(),
        tier: "long_term".to_owned(),
        tags: Vec::new(),
        thread: None,
        speaker: None,
        occurred_at: None,
        created_at: 0,
        importance: 32_768,
        valid: (None, None),
        expires_at: None,
    }
}

/// A folder with a ground in it, and a connection that writes.
pub struct Ground {
    pub folder: TempDir,
    pub connection: Connection,
}

impl Ground {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let connection = Connection::open(folder.path().join("chrysalis.db")).unwrap();
        connection.busy_timeout(Duration::from_secs(30)).unwrap();
        connection.execute_batch(TABLES).unwrap();
        Self { folder, connection }
    }

    pub fn with(contents: &[&str]) -> Self {
        let ground = Self::new();
        for content in contents {
            ground.remember(&said(content));
        }
        ground
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn remember(&self, said: &Said) -> Number {
        let number = self.next();
        self.write(number, number, said);
        number
    }

    pub fn remember_all(&self, all: impl IntoIterator<Item = Said>) {
        self.connection.execute_batch("BEGIN IMMEDIATE").unwrap();
        for said in all {
            self.remember(&said);
        }
        self.connection.execute_batch("COMMIT").unwrap();
    }

    pub fn update(&self, number: Number, said: &Said) {
        self.connection.execute("DELETE FROM tag WHERE memory = ?1", [number]).unwrap();
        let changed = self.next();
        self.write(number, changed, said);
    }

    pub fn touch(&self, number: Number) {
        let changed = self.next();
        self.connection.execute("UPDATE memory SET changed = ?2 WHERE number = ?1", [number, changed]).unwrap();
    }

    pub fn remove(&self, number: Number) {
        self.connection.execute("DELETE FROM memory WHERE number = ?1", [number]).unwrap();
        self.connection.execute("DELETE FROM tag WHERE memory = ?1", [number]).unwrap();
    }

    fn next(&self) -> i64 {
        let sql = "UPDATE clock SET changed = changed + 1 RETURNING changed";
        self.connection.query_row(sql, [], |row| row.get(0)).unwrap()
    }

    fn write(&self, number: Number, changed: i64, said: &Said) {
        let sql = "INSERT OR REPLACE INTO memory(number, changed, created_at, importance, tier, memory_type, scope,
            thread, speaker, occurred_at, valid_from, valid_until, expires_at, tags, content)
            VALUES(?1, ?2, ?3, ?4, ?5, 'episodic', ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
        let mut statement = self.connection.prepare_cached(sql).unwrap();
        let bound = params![
            number,
            changed,
            said.created_at,
            said.importance,
            said.tier,
            said.scope,
            said.thread,
            said.speaker,
            said.occurred_at,
            said.valid.0,
            said.valid.1,
            said.expires_at,
            packed(&said.tags),
            said.content,
        ];
        statement.execute(bound).unwrap();
        for tag in &said.tags {
            self.connection.execute("INSERT INTO tag VALUES(?1, ?2)", params![tag, number]).unwrap();
        }
    }

    /// Another connection to the ground, as another thread or process would have.
    pub fn reader(&self) -> Connection {
        reader(self.folder.path())
    }

    pub fn index(&self) -> Connection {
        index(self.folder.path())
    }

    /// A finder whose index is caught up.
    pub fn finder(&self) -> Finder {
        let mut index = self.index();
        let reader = self.reader();
        catch_up(&reader, &mut index, MARK, usize::MAX).unwrap();
        text::attach(&reader, &self.path("text.db"), None).unwrap();
        Finder { reader, index, frequencies: Frequencies::new() }
    }
}

/// A connection to the ground in `folder`.
pub fn reader(folder: &Path) -> Connection {
    let reader = Connection::open(folder.join("chrysalis.db")).unwrap();
    reader.busy_timeout(Duration::from_secs(30)).unwrap();
    reader
}

/// A connection to the text index in `folder`.
pub fn index(folder: &Path) -> Connection {
    text::open(&folder.join("text.db"), MARK, None).unwrap()
}

fn packed(tags: &[String]) -> Option<Vec<u8>> {
    let mut encoder = Encoder::default();
    encoder.list(tags.iter(), |encoder, tag| {
        encoder.text(tag);
    });
    (!tags.is_empty()).then(|| encoder.finish())
}

/// What one process holds to search by words.
pub struct Finder {
    pub reader: Connection,
    pub index: Connection,
    pub frequencies: Frequencies,
}

impl Finder {
    pub fn catch_up(&mut self) -> CatchUp {
        catch_up(&self.reader, &mut self.index, MARK, usize::MAX).unwrap()
    }

    pub fn search(&self, query: &str, filter: &Filter, k: usize) -> (Words, Vec<Number>) {
        let asked = parse(query, languages(&self.reader).unwrap(), Star::Ignored).telling();
        search(&self.reader, &self.frequencies, &asked, filter, Wanted { most: k, enough: k }).unwrap()
    }

    /// The numbers found, best first.
    pub fn find(&self, query: &str) -> Vec<Number> {
        self.find_filtered(query, &Filter::default(), 10)
    }

    pub fn find_filtered(&self, query: &str, filter: &Filter, k: usize) -> Vec<Number> {
        self.search(query, filter, k).1
    }
}

/// Tells in which files of a folder the bytes of `word` stand, in either case of letters.
pub fn files_with(folder: &Path, word: &str) -> Vec<String> {
    let word = word.to_lowercase().into_bytes();
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let bytes = fs::read(entry.path()).unwrap().to_ascii_lowercase();
        if bytes.windows(word.len()).any(|window| window == word) {
            found.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    found.sort();
    found
}

/// Small, seeded, the same everywhere.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }

    /// A word of `letters` letters that no other throw is likely to give.
    pub fn word(&mut self, letters: usize) -> String {
        (0..letters).map(|_| char::from(b'a' + self.below(26) as u8)).collect()
    }
}
