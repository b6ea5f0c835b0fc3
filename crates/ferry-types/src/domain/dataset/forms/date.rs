//! Dates in other forms than DD/MM/YYYY.

use chrono::{Days, NaiveDate};

use super::form::{AMBIGUOUS, Form, MONTH_FIRST, certain, uncertain};
use super::time;
use crate::domain::dataset::datetime::FIRST_YEAR;

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

const TWO_DIGITS: &str = "has a year of two digits";

/// Recognizes a date; `text` has plain blanks and no quotes around it.
pub(super) fn recognize(text: &str) -> Option<Form> {
    if let Some(form) = with_time(text) {
        return Some(form);
    }
    if text.chars().any(char::is_alphabetic) {
        return weekday(text).or_else(|| month_name(text));
    }
    let text = text.replace(". ", ".");
    let text = text.trim_end_matches('.');
    match *parts(text)?.as_slice() {
        [number] => of_number(number),
        [days, _] if text.contains(['.', ',']) => of_number(days),
        [year, month, day] if year.len() == 4 => year_first(year, month, day),
        [first, second, year] => {
            of_three(first, second, year, text.contains('.'), text.contains('/'))
        }
        _ => None,
    }
}

/// Numbers with one and the same mark between them.
fn parts(text: &str) -> Option<Vec<&str>> {
    let mark = text.chars().find(|char| !char.is_ascii_digit()).unwrap_or('/');
    let is_number =
        |part: &&str| matches!(part.len(), 1..=17) && part.bytes().all(|b| b.is_ascii_digit());
    let parts: Vec<_> = text.split(mark).collect();
    (matches!(mark, '/' | '-' | '.' | ',' | ' ' | '\\' | '_') && parts.iter().all(is_number))
        .then_some(parts)
}

fn date(year: &str, month: &str, day: &str) -> Option<String> {
    if day.len() > 2 || month.len() > 2 || year.len() != 4 {
        return None;
    }
    let year = year.parse().ok().filter(|year| *year >= FIRST_YEAR)?;
    let date = NaiveDate::from_ymd_opt(year, month.parse().ok()?, day.parse().ok()?)?;
    Some(written(date))
}

fn written(date: NaiveDate) -> String {
    date.format("%d/%m/%Y").to_string()
}

/// A year of two digits with zeros before them, as a spreadsheet writes it in a format of four.
fn padded_year(year: &str) -> Option<String> {
    year.strip_prefix("00").filter(|year| year.len() == 2).map(|year| format!("20{year}"))
}

fn year_first(year: &str, month: &str, day: &str) -> Option<Form> {
    if let Some(year) = padded_year(year) {
        return Some(uncertain(TWO_DIGITS, Some(date(&year, month, day)?)));
    }
    Some(certain("has the year first", date(year, month, day)?))
}

/// Day and month in either order, and a year.
fn of_three(
    first: &str,
    second: &str,
    year: &str,
    has_dots: bool,
    has_slashes: bool,
) -> Option<Form> {
    if let Some(year) = padded_year(year) {
        let date = date(&year, second, first).or_else(|| date(&year, first, second))?;
        return Some(uncertain(TWO_DIGITS, Some(date)));
    }
    if year.len() == 2 {
        let full = format!("20{year}");
        // The year may be meant as the first number, too.
        let instead = date(&full, second, first).filter(|_| first == second);
        let is_date = date(&full, second, first).or_else(|| date(&full, first, second));
        let is_date = is_date.or_else(|| date(&format!("20{first:0>2}"), second, year));
        return is_date.map(|_| uncertain(TWO_DIGITS, instead));
    }
    let (day_first, month_first) = (date(year, second, first), date(year, first, second));
    match (day_first, month_first) {
        (Some(day_first), Some(month_first)) if day_first != month_first && !has_dots => {
            Some(uncertain(AMBIGUOUS, Some(format!("{day_first}` or `{month_first}"))))
        }
        (Some(day_first), _) if has_slashes => Some(certain("has no leading zeros", day_first)),
        (Some(day_first), _) if has_dots => {
            Some(certain("has dots between its numbers", day_first))
        }
        (Some(day_first), _) => {
            Some(certain("has other marks than slashes between its numbers", day_first))
        }
        (None, Some(month_first)) => Some(certain(MONTH_FIRST, month_first)),
        (None, None) => None,
    }
}

