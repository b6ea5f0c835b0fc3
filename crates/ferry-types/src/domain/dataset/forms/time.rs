//! Times in other forms than hh:mm.

use super::form::{Form, certain, uncertain};

const IN_WORDS: &str = "is a time in words";

/// Names of time zones, as people write them behind a time.
const ZONES: [&str; 23] = [
    "utc", "gmt", "wet", "west", "bst", "cet", "cest", "mez", "mesz", "eet", "eest", "msk", "est",
    "edt", "cst", "cdt", "mst", "mdt", "pst", "pdt", "jst", "aest", "aedt",
];

/// The time without a time zone behind it, and whether there was one.
pub(super) fn without_zone(text: &str) -> (&str, bool) {
    if let Some(clock) = text.strip_suffix(['Z', 'z']) {
        return (clock.trim_end(), true);
    }
    let word = text.rfind(|char: char| !char.is_ascii_alphabetic()).map_or(0, |at| at + 1);
    if let Some((clock, word)) = text.split_at_checked(word)
        && ZONES.iter().any(|zone| word.eq_ignore_ascii_case(zone))
    {
        return (clock.trim_end(), true);
    }
    // Without seconds, what follows a hyphen may be the end of a range.
    let at = text.rfind(['+', '-']).filter(|at| {
        let colons = text[..*at].matches(':').count();
        colons == 2 || (colons == 1 && text[*at..].starts_with('+'))
    });
    let zone = at.map(|at| &text[at + 1..]).filter(|zone| {
        matches!(zone.len(), 2 | 4 | 5) && zone.bytes().all(|b| b.is_ascii_digit() || b == b':')
    });
    match (at, zone) {
        (Some(at), Some(_)) => (text[..at].trim_end(), true),
        _ => (text, false),
    }
}

/// True if the text is a time of day in any form that is known.
pub(super) fn is_time(text: &str) -> bool {
    super::super::datetime::minute(text.as_bytes()).is_some() || recognize(text).is_some()
}

/// Recognizes a time; `text` has plain blanks and no quotes around it.
pub(super) fn recognize(text: &str) -> Option<Form> {
    if let Some(form) = with_date(text) {
        return Some(form);
    }
    if let (clock, true) = without_zone(text) {
        let strict = super::super::datetime::minute(clock.as_bytes());
        let strict = strict.map(|_| certain("", clock.to_owned()));
        let form = strict.or_else(|| recognize(clock))?;
        return Some(Form { name: "has a time zone", is_certain: false, ..form });
    }
    let lower = text.to_lowercase();
    match &*lower {
        "noon" => return Some(uncertain(IN_WORDS, Some("12:00".to_owned()))),
        "midnight" => return Some(Form { name: IN_WORDS, ..midnight() }),
        _ => {}
    }
    if let Some(clock) = text.strip_prefix(['T', 't']) {
        let strict = super::super::datetime::minute(clock.as_bytes());
        let strict = strict.map(|_| certain("", clock.to_owned()));
        let form = strict.or_else(|| recognize(clock))?;
        return Some(Form { name: "has a `T` before it", ..form });
    }
    let digits_end = lower.rfind(|char: char| char.is_ascii_digit()).map_or(0, |at| at + 1);
    let (clock, suffix) = lower.split_at(digits_end);
    let suffix: String = suffix.chars().filter(|char| !matches!(char, '.' | ' ')).collect();
    match &*suffix {
        "" => of_clock(clock),
        "am" | "a" => of_half_day(clock, 0),
        "pm" | "p" => of_half_day(clock, 12),
        "h" | "uhr" | "hrs" | "hours" => with_unit(clock),
        _ => None,
    }
}

fn of_clock(clock: &str) -> Option<Form> {
    if let Some((hour, minute)) = clock.split_once('h') {
        let instead = written(hour.trim(), minute.trim(), 0)?;
        return Some(certain("has an `h` between its numbers", instead));
    }
    if clock.contains(':') {
        return of_colons(clock);
    }
    if let Some((hour, minute)) = clock.split_once(['.', ',']) {
        if let Some(form) = of_fraction(hour, minute) {
            return Some(form);
        }
        if minute.len() == 1 {
            return of_tenths(hour, minute);
        }
        let is_clock = minute.len() == 2;
        let instead = written(hour, minute, 0).filter(|_| is_clock);
        let what = if clock.contains(',') {
            "has a comma instead of a colon"
        } else {
            "has a dot instead of a colon"
        };
        return instead.map(|instead| uncertain(what, Some(instead)));
    }
    let is_number = matches!(clock.len(), 3 | 4) && clock.bytes().all(|byte| byte.is_ascii_digit());
    let (hour, minute) =
        clock.split_at_checked(clock.len().saturating_sub(2)).filter(|_| is_number)?;
    if (hour, minute) == ("24", "00") {
        return Some(midnight());
    }
    Some(uncertain("has no colon", Some(written(hour, minute, 0)?)))
}

