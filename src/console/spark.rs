//! The pace of an account as a small chart, beside the number and the sentence that say the same.

use super::text::number;
use crate::words::counted;

/// Height of the chart, and of its highest point.
const HEIGHT: u32 = 16;
const HIGHEST: u32 = 14;

/// Minutes of which the number beside the chart is the mean.
const MEAN: usize = 5;

/// A chart of the submissions that became final in each of the last minutes.
#[derive(Debug)]
pub(crate) struct Spark {
    /// The points of its line, in a box of 60 by 16.
    pub(crate) points: String,
    /// The sentence that says the same.
    pub(crate) label: String,
    /// The mean of the last minutes.
    pub(crate) pace: String,
}

impl Spark {
    /// The chart of these minutes, oldest first.
    pub(super) fn new(minutes: &[u32]) -> Self {
        let most = minutes.iter().copied().max().unwrap_or_default();
        let point = |(at, count): (usize, &u32)| {
            let height = u64::from(*count) * u64::from(HIGHEST) / u64::from(most.max(1));
            let x = crate::throughput::MINUTES - minutes.len() + at;
            format!("{x},{}", u64::from(HEIGHT - 1) - height)
        };
        let mut points: Vec<String> = minutes.iter().enumerate().map(point).collect();
        if let [only] = &points[..] {
            // A point alone is no line.
            points.push(only.replace("59,", "60,"));
        }
        let sum = |some: &[u32]| some.iter().copied().map(u64::from).sum::<u64>();
        let of = match minutes.len() as u64 {
            1 => "minute".to_owned(),
            count => counted(count, "minute"),
        };
        let label = format!(
            "{} became final in the last {of}, at most {} in one, as this server saw it",
            counted(sum(minutes), "submission"),
            number(most.into()),
        );
        // The last one is not over.
        let over = &minutes[..minutes.len().saturating_sub(1)];
        let some = if over.is_empty() { minutes } else { &over[over.len().saturating_sub(MEAN)..] };
        let mean = sum(some) as f64 / some.len().max(1) as f64;
        let pace = if mean >= 10.0 || mean == 0.0 {
            number(mean.round() as u64)
        } else {
            format!("{mean:.1}")
        };
        Self { points: points.join(" "), label, pace }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_ends_at_the_right_and_its_sentence_says_the_same() {
        let spark = Spark::new(&[0, 7, 14]);
        assert_eq!(spark.points, "57,15 58,8 59,1");
        let expected = "21 submissions became final in the last 3 minutes, at most 14 in one, as this \
                        server saw it";
        assert_eq!((&*spark.label, &*spark.pace), (expected, "3.5"));
        let one = Spark::new(&[1]);
        assert_eq!((&*one.points, &*one.pace), ("59,1 60,1", "1.0"));
        let none = Spark::new(&[0; 60]);
        assert!(none.points.starts_with("0,15 1,15") && none.points.ends_with("59,15"));
        assert_eq!(none.pace, "0");
        assert_eq!(Spark::new(&[2400, 2400, 1]).pace, "2,400");
    }
}
