//! Overwriting what erased rows leave behind in the pages of a database.
//!
//! SQLite's `secure_delete` overwrites a row where it lies when it is deleted. But when SQLite moves rows between
//! pages to balance a tree, it rebuilds each page from its end and does not clear what is left between the page's
//! list of cells and its first cell: copies of rows stay there, and deleting a row clears only the row, not the copy.
//! That gap is unused by definition, so we fill it with zeros. What another writer leaves in a gap afterwards are
//! copies of rows that exist, never of one that was erased before, so the pages need not be seen at one moment.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use crate::error::StoreError;

/// Kinds of pages that hold a tree: inner and leaf, of indexes and of tables.
const TREE_PAGES: [u8; 4] = [2, 5, 10, 13];

/// In files with fewer pages than this, the first byte of a page that holds no tree, which is the first byte of a
/// page number, can't be one of [`TREE_PAGES`].
const PAGES_MAX: i64 = 1 << 25;

/// The header of the file, which stands before the tree on its first page.
const FILE_HEADER_BYTES: usize = 100;

/// Fills the gaps of all pages with zeros, and returns how many pages had something in theirs.
///
/// Call it after the erasure has been committed, outside a transaction, and truncate the write-ahead log afterwards.
/// Reads the whole file, about 2 us a page, and takes the write lock only for pages that it has to change.
///
/// # Errors
/// Those of the database.
pub fn scrub(connection: &mut Connection) -> Result<usize, StoreError> {
    let pages: i64 = connection.query_row("PRAGMA main.page_count", [], |row| row.get(0))?;
    if pages >= PAGES_MAX || !has_page_table(connection)? {
        // Writes every page anew, from nothing but what is there.
        connection.execute_batch("VACUUM main")?;
        return Ok(usize::try_from(pages).unwrap_or_default());
    }
    let unclean = unclean_pages(connection)?;
    for numbers in unclean.chunks(1_000) {
        clean(connection, numbers)?;
    }
    Ok(unclean.len())
}

fn has_page_table(connection: &Connection) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM pragma_module_list WHERE name = 'sqlite_dbpage'";
    Ok(connection.query_row(sql, [], |_| Ok(())).optional()?.is_some())
}

fn unclean_pages(connection: &Connection) -> Result<Vec<i64>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT pgno, data FROM sqlite_dbpage")?;
    let mut rows = statement.query([])?;
    let mut unclean = Vec::new();
    while let Some(row) = rows.next()? {
        let number: i64 = row.get(0)?;
        let page = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        if let Some((start, end)) = gap(page, number == 1)
            && page[start..end].iter().any(|byte| *byte != 0)
        {
            unclean.push(number);
        }
    }
    Ok(unclean)
}

fn clean(connection: &mut Connection, numbers: &[i64]) -> Result<(), StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for &number in numbers {
        let sql = "SELECT data FROM sqlite_dbpage WHERE pgno = ?1";
        let page: Option<Vec<u8>> =
            transaction.prepare_cached(sql)?.query_row([number], |row| row.get(0)).optional()?;
        let Some(mut page) = page else { continue };
        if let Some((start, end)) = gap(&page, number == 1) {
            page[start..end].fill(0);
            let sql = "UPDATE sqlite_dbpage SET data = ?2 WHERE pgno = ?1";
            transaction.prepare_cached(sql)?.execute(params![number, page])?;
        }
    }
    Ok(transaction.commit()?)
}

/// Where the unused bytes of a page of a tree begin and end: behind the list of its cells, before its first cell.
///
/// Nothing for a page that holds no tree, or whose header contradicts itself; such a page is damaged, and not ours
/// to write to.
fn gap(page: &[u8], is_first: bool) -> Option<(usize, usize)> {
    let header = if is_first { FILE_HEADER_BYTES } else { 0 };
    let kind = *page.get(header)?;
    let two_bytes = |at: usize| Some(usize::from(u16::from_be_bytes([*page.get(at)?, *page.get(at + 1)?])));
    if !TREE_PAGES.contains(&kind) {
        return None;
    }
    let cells = two_bytes(header + 3)?;
    let end = match two_bytes(header + 5)? {
        0 => 65_536,
        end => end,
    };
    let header_bytes = if kind < 8 { 12 } else { 8 };
    let start = header + header_bytes + 2 * cells;
    let in_place = |cell: usize| two_bytes(header + header_bytes + 2 * cell).is_some_and(|at| at >= end);
    (start <= end && end <= page.len() && (0..cells).all(in_place)).then_some((start, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(cells: &[u16], content: u16) -> Vec<u8> {
        let mut page = vec![7; 512];
        page[0] = 13;
        page[1..3].copy_from_slice(&[0, 0]);
        page[3..5].copy_from_slice(&(cells.len() as u16).to_be_bytes());
        page[5..7].copy_from_slice(&content.to_be_bytes());
        for (at, cell) in cells.iter().enumerate() {
            page[8 + 2 * at..10 + 2 * at].copy_from_slice(&cell.to_be_bytes());
        }
        page
    }

    #[test]
    fn the_gap_lies_between_the_list_of_cells_and_the_first_cell() {
        assert_eq!(gap(&leaf(&[500, 480], 480), false), Some((12, 480)));
        assert_eq!(gap(&leaf(&[], 512), false), Some((8, 512)));
    }

    #[test]
    fn a_page_that_contradicts_itself_has_no_gap() {
        assert_eq!(gap(&leaf(&[500, 470], 480), false), None);
        assert_eq!(gap(&leaf(&[500], 513), false), None);
        assert_eq!(gap(&leaf(&[500], 9), false), None);
        assert_eq!(gap(&[0; 512], false), None);
        assert_eq!(gap(&[13], false), None);
    }

    #[test]
    fn the_tree_of_the_first_page_stands_behind_the_header_of_the_file() {
        let mut page = vec![13; FILE_HEADER_BYTES];
        page.extend(leaf(&[500], 490));
        assert_eq!(gap(&page, true), Some((110, 490)));
    }
}