fn of_colons(clock: &str) -> Option<Form> {
    let parts: Vec<_> = clock.split(':').collect();
    match *parts {
        [hour, minute] if hour == "24" && minute == "00" => Some(midnight()),
        [hour, minute] if minute.len() == 1 => of_one_digit(hour, minute),
        [hour, minute] => Some(certain("has no leading zero", written(hour, minute, 0)?)),
        [hour, minute, seconds] => {
            if hour == "24" && minute == "00" {
                return Some(midnight());
            }
            let instead = written(hour, minute, 0)?;
            let are_seconds = seconds.len() > 1
                && seconds.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b','));
            let are_none = seconds.bytes().all(|byte| !matches!(byte, b'1'..=b'9'));
            are_seconds.then(|| Form { is_certain: are_none, ..certain("has seconds", instead) })
        }
        _ => None,
    }
}

/// A minute whose zero is missing, before or behind its digit.
fn of_one_digit(hour: &str, digit: &str) -> Option<Form> {
    const NAME: &str = "has a minute of one digit";
    let before = written(hour, &format!("0{digit}"), 0)?;
    Some(match written(hour, &format!("{digit}0"), 0) {
        Some(behind) if behind != before => {
            uncertain(NAME, Some(format!("{before}` or `{behind}")))
        }
        Some(_) => certain(NAME, before),
        None => uncertain(NAME, Some(before)),
    })
}

fn midnight() -> Form {
    uncertain("is the end of a day", Some("00:00` of the next day, or `23:59".to_owned()))
}

/// A part of a day, as a spreadsheet keeps times.
fn of_fraction(whole: &str, fraction: &str) -> Option<Form> {
    const NAME: &str = "is a spreadsheet's serial number";
    if whole == "0" && fraction.len() == 2 {
        // `0.25` is six o'clock, or 25 past midnight with a dot.
        return Some(uncertain(NAME, None));
    }
    let is_fraction = whole == "0" || fraction.len() > 2;
    let number: f64 = format!("{whole}.{fraction}").parse().ok().filter(|_| is_fraction)?;
    let minutes = (number.fract() * 1440.0).round() as u32 % 1440;
    let instead = format!("{:02}:{:02}", minutes / 60, minutes % 60);
    Some(uncertain(NAME, Some(instead)))
}

/// Hours with a tenth, or with a minute whose zero is missing.
fn of_tenths(hour: &str, tenth: &str) -> Option<Form> {
    let (tenth, hour): (u32, u32) = (tenth.parse().ok()?, hour.parse().ok()?);
    let instead = format!("{hour:02}:{:02}` or `{hour:02}:{tenth:02}", tenth * 6);
    (hour < 24).then(|| uncertain("may be a number of hours", Some(instead)))
}

fn of_half_day(clock: &str, add: u32) -> Option<Form> {
    const NAME: &str = "has AM or PM";
    let parts: Vec<_> = clock.trim().split([':', '.']).collect();
    let (hour, minute, seconds) = match *parts {
        [hour] => (hour, "00", "00"),
        [hour, minute] => (hour, minute, "00"),
        [hour, minute, seconds] => (hour, minute, seconds),
        _ => return None,
    };
    let hour: u32 = hour.parse().ok()?;
    if !(1..=12).contains(&hour) {
        // `15:00 PM` has no meaning, and its hour may be the right one or not.
        return written(&hour.to_string(), minute, 0).map(|_| uncertain(NAME, None));
    }
    let instead = written(&(hour % 12).to_string(), minute, add)?;
    Some(Form { is_certain: seconds == "00", ..certain(NAME, instead) })
}

fn with_unit(clock: &str) -> Option<Form> {
    let clock = clock.trim();
    let (hour, minute) = clock.split_once([':', 'h']).unwrap_or((clock, "00"));
    Some(certain("has a unit behind it", written(hour, minute, 0)?))
}

fn with_date(text: &str) -> Option<Form> {
    let (day, clock) = text.split_once(['T', ' '])?;
    if day.len() < 6 || !day.contains(['-', '/', '.']) {
        return None;
    }
    let clock = clock.trim();
    let is_strict = super::super::datetime::minute(clock.as_bytes()).is_some();
    let form = if is_strict { certain("", clock.to_owned()) } else { recognize(clock)? };
    Some(Form { name: "has a date before the time", is_certain: false, ..form })
}

/// hh:mm, if that is a time of day.
fn written(hour: &str, minute: &str, add: u32) -> Option<String> {
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !matches!(hour.len(), 1 | 2) || minute.len() != 2 || !is_number(hour) || !is_number(minute) {
        return None;
    }
    let (hour, minute): (u32, u32) = (hour.parse::<u32>().ok()? + add, minute.parse().ok()?);
    (hour < 24 && minute < 60).then(|| format!("{hour:02}:{minute:02}"))
}
