//! Choices of a history: drawn from a seed, or read from the tape of an earlier run.

use fastrand::Rng;

/// Makes the choices of one history and records them. The choice 0 is what happens as intended.
#[derive(Debug)]
pub(crate) struct Choices {
    rng: Rng,
    replayed: Option<Vec<u32>>,
    tape: Vec<u32>,
}

impl Choices {
    /// Choices drawn from `seed`.
    pub(crate) fn seeded(seed: u64) -> Self {
        Self { rng: Rng::with_seed(seed), replayed: None, tape: Vec::new() }
    }

    /// The choices of a recorded tape. After its end all happens as intended.
    pub(crate) fn replayed(tape: Vec<u32>) -> Self {
        Self { replayed: Some(tape), ..Self::seeded(0) }
    }

    /// One of `0..n`.
    pub(crate) fn pick(&mut self, n: u32) -> u32 {
        let choice = match &self.replayed {
            Some(tape) => tape.get(self.tape.len()).map_or(0, |choice| (*choice).min(n - 1)),
            None => self.rng.u32(..n),
        };
        self.tape.push(choice);
        choice
    }

    /// One of `items`; the first is as intended.
    pub(crate) fn one<T: Clone>(&mut self, items: &[T]) -> T {
        items[self.pick(items.len() as u32) as usize].clone()
    }

    /// True in `per_mille` of 1000 cases.
    pub(crate) fn happens(&mut self, per_mille: u32) -> bool {
        per_mille > 0 && self.pick(1000) >= 1000 - per_mille
    }

    /// The recorded choices.
    pub(crate) fn tape(&self) -> &[u32] {
        &self.tape
    }
}

/// A tape as text: choices with commas between.
pub(crate) fn written(tape: &[u32]) -> String {
    let choices: Vec<String> = tape.iter().map(u32::to_string).collect();
    choices.join(",")
}

/// Reads what [`written`] wrote.
pub(crate) fn read(text: &str) -> Vec<u32> {
    let number = |choice: &str| choice.parse().expect("a tape has numbers with commas between");
    text.split(',').filter(|choice| !choice.is_empty()).map(number).collect()
}
