//! The mean without its ends, in whole numbers: the same on every machine.

/// Trims floor((n - 1) / 3) values from each end and averages the rest, rounded to the nearest; none when nothing is
/// left.
///
/// `members` is how many could have spoken, not how many did: of 3f + 1 members f may lie, and silence of the honest
/// must not make the liars' share larger. More voices than members count as members.
pub fn trimmed_mean(mut values: Vec<u16>, members: usize) -> Option<u16> {
    let trim = members.max(values.len()).saturating_sub(1) / 3;
    values.sort_unstable();
    let end = values.len().saturating_sub(trim);
    let kept = values.get(trim..end).filter(|kept| !kept.is_empty())?;
    let sum: u64 = kept.iter().map(|value| u64::from(*value)).sum();
    let count = kept.len() as u64;
    Some(((sum + count / 2) / count) as u16)
}

#[cfg(test)]
mod tests {
    use super::trimmed_mean;

    #[test]
    fn one_liar_among_four_moves_nothing_out_of_the_honest_range() {
        for lie in [0, 1, 99, 150, 301, u16::MAX] {
            let mean = trimmed_mean(vec![100, lie, 300, 200], 4).unwrap();
            assert!((100..=300).contains(&mean), "{lie} moved the mean to {mean}");
        }
    }

    #[test]
    fn too_few_voices_give_no_figure() {
        assert_eq!(trimmed_mean(vec![], 1), None);
        assert_eq!(trimmed_mean(vec![7], 1), Some(7));
        assert_eq!(trimmed_mean(vec![7], 4), None);
        assert_eq!(trimmed_mean(vec![7, 9], 4), None);
        assert_eq!(trimmed_mean(vec![7, 9, 11], 4), Some(9));
    }

    #[test]
    fn more_voices_than_members_are_trimmed_by_the_voices() {
        assert_eq!(trimmed_mean(vec![0, 10, 12, u16::MAX], 1), Some(11));
    }
}
