//! What was known at an earlier time: memories as their operations up to then make them.

use chrysalis_core::merge::Document;
use chrysalis_core::payload::{Collection, Score};
use rusqlite::Connection;

use crate::error::StoreError;
use crate::ledger::State;
use crate::row::{self, MemoryRow, pack, unpack};
use crate::search::filter::Filter;
use crate::search::query::{Term, any_of};
use crate::search::text::TOKENIZER;
use crate::view::{SCORE_DEFAULT, Views};

/// Memories that existed at `at_ms` and were written since, as they were then, as far as they pass the filter.
///
/// What was forgotten since stays forgotten.
pub(crate) fn rows_changed_since(views: &Views<'_>, at_ms: i64, filter: &Filter) -> Result<Vec<MemoryRow>, StoreError> {
    let connection = views.tables.connection;
    let sql = "SELECT number FROM memory WHERE created_at <= ?1 AND updated_at > ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let numbers = statement.query_map([at_ms], |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()?;
    let mut rows = Vec::new();
    for number in numbers {
        if let Some(row) = row_at(views, number, at_ms)?
            && passes(&row, filter)?
        {
            rows.push(row);
        }
    }
    Ok(rows)
}

fn row_at(views: &Views<'_>, number: i64, at_ms: i64) -> Result<Option<MemoryRow>, StoreError> {
    let Some(now) = row::by_number(views.tables.connection, number)? else { return Ok(None) };
    let mut document = Document::default();
    let mut version = 0;
    let mut latest = None;
    for stored in views.tables.of_memory(number)? {
        let header = stored.operation.header();
        if stored.state != State::Live || header.hybrid_ms as i64 > at_ms {
            continue;
        }
        version += i64::from(views.join_one(&mut document, &stored)?);
        let order = (header.lamport, stored.operation.fingerprint());
        if latest.as_ref().is_none_or(|(newest, _)| order > *newest) {
            latest = Some((order, stored));
        }
    }
    let (Some(content), Some((_, head))) = (document.content(), latest) else { return Ok(None) };
    let score = |score| document.score(score, Default::default()).unwrap_or(SCORE_DEFAULT);
    let list = |collection| pack(document.elements(collection));
    let (valid_from, valid_until) = document.validity();
    Ok(Some(MemoryRow {
        version,
        content: content.to_owned(),
        agent: document.head().map_or(String::new(), |head| head.agent.to_string()),
        updated_at: document.updated_ms() as i64,
        importance: score(Score::Importance),
        confidence: score(Score::Confidence),
        conflicts: crate::view::conflict_bits(&document),
        tier: document.tier().to_owned(),
        memory_type: document.memory_type().to_owned(),
        scope: document.scope().to_owned(),
        thread: document.thread().map(str::to_owned),
        speaker: document.speaker().map(str::to_owned),
        occurred_at: document.occurred_at(),
        valid_from,
        valid_until,
        expires_at: document.expires_at(),
        tags: pack(document.tags()),
        evidence: list(Collection::Evidence),
        related: list(Collection::Related),
        parents: list(Collection::Parents),
        metadata: pack(document.metadata().flat_map(|(key, value)| [key, value])),
        fingerprint: head.operation.fingerprint(),
        signature: *head.operation.signature(),
        lamport: head.operation.header().lamport,
        place: (head.log, head.operation.header().sequence),
        ..now
    }))
}

/// The filter's condition, for a row that stands in no table.
fn passes(row: &MemoryRow, filter: &Filter) -> Result<bool, StoreError> {
    let scope = filter.scope.as_deref().unwrap_or("").trim_end_matches('/');
    let within = scope.is_empty() || row.scope == scope || row.scope.starts_with(&format!("{scope}/"));
    let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
    let tags = unpack(row.tags.as_deref())?;
    let valid = filter.valid_at.is_none_or(|at| {
        row.valid_from.is_none_or(|from| from <= at) && row.valid_until.is_none_or(|until| until > at)
    });
    Ok(within
        && valid
        && is(&filter.tier, &row.tier)
        && is(&filter.memory_type, &row.memory_type)
        && filter.thread.as_ref().is_none_or(|thread| row.thread.as_ref() == Some(thread))
        && filter.tags.iter().all(|tag| tags.contains(&tag.as_str()))
        && filter.importance_min.is_none_or(|least| row.importance >= least)
        && filter.since.is_none_or(|since| row.created_at >= since)
        && filter.until.is_none_or(|until| row.created_at < until))
}

/// Scores of the rows that hold a term, by an index made for them alone; greater is better.
pub(crate) fn score_words(rows: &[MemoryRow], terms: &[Term]) -> Result<Vec<(i64, f64)>, StoreError> {
    if rows.is_empty() || terms.is_empty() {
        return Ok(Vec::new());
    }
    let index = Connection::open_in_memory()?;
    index.execute_batch(&format!("CREATE VIRTUAL TABLE words USING fts5(content, tokenize = '{TOKENIZER}')"))?;
    let mut insert = index.prepare("INSERT INTO words(rowid, content) VALUES(?1, ?2)")?;
    for row in rows {
        insert.execute((row.number, &row.content))?;
    }
    let mut statement = index.prepare("SELECT rowid, -bm25(words) FROM words WHERE words MATCH ?1")?;
    let found = statement.query_map([any_of(terms)], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(found.collect::<Result<_, _>>()?)
}
