//! The values of settings. An error has what was expected; the caller adds the setting.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;

use crate::followed_files::read_small;
use crate::telemetry;
use crate::webhook::Allowed;
use ferry_client::http::Authorities;
use ferry_store::redis::{Durability, RedisAddress};
use ferry_types::domain::UnknownValueError;

/// The location of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreLocation {
    /// An SQLite file.
    Sqlite(PathBuf),
    /// A Redis or Valkey server.
    Redis(Box<RedisAddress>, Durability),
}

/// The expected form.
pub(super) type Expected = String;

#[expect(clippy::unnecessary_wraps, reason = "one of many that have this signature")]
pub(super) fn text(value: &str) -> Result<String, Expected> {
    Ok(value.to_owned())
}

pub(super) fn duration(value: &str) -> Result<Duration, Expected> {
    humantime::parse_duration(value)
        .map_err(|_| "expected a duration such as 50ms, 2s, 5m, 24h or 30d".to_owned())
}

/// A pause or a limit that would not be one if it were nothing.
pub(super) fn delay(value: &str) -> Result<Duration, Expected> {
    duration(value)
        .ok()
        .filter(|delay| *delay >= Duration::from_millis(1))
        .ok_or_else(|| "expected a duration of at least 1ms, such as 50ms, 2s or 5m".to_owned())
}

pub(super) fn log_filter(value: &str) -> Result<String, Expected> {
    let expected = "expected a filter such as `warn` or `ferry=debug,info`";
    telemetry::filter(value).map(|_| value.to_owned()).map_err(|_| expected.to_owned())
}

/// Renewals happen three times per lease, so one that is too short would renew all the time.
pub(super) fn lease(value: &str) -> Result<Duration, Expected> {
    duration(value)
        .ok()
        .filter(|lease| *lease >= Duration::from_millis(100))
        .ok_or_else(|| "expected a duration of at least 100ms, such as 15s".to_owned())
}

pub(super) fn count(value: &str) -> Result<u32, Expected> {
    value
        .parse()
        .ok()
        .filter(|count| *count > 0)
        .ok_or_else(|| "expected a whole number, 1 or more".to_owned())
}

pub(super) fn slots(value: &str) -> Result<usize, Expected> {
    value
        .parse()
        .ok()
        .filter(|slots| (1..=10_000).contains(slots))
        .ok_or_else(|| "expected a whole number from 1 to 10000".to_owned())
}

pub(super) fn bytes(value: &str) -> Result<u64, Expected> {
    value
        .parse()
        .ok()
        .filter(|bytes| *bytes >= 1024)
        .ok_or_else(|| "expected a whole number of bytes, 1024 or more".to_owned())
}

pub(super) fn factor(value: &str) -> Result<f32, Expected> {
    value
        .parse()
        .ok()
        .filter(|factor| (1.0..=100.0).contains(factor))
        .ok_or_else(|| "expected a number from 1 to 100".to_owned())
}

pub(super) fn address(value: &str) -> Result<Option<SocketAddr>, Expected> {
    if value.is_empty() {
        return Ok(None);
    }
    value
        .parse()
        .map(Some)
        .map_err(|_| "expected an address and a port such as 127.0.0.1:9464".to_owned())
}

#[expect(clippy::unnecessary_wraps, reason = "one of many that have this signature")]
pub(super) fn file(value: &str) -> Result<Option<PathBuf>, Expected> {
    Ok((!value.is_empty()).then(|| PathBuf::from(value)))
}

/// Networks or single addresses, separated by commas.
pub(super) fn networks(value: &str) -> Result<Vec<IpNet>, Expected> {
    let parts = value.split(',').map(str::trim).filter(|part| !part.is_empty());
    let network = |part: &str| {
        let address = || part.parse::<IpAddr>().map(IpNet::from);
        part.parse().or_else(|_| address()).map_err(|_| {
            "expected networks or addresses separated by commas, such as 10.0.0.0/8, ::1".to_owned()
        })
    };
    parts.map(network).collect()
}

pub(super) fn socket(value: &str) -> Result<SocketAddr, Expected> {
    value.parse().map_err(|_| "expected an address and a port such as 127.0.0.1:8600".to_owned())
}

pub(super) fn most(value: &str) -> Result<u64, Expected> {
    value.parse().map_err(|_| "expected a whole number; 0 for no limit".to_owned())
}

pub(super) fn yes_or_no(value: &str) -> Result<bool, Expected> {
    match value {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("expected `yes` or `no`".to_owned()),
    }
}