/// A number of days since 1900, as a spreadsheet counts them, or a date without marks.
fn of_number(digits: &str) -> Option<Form> {
    if digits.len() == 8 {
        let year_first = date(&digits[..4], &digits[4..6], &digits[6..]);
        let day_first = date(&digits[4..], &digits[2..4], &digits[..2]);
        let instead = match (year_first, day_first) {
            (Some(date), None) | (None, Some(date)) => Some(date),
            (None, None) => return None,
            _ => None,
        };
        return Some(uncertain("has no slashes between its numbers", instead));
    }
    // From 1954 to 2119: other numbers of five digits are hardly dates.
    let days: u64 = digits.parse().ok().filter(|days| (20_000..=80_000).contains(days))?;
    let date = NaiveDate::from_ymd_opt(1899, 12, 30)?.checked_add_days(Days::new(days))?;
    // Some spreadsheets count from 1904.
    Some(uncertain("is a spreadsheet's serial number", Some(written(date))))
}

/// A date with a time behind it; midnight says no more than the date.
fn with_time(text: &str) -> Option<Form> {
    let (day, clock) = text.split_once(['T', ' '])?;
    let (clock, has_zone) = time::without_zone(clock.trim());
    if !clock.contains(':') {
        return None;
    }
    let is_midnight =
        clock.bytes().all(|byte| matches!(byte, b'0' | b':' | b'.')) || clock == "12:00:00 AM";
    let strict = super::super::datetime::day(day.as_bytes()).map(|_| certain("", day.to_owned()));
    let form = strict.or_else(|| recognize(day))?;
    let is_time = is_midnight || time::is_time(clock);
    let is_certain = form.is_certain && is_midnight && !has_zone;
    // Its order matters for all dates of the file.
    let is_ordered = matches!(form.name, AMBIGUOUS | MONTH_FIRST);
    let name = if is_ordered { form.name } else { "has a time behind the date" };
    is_time.then_some(Form { name, is_certain, ..form })
}

/// A date in numbers behind the name of its day of the week, in any language.
fn weekday(text: &str) -> Option<Form> {
    let (name, date) = text.split_once([' ', ','])?;
    let is_name = name.trim_end_matches('.').chars().all(char::is_alphabetic);
    let date = date.trim_start_matches([' ', ',']);
    if !is_name || date.chars().any(char::is_alphabetic) {
        return None;
    }
    let strict = super::super::datetime::day(date.as_bytes()).map(|_| certain("", date.to_owned()));
    let form = strict.or_else(|| recognize(date).filter(|_| date.contains(['/', '.', '-'])))?;
    let is_ordered = matches!(form.name, AMBIGUOUS | MONTH_FIRST);
    let name = if is_ordered { form.name } else { "has the day of the week before it" };
    Some(Form { name, is_certain: false, ..form })
}

/// A date that names its month. Only English names are known, and `certain` needs a whole year.
fn month_name(text: &str) -> Option<Form> {
    const NAME: &str = "has the month as a word";
    let words: Vec<_> =
        text.split([' ', '-', '/', '.', ',']).filter(|word| !word.is_empty()).collect();
    let is_word = |word: &&&str| word.chars().all(char::is_alphabetic);
    let numbers: Vec<_> =
        words.iter().filter(|word| word.bytes().all(|b| b.is_ascii_digit())).collect();
    let names: Vec<_> = words.iter().filter(is_word).collect();
    if names.is_empty() || numbers.is_empty() || numbers.len() > 2 {
        return None;
    }
    let month = names.iter().filter(|name| name.len() > 2).find_map(|name| {
        let name = name.to_lowercase();
        MONTHS.iter().position(|month| name.starts_with(month)).filter(|_| is_english(&name))
    });
    let (Some(month), &[day, year]) = (month, &*numbers) else {
        return Some(uncertain(NAME, None));
    };
    let (day, year) = if day.len() == 4 { (year, day) } else { (day, year) };
    let instead = date(year, &(month + 1).to_string(), day);
    Some(match instead {
        Some(instead) if names.len() == 1 => certain(NAME, instead),
        instead => uncertain(NAME, instead),
    })
}

fn is_english(name: &str) -> bool {
    const WHOLE: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    name.len() == 3 || name == "sept" || WHOLE.contains(&name)
}
