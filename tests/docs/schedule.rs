//! When a webhook is attempted again, from the defaults of the settings.

use super::program::settings as all_settings;
use super::render::table;

/// The delay before each attempt, with the defaults.
pub(crate) fn table_of_attempts() -> String {
    let all = all_settings();
    let default = |wanted: &dyn Fn(&str) -> bool| -> String {
        let found = all.iter().find(|one| {
            one["name"].as_str().is_some_and(|name| name.starts_with("webhook_") && wanted(name))
        });
        found.expect("the setting is there")["default"].as_str().unwrap_or_default().to_owned()
    };
    let first = seconds(&default(&|name| name.ends_with("initial")));
    let longest = seconds(&default(&|name| name.ends_with("_max")));
    let attempts = default(&|name| name.ends_with("tries") || name.ends_with("attempts"));
    let attempts: u32 = attempts.parse().expect("a number");
    let rows = (2..=attempts).map(|attempt| {
        let delay = (first * 4_u64.pow(attempt - 2)).min(longest);
        vec![attempt.to_string(), shown(delay as f64 / 2.0), shown(delay as f64)]
    });
    table(&["attempt", "at least after", "at most after"], rows)
}

/// `5s`, `12h` in seconds.
fn seconds(text: &str) -> u64 {
    let (number, unit) = text.split_at(text.len() - 1);
    let factor = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        other => panic!("unknown unit `{other}`"),
    };
    number.parse::<u64>().expect("a number") * factor
}

fn shown(seconds: f64) -> String {
    match seconds {
        ..120.0 => format!("{seconds} s"),
        120.0..7200.0 => format!("{:.0} min", seconds / 60.0),
        _ => format!("{:.1} h", seconds / 3600.0),
    }
}
