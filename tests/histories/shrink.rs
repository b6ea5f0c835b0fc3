//! Shortens the tape of a history that breaks an invariant: what is left still breaks the same one.

/// Runs that shrinking may take.
const RUNS: usize = 1000;

/// The shortest tape found for which `is_broken` holds, as it does for `tape`.
pub(crate) fn shrink(mut tape: Vec<u32>, is_broken: impl Fn(&[u32]) -> bool) -> Vec<u32> {
    let mut runs = 0;
    let mut accepts = |tape: &[u32]| {
        runs += 1;
        runs <= RUNS && is_broken(tape)
    };
    loop {
        let before = tape.clone();
        let mut size = tape.len();
        while size > 0 {
            without_blocks(&mut tape, size, &mut accepts);
            size /= 2;
        }
        lower(&mut tape, &mut accepts);
        if tape == before {
            break;
        }
    }
    while tape.last() == Some(&0) {
        tape.pop();
    }
    tape
}

/// Removes blocks of `size` choices, or makes them as intended, from the end to the beginning.
fn without_blocks(tape: &mut Vec<u32>, size: usize, accepts: &mut impl FnMut(&[u32]) -> bool) {
    let mut end = tape.len();
    while end > 0 {
        let begin = end.saturating_sub(size);
        let removed = [&tape[..begin], &tape[end..]].concat();
        if accepts(&removed) {
            *tape = removed;
        } else if tape[begin..end].iter().any(|choice| *choice > 0) {
            let mut zeroed = tape.clone();
            zeroed[begin..end].fill(0);
            if accepts(&zeroed) {
                *tape = zeroed;
            }
        }
        end = begin;
    }
}

fn lower(tape: &mut Vec<u32>, accepts: &mut impl FnMut(&[u32]) -> bool) {
    for at in 0..tape.len() {
        for lower in [tape[at] / 2, tape[at].saturating_sub(1)] {
            if lower < tape[at] {
                let mut lowered = tape.clone();
                lowered[at] = lower;
                if accepts(&lowered) {
                    *tape = lowered;
                }
            }
        }
    }
}

#[test]
fn a_tape_shrinks_to_what_breaks() {
    let tape: Vec<u32> = (0..500).map(|choice| choice % 7).collect();
    let is_broken =
        |tape: &[u32]| tape.iter().position(|c| *c >= 5).is_some_and(|at| tape[at..].contains(&3));
    assert_eq!(shrink(tape, is_broken), [5, 3]);
}
