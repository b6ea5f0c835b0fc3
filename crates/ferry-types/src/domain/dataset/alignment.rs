//! Aligns the rows of two texts: rows that stand once in each, in the same order, divide them into parts, and
//! within a part the rows are paired one after the other; by their cells where one has more rows. The time is
//! that of sorting.

use std::collections::HashMap;
use std::ops::Range;

/// Pairs of rows of a part up to which they are compared by their cells.
const SMALL: usize = 10_000;

/// A row of the first text, of the second one, or of both, if they may be the same row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pair {
    /// Index in the first text.
    pub(super) before: Option<usize>,
    /// Index in the second text.
    pub(super) after: Option<usize>,
}

/// The pairs that are not equal, in the order of the rows.
pub(super) fn align(before: &[&[u8]], after: &[&[u8]]) -> Vec<Pair> {
    let (left, right) = trimmed((before, 0..before.len()), (after, 0..after.len()));
    let mut pairs = Vec::new();
    let (mut from, mut to) = (left.start, right.start);
    let anchors = anchors(before, left.clone(), after, right.clone());
    for (one, other) in anchors.into_iter().chain([(left.end, right.end)]) {
        let (left, right) = trimmed((before, from..one), (after, to..other));
        if left.len() != right.len() && left.len() * right.len() <= SMALL {
            pairs.extend(similar((before, left), (after, right)));
        } else {
            for at in 0..left.len().max(right.len()) {
                let nth = |range: &Range<usize>| range.clone().nth(at);
                pairs.push(Pair { before: nth(&left), after: nth(&right) });
            }
        }
        (from, to) = (one + 1, other + 1);
    }
    pairs.retain(|pair| match (pair.before, pair.after) {
        (Some(one), Some(other)) => before[one] != after[other],
        _ => true,
    });
    pairs
}

/// The ranges without the rows at their ends that are equal.
fn trimmed(
    (before, mut left): (&[&[u8]], Range<usize>),
    (after, mut right): (&[&[u8]], Range<usize>),
) -> (Range<usize>, Range<usize>) {
    while !left.is_empty() && !right.is_empty() && before[left.start] == after[right.start] {
        (left.start, right.start) = (left.start + 1, right.start + 1);
    }
    while !left.is_empty() && !right.is_empty() && before[left.end - 1] == after[right.end - 1] {
        (left.end, right.end) = (left.end - 1, right.end - 1);
    }
    (left, right)
}

/// The pairs of rows that have most of their cells in common, in the order of both parts.
fn similar(
    (before, left): (&[&[u8]], Range<usize>),
    (after, right): (&[&[u8]], Range<usize>),
) -> Vec<Pair> {
    let width = right.len() + 1;
    let likeness = |one: usize, other: usize| {
        common_cells(before[left.start + one], after[right.start + other])
    };
    // The most common cells of what follows each pair of rows.
    let mut best = vec![0; (left.len() + 1) * width];
    for one in (0..left.len()).rev() {
        for other in (0..right.len()).rev() {
            let paired = best[(one + 1) * width + other + 1] + likeness(one, other);
            let skipped = best[(one + 1) * width + other].max(best[one * width + other + 1]);
            best[one * width + other] = paired.max(skipped);
        }
    }
    let (mut one, mut other, mut pairs) = (0, 0, Vec::new());
    while one < left.len() || other < right.len() {
        let rest = best[one * width + other];
        let pair = if one == left.len()
            || (other < right.len() && rest == best[one * width + other + 1])
        {
            other += 1;
            (None, Some(right.start + other - 1))
        } else if other == right.len() || rest == best[(one + 1) * width + other] {
            one += 1;
            (Some(left.start + one - 1), None)
        } else {
            (one, other) = (one + 1, other + 1);
            (Some(left.start + one - 1), Some(right.start + other - 1))
        };
        pairs.push(Pair { before: pair.0, after: pair.1 });
    }
    pairs
}

