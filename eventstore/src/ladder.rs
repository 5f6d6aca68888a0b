//! Which copies of a fold are kept: of the state, and of the views.
//!
//! A copy stands at a position of the log. Who asks for the past begins at the nearest copy at or before the moment
//! and folds on from there, so the copies should lie evenly over the log, however long it has become, and their number
//! must be bounded. When there are too many, the log is divided into equal parts, each a power of two long and as short
//! as the bound allows, and of each part the last copy stays. While the log grows, parts are joined by twos: of two
//! copies the later one stays. So neither the oldest nor the newest always wins, and what stays depends on positions
//! alone. The very newest copy always stays.
//!
//! With copies taken again and again and a bound of *n*, between *n*/2 and *n* stay, and no moment lies much further
//! behind the nearest one than two *n*-ths of the log.

use flexledger_domain::Position;

/// The positions of `copies` that stay when at most `most` may, newest first.
#[must_use]
pub fn kept(copies: &[Position], most: usize) -> Vec<Position> {
    let mut sorted = copies.to_vec();
    sorted.sort_unstable_by(|a, b| b.cmp(a));
    sorted.dedup();
    let part = |at: &Position, bits: u32| at.number().checked_shr(bits).unwrap_or(0);
    let parts = |bits: u32| {
        let borders = sorted.windows(2).filter(|pair| matches!(pair, [a, b] if part(a, bits) != part(b, bits)));
        1 + borders.count()
    };
    let Some(bits) = (0..=u64::BITS).find(|bits| parts(*bits) <= most) else { return Vec::new() };
    sorted.dedup_by_key(|at| part(at, bits));
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(copies: &[u64], most: usize) -> Vec<u64> {
        let copies: Vec<_> = copies.iter().map(|at| Position::new(*at)).collect();
        kept(&copies, most).into_iter().map(Position::number).collect()
    }

    #[test]
    fn of_each_part_of_the_log_the_last_copy_stays() {
        assert!(numbers(&[], 4).is_empty());
        assert!(numbers(&[10, 20], 0).is_empty());
        assert_eq!(numbers(&[33, 35], 2), [35, 33]);
        assert_eq!(numbers(&[33, 35, 40], 2), [40, 35]);
        assert_eq!(numbers(&[10, 30, 20, 30], 1), [30]);
        // Parts of 32: up to 31, up to 63, up to 95.
        assert_eq!(numbers(&[10, 20, 30, 40, 50, 60, 70], 3), [70, 60, 30]);
        // Parts of 64.
        assert_eq!(numbers(&[10, 20, 30, 40, 50, 60, 70], 2), [70, 60]);
        assert_eq!(numbers(&[1, u64::MAX], 1), [u64::MAX]);
        assert_eq!(numbers(&[1, u64::MAX], 2), [u64::MAX, 1]);
    }

    /// Copies come one by one, and what is dropped never comes back.
    #[test]
    fn a_growing_log_is_covered_evenly_all_the_way() {
        for most in 2..=16 {
            let mut copies: Vec<Position> = Vec::new();
            for newest in (7..20_000).step_by(7) {
                copies.push(Position::new(newest));
                copies = kept(&copies, most);
                assert!(copies.len() <= most, "{copies:?}");
                assert_eq!(copies.first().map(|at| at.number()), Some(newest));
                let widest = copies.windows(2).map(|pair| pair[0].after(pair[1])).max().unwrap_or(0);
                let share = 2 * newest / u64::try_from(most).unwrap();
                assert!(widest <= share + 8, "{most} at {newest}: {widest}");
            }
        }
    }
}
