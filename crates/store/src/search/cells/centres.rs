//! The centres of cells: found by repeated averaging over a sample, and asked which is nearest.

use super::super::packed::{Query, pack, packed_bytes, unpack};
use super::build::Watch;

/// Vectors of the sample for each centre.
const SAMPLE_PER_CENTRE: usize = 40;

/// How often the sample is assigned and averaged. More rounds move the centres by less than their cells differ.
const ROUNDS: usize = 8;

/// From so many centres on they are grouped themselves, and a vector is compared with those of the nearest groups only:
/// it may miss the nearest centre by a little, and finds one in a fifth of the time.
const GROUPED_MIN: usize = 256;
const GROUPS_COMPARED: usize = 8;

/// After so many vectors it is looked whether to go on.
const VECTORS_PER_LOOK: usize = 256;

/// How many centres serve so many vectors: with about twice the square root, comparing with the centres costs less
/// than comparing with the vectors in the nearest cells.
pub(super) fn count_for(vectors: usize) -> usize {
    (2.0 * (vectors as f64).sqrt()).round().clamp(1.0, 4_096.0) as usize
}

pub(super) fn sample_for(vectors: usize) -> usize {
    (count_for(vectors) * SAMPLE_PER_CENTRE).min(vectors)
}

/// What finding centres for so many vectors costs, as a number of vectors whose cell is looked for.
pub(super) fn cost_for(vectors: usize) -> usize {
    sample_for(vectors) * ROUNDS
}

/// Points of length one, each packed, and made ready to be compared with vectors.
pub(super) struct Centres {
    pub packed: Vec<u8>,
    ready: Vec<Query>,
    groups: Option<Box<Groups>>,
}

/// Centres of centres.
struct Groups {
    middles: Centres,
    members: Vec<Vec<usize>>,
}

impl Groups {
    fn of(centres: &Centres, dimensions: usize) -> Option<Self> {
        let count = (centres.len() as f64).sqrt().round() as usize;
        let middles = Centres::find(&centres.packed, dimensions, count, &Watch::default())?;
        let mut members = vec![Vec::new(); middles.len()];
        for (centre, (scale, values)) in unpack(&centres.packed, dimensions).enumerate() {
            members[middles.nearest(scale, values)].push(centre);
        }
        Some(Self { middles, members })
    }

    /// The centres of the groups nearest to a vector.
    fn near(&self, scale: f32, values: &[u8]) -> impl Iterator<Item = usize> {
        let cosines = self.middles.ready.iter().map(|middle| middle.cosine(scale, values));
        let mut groups: Vec<(f32, usize)> = cosines.zip(0..).collect();
        let compared = GROUPS_COMPARED.min(groups.len());
        if compared < groups.len() {
            groups.select_nth_unstable_by(compared, |one, other| other.0.total_cmp(&one.0));
        }
        groups.truncate(compared);
        groups.into_iter().flat_map(|(_, group)| &self.members[group]).copied()
    }
}

impl Centres {
    /// From packed points; those without a direction attract nothing.
    pub(super) fn new(packed: Vec<u8>, dimensions: usize) -> Self {
        let as_query = |(scale, values): (f32, &[u8])| {
            let values: Vec<f32> = values.iter().map(|value| f32::from(*value as i8) * scale).collect();
            Query::new(&values, "", dimensions).ok().flatten().unwrap_or_default()
        };
        let ready: Vec<Query> = unpack(&packed, dimensions).map(as_query).collect();
        let mut centres = Self { packed, ready, groups: None };
        if centres.len() >= GROUPED_MIN {
            centres.groups = Groups::of(&centres, dimensions).map(Box::new);
        }
        centres
    }

    /// Finds `count` centres of the vectors in `sample`, packed one after the other. None when it was stopped.
    pub(super) fn find(sample: &[u8], dimensions: usize, count: usize, watch: &Watch) -> Option<Self> {
        let vectors: Vec<(f32, &[u8])> = unpack(sample, dimensions).collect();
        let count = count.clamp(1, vectors.len().max(1));
        let first = (0..count).filter_map(|at| vectors.get(at * vectors.len() / count));
        let mut packed = Vec::with_capacity(count * packed_bytes(dimensions));
        first.for_each(|(scale, values)| append(&mut packed, *scale, values));
        let mut centres = Self::new(packed, dimensions);
        for _ in 0..ROUNDS {
            centres = centres.averaged(&vectors, dimensions, watch)?;
        }
        Some(centres)
    }

    fn averaged(&self, vectors: &[(f32, &[u8])], dimensions: usize, watch: &Watch) -> Option<Self> {
        let mut sums = vec![0.0_f32; self.ready.len() * dimensions];
        for (at, (scale, values)) in vectors.iter().enumerate() {
            if at % VECTORS_PER_LOOK == 0 {
                watch.advance(VECTORS_PER_LOOK.min(vectors.len() - at));
                if watch.is_stopped() {
                    return None;
                }
            }
            let cell = self.nearest(*scale, values);
            let sum = &mut sums[cell * dimensions..][..dimensions];
            sum.iter_mut().zip(*values).for_each(|(sum, value)| *sum += scale * f32::from(*value as i8));
        }
        let mut packed = Vec::with_capacity(self.packed.len());
        for (cell, sum) in sums.chunks_exact(dimensions).enumerate() {
            match sum.iter().any(|value| *value != 0.0) {
                true => pack(sum, &mut packed),
                // A centre that attracted nothing starts again from some vector of the sample.
                false => append_nth(&mut packed, vectors, cell.wrapping_mul(7_919)),
            }
        }
        Some(Self::new(packed, dimensions))
    }

    pub(super) fn len(&self) -> usize {
        self.ready.len()
    }

    /// The cell that a vector belongs to.
    pub(super) fn nearest(&self, scale: f32, values: &[u8]) -> usize {
        match &self.groups {
            Some(groups) => self.nearest_of(groups.near(scale, values), scale, values),
            None => self.nearest_of(0..self.len(), scale, values),
        }
    }

    fn nearest_of(&self, cells: impl Iterator<Item = usize>, scale: f32, values: &[u8]) -> usize {
        let mut nearest = (f32::MIN, 0);
        for cell in cells {
            let cosine = self.ready[cell].cosine(scale, values);
            if cosine > nearest.0 {
                nearest = (cosine, cell);
            }
        }
        nearest.1
    }
}

/// All cells by the packed points at their centres, the nearest to the query first.
pub(super) fn by_nearness(query: &Query, packed: &[u8], dimensions: usize) -> Vec<usize> {
    let centres = unpack(packed, dimensions).enumerate();
    let mut cells: Vec<(f32, usize)> =
        centres.map(|(cell, (scale, values))| (query.cosine(scale, values), cell)).collect();
    cells.sort_unstable_by(|one, other| other.0.total_cmp(&one.0));
    cells.into_iter().map(|(_, cell)| cell).collect()
}

fn append_nth(packed: &mut Vec<u8>, vectors: &[(f32, &[u8])], at: usize) {
    if let Some((scale, values)) = vectors.get(at % vectors.len().max(1)) {
        append(packed, *scale, values);
    }
}

fn append(packed: &mut Vec<u8>, scale: f32, values: &[u8]) {
    packed.extend(scale.to_le_bytes());
    packed.extend_from_slice(values);
}