/// Number of cells that two rows have in common, if these are most of them.
fn common_cells(one: &[u8], other: &[u8]) -> usize {
    let cells = |row: &[u8]| row.split(|byte| *byte == b',').count();
    let pairs = one.split(|byte| *byte == b',').zip(other.split(|byte| *byte == b','));
    let common = pairs.filter(|(one, other)| one == other).count();
    if common * 2 > cells(one).max(cells(other)) { common } else { 0 }
}

/// Rows that stand once in each range, as many as have the same order in both.
fn anchors(
    before: &[&[u8]],
    left: Range<usize>,
    after: &[&[u8]],
    right: Range<usize>,
) -> Vec<(usize, usize)> {
    let right = once(after, right);
    let mut common: Vec<(usize, usize)> = once(before, left)
        .into_iter()
        .filter_map(|(row, at)| Some((at?, right.get(row).copied()??)))
        .collect();
    common.sort_unstable();
    rising(&common)
}

/// The index of each row; none of rows that stand there several times.
fn once<'a>(rows: &[&'a [u8]], range: Range<usize>) -> HashMap<&'a [u8], Option<usize>> {
    let mut found = HashMap::with_capacity(range.len());
    for at in range {
        found.entry(rows[at]).and_modify(|at| *at = None).or_insert(Some(at));
    }
    found
}

/// The longest part of `pairs` whose second members rise, as their first ones do.
fn rising(pairs: &[(usize, usize)]) -> Vec<(usize, usize)> {
    // For each length the pair that ends such a part with the smallest member, and the pair before each.
    let (mut ends, mut earlier): (Vec<usize>, Vec<Option<usize>>) = (Vec::new(), Vec::new());
    for (at, (_, member)) in pairs.iter().enumerate() {
        let length = ends.partition_point(|end| pairs[*end].1 < *member);
        earlier.push(length.checked_sub(1).map(|shorter| ends[shorter]));
        match ends.get_mut(length) {
            Some(end) => *end = at,
            None => ends.push(at),
        }
    }
    let mut part: Vec<(usize, usize)> =
        std::iter::successors(ends.last().copied(), |at| earlier[*at])
            .map(|at| pairs[at])
            .collect();
    part.reverse();
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(before: &str, after: &str) -> Vec<(Option<usize>, Option<usize>)> {
        let before: Vec<&[u8]> = before.as_bytes().chunks(1).collect();
        let after: Vec<&[u8]> = after.as_bytes().chunks(1).collect();
        align(&before, &after).into_iter().map(|pair| (pair.before, pair.after)).collect()
    }

    #[test]
    fn a_changed_row_beside_a_new_one_is_paired_by_its_cells() {
        let (one, two, new, changed) = (&b"a,b,c"[..], &b"d,e,f"[..], &b"x,y,z"[..], &b"d,e,X"[..]);
        let found = align(&[one, two], &[one, new, changed]);
        let pair = |before, after| Pair { before, after };
        assert_eq!(found, [pair(None, Some(1)), pair(Some(1), Some(2))]);
        let found = align(&[one, new, two], &[changed]);
        assert_eq!(found, [pair(Some(0), None), pair(Some(1), None), pair(Some(2), Some(0))]);
    }

    #[test]
    fn a_changed_row_is_paired_with_the_one_in_its_place() {
        assert_eq!(said("abc", "abc"), []);
        assert_eq!(said("abc", "axc"), [(Some(1), Some(1))]);
        assert_eq!(said("abcde", "xbcdy"), [(Some(0), Some(0)), (Some(4), Some(4))]);
    }

    #[test]
    fn rows_that_were_inserted_deleted_or_moved_leave_the_others_where_they_are() {
        assert_eq!(said("abc", "axbc"), [(None, Some(1))]);
        assert_eq!(said("abc", "ac"), [(Some(1), None)]);
        assert_eq!(said("abcd", "bxcda"), [(Some(0), None), (None, Some(1)), (None, Some(4))]);
        assert_eq!(said("", "ab"), [(None, Some(0)), (None, Some(1))]);
        assert_eq!(said("aaaa", "aa"), [(Some(2), None), (Some(3), None)]);
    }
}
