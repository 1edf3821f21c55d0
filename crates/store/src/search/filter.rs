//! The filters of recall and of the store's lists, compiled to one SQL condition.

use rusqlite::types::Value;

/// Which memories are asked for; every part that is set must hold. Times are ms since the Unix epoch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// This path or any path below it; the empty path is the whole store.
    pub scope: Option<String>,
    /// Exactly this tier.
    pub tier: Option<String>,
    /// Exactly this memory type.
    pub memory_type: Option<String>,
    /// All of these tags.
    pub tags: Vec<String>,
    /// Exactly this thread.
    pub thread: Option<String>,
    /// Said by exactly this speaker.
    pub speaker: Option<String>,
    /// Happened, or else was created, at the first time or later and before the second.
    pub happened: Option<(i64, i64)>,
    /// Created at this time or later.
    pub since: Option<i64>,
    /// Created before this time.
    pub until: Option<i64>,
    /// Last written at this time or before.
    pub updated_until: Option<i64>,
    /// Valid at this time: from `valid_from` up to but not at `valid_until`; an open end is no limit.
    pub valid_at: Option<i64>,
    /// At least this important, in 16-bit fixed point.
    pub importance_min: Option<u16>,
    /// The present, at which a memory must not have expired.
    pub now: Option<i64>,
}

/// A condition over `memory AS m` with its bound values, in the order of the question marks in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// SQL that stands where a condition may stand; `1` when nothing is asked.
    pub sql: String,
    /// The values of its question marks.
    pub values: Vec<Value>,
}

impl Condition {
    fn add(&mut self, sql: &str, values: impl IntoIterator<Item = Value>) {
        if !self.sql.is_empty() {
            self.sql.push_str(" AND ");
        }
        self.sql.push_str(sql);
        self.values.extend(values);
    }
}

impl Filter {
    /// Compiles the filter for a query in which the table `memory` is named `m`.
    pub fn condition(&self) -> Condition {
        let mut condition = Condition { sql: String::new(), values: Vec::new() };
        self.add_place(&mut condition);
        self.add_times(&mut condition);
        for tag in &self.tags {
            let sql = "EXISTS (SELECT 1 FROM main.tag t WHERE t.name = ? AND t.memory = m.number)";
            condition.add(sql, [Value::Text(tag.clone())]);
        }
        if condition.sql.is_empty() {
            condition.sql.push('1');
        }
        condition
    }

    fn add_place(&self, condition: &mut Condition) {
        if let Some(scope) = self.scope.as_deref().map(|path| path.trim_end_matches('/'))
            && !scope.is_empty()
        {
            // The digit 0 follows the slash, so this range holds exactly the paths below; a pattern would not.
            let bounds = [scope.to_owned(), format!("{scope}/"), format!("{scope}0")];
            let sql = "(m.scope = ? OR (m.scope >= ? AND m.scope < ?))";
            condition.add(sql, bounds.map(Value::Text));
        }
        for (sql, wanted) in [
            ("m.tier = ?", &self.tier),
            ("m.memory_type = ?", &self.memory_type),
            ("m.thread = ?", &self.thread),
            ("m.speaker = ?", &self.speaker),
        ] {
            if let Some(wanted) = wanted {
                condition.add(sql, [Value::Text(wanted.clone())]);
            }
        }
        if let Some(least) = self.importance_min {
            condition.add("m.importance >= ?", [Value::Integer(i64::from(least))]);
        }
    }

    fn add_times(&self, condition: &mut Condition) {
        for (sql, time) in [
            ("m.created_at >= ?", self.since),
            ("m.created_at < ?", self.until),
            ("m.updated_at <= ?", self.updated_until),
            ("(m.valid_from IS NULL OR m.valid_from <= ?)", self.valid_at),
            ("(m.valid_until IS NULL OR m.valid_until > ?)", self.valid_at),
            ("(m.expires_at IS NULL OR m.expires_at > ?)", self.now),
            ("coalesce(m.occurred_at, m.created_at) >= ?", self.happened.map(|(start, _)| start)),
            ("coalesce(m.occurred_at, m.created_at) < ?", self.happened.map(|(_, end)| end)),
        ] {
            if let Some(time) = time {
                condition.add(sql, [Value::Integer(time)]);
            }
        }
    }
}
