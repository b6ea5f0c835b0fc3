//! Dates and times as the Platform writes them.

use chrono::{Datelike, NaiveDate};

/// The first year of a date.
pub(super) const FIRST_YEAR: i32 = 1000;

/// The day that `DD/MM/YYYY` names, as a number, if it is a real one.
pub(super) fn day(cell: &[u8]) -> Option<i32> {
    let [d1, d2, b'/', m1, m2, b'/', y1, y2, y3, y4] = *cell else {
        return None;
    };
    let year = number(&[y1, y2, y3, y4])?;
    let (month, day) = (number(&[m1, m2])? as u32, number(&[d1, d2])? as u32);
    let date = NaiveDate::from_ymd_opt(year, month, day)?;
    // A year below has two digits and zeros before them.
    (year >= FIRST_YEAR).then(|| date.num_days_from_ce())
}

/// The minute of the day that `hh:mm` names, from 00:00 to 23:59.
pub(super) fn minute(cell: &[u8]) -> Option<i32> {
    let [h1, h2, b':', m1, m2] = *cell else {
        return None;
    };
    let (hour, minute) = (number(&[h1, h2])?, number(&[m1, m2])?);
    (hour < 24 && minute < 60).then_some(hour * 60 + minute)
}

fn number(digits: &[u8]) -> Option<i32> {
    digits.iter().try_fold(0, |number, digit| {
        digit.is_ascii_digit().then(|| number * 10 + i32::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_days_of_the_calendar_are_dates() {
        for good in ["01/01/1000", "29/02/2024", "31/12/9999"] {
            assert!(day(good.as_bytes()).is_some(), "{good}");
        }
        for bad in [
            "29/02/2025",
            "31/04/2025",
            "00/01/2025",
            "01/00/2025",
            "01/13/2025",
            "01/01/0000",
            "03/03/0025",
            "31/12/0999",
            "1/1/2025",
            "01-01-2025",
            "2025/01/01",
            "01/01/25",
            "+1/01/2025",
            "01/01/2025 ",
            "",
        ] {
            assert_eq!(day(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn a_day_has_times_from_00_00_to_23_59() {
        assert_eq!(minute(b"00:00"), Some(0));
        assert_eq!(minute(b"23:59"), Some(1439));
        for bad in ["24:00", "12:60", "9:00", "09.00", "09:00:00", "-1:00", "9am", ""] {
            assert_eq!(minute(bad.as_bytes()), None, "{bad}");
        }
    }
}