/// Hosts and networks, separated by commas; none for an empty text.
pub(super) fn allowed(value: &str) -> Result<Vec<Allowed>, Expected> {
    let one = |text: &str| {
        let expected = "expected hosts, addresses and networks such as hooks.internal, 10.0.0.0/8";
        text.parse().map_err(|()| expected.to_owned())
    };
    value.split(',').map(str::trim).filter(|text| !text.is_empty()).map(one).collect()
}

/// A word of a closed set.
pub(super) fn word<T: FromStr<Err = UnknownValueError>>(value: &str) -> Result<T, Expected> {
    value.parse().map_err(|error: UnknownValueError| {
        let words: Vec<_> = error.expected.iter().map(|word| format!("`{word}`")).collect();
        let (last, others) = words.split_last().expect("a set has words");
        format!("expected {} or {last}", others.join(", "))
    })
}

pub(super) fn words(value: &str) -> Result<Vec<String>, Expected> {
    let words: Vec<String> = value
        .split(',')
        .map(|word| word.trim().to_lowercase())
        .filter(|word| !word.is_empty())
        .collect();
    if words.is_empty() {
        return Err("expected words separated by commas".to_owned());
    }
    Ok(words)
}

pub(super) fn store(value: &str) -> Result<StoreLocation, Expected> {
    if value.starts_with("redis") {
        return RedisAddress::new(value)
            .map(|address| StoreLocation::Redis(Box::new(address), Durability::default()));
    }
    match value.strip_prefix("sqlite:") {
        Some(path) if !path.is_empty() => Ok(StoreLocation::Sqlite(PathBuf::from(path))),
        _ => Err("expected `sqlite:PATH`, such as sqlite:ferry.db, or a URL such as \
                  redis://localhost:6379/0"
            .to_owned()),
    }
}

/// The certificates in a file; none for an empty text.
pub(super) fn certificates(path: &str) -> Result<Option<Vec<u8>>, Expected> {
    if path.is_empty() {
        return Ok(None);
    }
    let pem = read_small(Path::new(path)).map_err(|error| format!("it cannot be read: {error}"))?;
    if !pem.windows(PEM.len()).any(|part| part == PEM) {
        return Err("expected a file with certificates in PEM".to_owned());
    }
    Ok(Some(pem))
}

/// The authorities whose certificates are in a file; none for an empty text.
pub(super) fn authorities(path: &str) -> Result<Authorities, Expected> {
    let pem = certificates(path)?;
    pem.map_or_else(|| Ok(Authorities::default()), |pem| Authorities::read(&pem))
}

const PEM: &[u8] = b"-----BEGIN CERTIFICATE-----";

pub(super) fn namespace(value: &str) -> Result<String, Expected> {
    if value.is_empty() || value.contains(['{', '}']) {
        return Err("expected a name without braces, such as ferry".to_owned());
    }
    Ok(value.to_owned())
}

/// The URL of a service, if there is one.
pub(super) fn collector(value: &str) -> Result<Option<String>, Expected> {
    (!value.is_empty()).then(|| url(value)).transpose()
}

pub(super) fn url(value: &str) -> Result<String, Expected> {
    let value = crate::secret::visible(value)?;
    if !value.contains("://") {
        return Err("the URL must begin with https:// (or http://)".to_owned());
    }
    crate::platform::check_url(value).map(|()| value.to_owned())
}

pub(super) fn token_url(value: &str) -> Result<String, Expected> {
    let value = crate::secret::visible(value)?;
    if !value.contains("://") {
        return Err("the URL must begin with https:// (or http://)".to_owned());
    }
    crate::platform::check_token_url(value).map(|()| value.to_owned())
}

/// An id as others issue it, without what is invisible around it.
pub(super) fn id(value: &str) -> Result<String, Expected> {
    crate::secret::visible(value).map(str::to_owned)
}

/// Rate in a second; none for an empty text.
pub(super) fn rate(value: &str) -> Result<Option<f64>, Expected> {
    if value.is_empty() {
        return Ok(None);
    }
    let rate: Option<f64> = value.parse().ok();
    rate.filter(|rate| (0.001..=1e6).contains(rate))
        .map(Some)
        .ok_or_else(|| "expected a number a second, from 0.001 to 1000000".to_owned())
}

/// At most so many; none for an empty text.
pub(super) fn limit(value: &str) -> Result<Option<u32>, Expected> {
    if value.is_empty() { Ok(None) } else { count(value).map(Some) }
}
