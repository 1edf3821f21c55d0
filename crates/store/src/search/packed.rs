//! Vectors in 8 bits, and queries that are compared with them.
//!
//! A vector is stored as whole numbers from -127 to 127, its own greatest being 127, with the factor that brings it
//! back to length one. A query has 16 bits, so that what a comparison loses is lost by storing alone.

use crate::error::StoreError;

/// The greatest number of dimensions: the sum of so many products stays below 2^31 with a query of eight bits or more.
pub const DIMENSIONS_MAX: usize = 65_536;

const GREATEST: f32 = 127.0;

/// Bytes of the factor before the values.
const SCALE_BYTES: usize = size_of::<f32>();

/// Bytes that a packed vector takes.
pub(super) fn packed_bytes(dimensions: usize) -> usize {
    SCALE_BYTES + dimensions
}

/// Appends `values` as factor and bytes. They must be finite and not all zero.
pub(super) fn pack(values: &[f32], packed: &mut Vec<u8>) {
    let greatest = values.iter().fold(0.0_f32, |greatest, value| greatest.max(value.abs()));
    let whole: Vec<i8> = values.iter().map(|value| (value / greatest * GREATEST).round() as i8).collect();
    let squares: f64 = whole.iter().map(|value| f64::from(*value).powi(2)).sum();
    packed.extend((squares.sqrt().recip() as f32).to_le_bytes());
    packed.extend(whole.iter().map(|value| *value as u8));
}

/// The factor and the bytes of each vector in `packed`; nothing when it does not hold whole vectors.
pub(super) fn unpack(packed: &[u8], dimensions: usize) -> impl Iterator<Item = (f32, &[u8])> {
    let whole = dimensions > 0 && packed.len().is_multiple_of(packed_bytes(dimensions));
    let packed = if whole { packed } else { &[] };
    packed.chunks_exact(packed_bytes(dimensions)).filter_map(|vector| {
        let (scale, values) = vector.split_first_chunk::<SCALE_BYTES>()?;
        Some((f32::from_le_bytes(*scale), values))
    })
}

/// A query of length one, ready to be compared. The default has no direction.
#[derive(Debug, Clone, Default)]
pub(super) struct Query {
    values: Vec<i16>,
    sum: i32,
    factor: f32,
}

impl Query {
    /// None when `query` has no direction.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when it has not as many dimensions as the model.
    pub(super) fn new(query: &[f32], model: &str, dimensions: usize) -> Result<Option<Self>, StoreError> {
        if query.len() != dimensions {
            return Err(StoreError::Invalid(format!(
                "the query has {} dimensions, and the vectors of model {model:?} have {dimensions}",
                query.len(),
            )));
        }
        let length = query.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
        let greatest = query.iter().fold(0.0_f64, |greatest, value| greatest.max(f64::from(value.abs())));
        if !length.is_finite() || greatest <= 0.0 {
            return Ok(None);
        }
        // So that no sum of products in `dot` overflows.
        let most = (f64::from(i32::MAX) / (256.0 * dimensions as f64)).min(f64::from(i16::MAX)).floor();
        let values: Vec<i16> = query.iter().map(|value| (f64::from(*value) / greatest * most).round() as i16).collect();
        let sum = values.iter().map(|value| i32::from(*value)).sum();
        Ok(Some(Self { values, sum, factor: (greatest / most / length) as f32 }))
    }

    /// The cosine with a packed vector of as many dimensions.
    pub(super) fn cosine(&self, scale: f32, values: &[u8]) -> f32 {
        // `dot` takes each value for 128 more than it is.
        let products = dot(&self.values, values) - OFFSET * self.sum;
        products as f32 * self.factor * scale
    }
}

const OFFSET: i32 = 128;
/// Products that are added up side by side: twice what the vector unit of any processor that we build for holds.
const LANES: usize = 16;

/// The sum of products, each value taken for 128 more than it is: from numbers that are never negative the compiler
/// makes code for vector units that is four times as fast, as fast as with instructions that not every processor has.
fn dot(query: &[i16], values: &[u8]) -> i32 {
    let mut sums = [0_i32; LANES];
    let (queries, query_rest) = query.as_chunks::<LANES>();
    let (blocks, rest) = values.as_chunks::<LANES>();
    for (query, values) in queries.iter().zip(blocks) {
        for lane in 0..LANES {
            sums[lane] += i32::from(query[lane]) * i32::from(values[lane] ^ 0x80);
        }
    }
    let tail = query_rest.iter().zip(rest).map(|(query, value)| i32::from(*query) * i32::from(*value ^ 0x80));
    sums.iter().sum::<i32>() + tail.sum::<i32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cosine(query: &[f32], values: &[f32]) -> f32 {
        let mut packed = Vec::new();
        pack(values, &mut packed);
        let (scale, values) = unpack(&packed, values.len()).next().unwrap();
        Query::new(query, "m", query.len()).unwrap().unwrap().cosine(scale, values)
    }

    #[test]
    fn the_cosine_does_not_depend_on_lengths() {
        for (query, values, wanted) in [
            ([2.0, 0.0], [3.0, 0.0], 1.0),
            ([1e-20, 0.0], [0.0, 1e20], 0.0),
            ([1.0, 1.0], [-5.0, -5.0], -1.0),
            ([10.0, 0.0], [1.0, 1.0], 0.5_f32.sqrt()),
        ] {
            assert!((cosine(&query, &values) - wanted).abs() < 1e-6, "{query:?} {values:?}");
        }
    }

    #[test]
    fn what_packing_loses_is_less_than_a_hundredth() {
        let wave = |step: f32| (0..384).map(|at| (at as f32 * step).sin()).collect::<Vec<f32>>();
        let (one, other) = (wave(0.7), wave(0.71));
        let exact = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
        let wanted = exact(&one, &other) / (exact(&one, &one) * exact(&other, &other)).sqrt();
        assert!((f64::from(cosine(&one, &other)) - wanted).abs() < 0.01);
        assert!(cosine(&one, &one) > 0.999);
    }

    #[test]
    fn the_greatest_sum_of_products_does_not_overflow() {
        for dimensions in [1, 384, 4_096, DIMENSIONS_MAX] {
            assert!((cosine(&vec![1.0; dimensions], &vec![1.0; dimensions]) - 1.0).abs() < 1e-3, "{dimensions}");
        }
    }

    #[test]
    fn bytes_that_hold_no_whole_vectors_hold_none() {
        assert_eq!(unpack(&[0; 11], 8).count(), 0);
        assert_eq!(unpack(&[0; 24], 8).count(), 2);
        assert_eq!(unpack(&[], 8).count(), 0);
        assert_eq!(unpack(&[1, 2, 3, 4], 0).count(), 0);
    }
}
