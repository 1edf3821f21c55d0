//! A document for direct use beside what a store holds of it.

use chrysalis_core::Refusal;
use chrysalis_core::merge::{DirectDocument, Document, Edit, Reading};
use chrysalis_core::payload::{Collection, Score};
use chrysalis_store::row::unpack;
use chrysalis_store::view::SCORE_DEFAULT;
use chrysalis_store::{Edit as StoreEdit, MemoryRow, StoreError};

/// Whether a document reads as a row of the store does; `pairs` are the row's metadata.
pub(super) fn agrees(document: &Document, row: &MemoryRow, pairs: &[&str], key: &str) -> Result<bool, StoreError> {
    let score = |score| document.score(score, Reading::Maximum).unwrap_or(SCORE_DEFAULT);
    let metadata = pairs.chunks_exact(2).filter(|pair| pair[0] != key).map(|pair| (pair[0], pair[1]));
    let mut same = document.content() == Some(&row.content)
        && document.memory_type() == row.memory_type
        && score(Score::Importance) == row.importance
        && score(Score::Confidence) == row.confidence
        && document.tags().eq(unpack(row.tags.as_deref())?)
        && document.metadata().eq(metadata);
    for (which, packed) in [
        (Collection::Evidence, &row.evidence),
        (Collection::Related, &row.related),
        (Collection::Parents, &row.parents),
    ] {
        same = same && document.elements(which).eq(unpack(packed.as_deref())?);
    }
    Ok(same)
}

/// Says of a document what an edit of a store says.
pub(super) fn replay(document: &mut DirectDocument, edit: &Edit<'_>, wanted: StoreEdit) -> Result<(), Refusal> {
    for (field, value) in wanted.registers {
        document.set(field, value, edit)?;
    }
    wanted.remove_tags.iter().try_for_each(|tag| document.remove_tag(tag, edit).map(drop))?;
    wanted.add_tags.iter().try_for_each(|tag| document.add_tag(tag, edit))?;
    for (collection, elements) in &wanted.grow {
        for element in elements {
            match collection {
                Collection::Evidence => document.add_evidence(element, edit)?,
                Collection::Related => document.add_related(element, edit)?,
                Collection::Parents => document.add_parent(element, edit)?,
            }
        }
    }
    for (score, value) in wanted.scores {
        match score {
            Score::Importance => document.set_importance(value, edit)?,
            Score::Confidence => document.set_confidence(value, edit)?,
        }
    }
    let mut metadata = wanted.metadata.iter();
    metadata.try_for_each(|(key, value)| document.set_metadata(key, value.as_deref(), edit))
}
