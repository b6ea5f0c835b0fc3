//! HTTP clients as all parts of Ferry build them, and the delay that a response asks for.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use reqwest::{Certificate, Client, ClientBuilder, redirect};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;

use ferry_types::domain::{Timestamp, until};

/// Longest delay that a response can ask for; how much of it is trusted is configured.
const LONGEST: Duration = Duration::from_hours(365 * 24);

/// Certificate authorities to trust beside those of the machine.
#[derive(Debug, Clone, Default)]
pub struct Authorities(Vec<CertificateDer<'static>>);

impl Authorities {
    /// Reads their certificates, of which there must be one, from a text of PEM.
    pub fn read(pem: &[u8]) -> Result<Self, String> {
        // Editors of Windows write one.
        let pem = pem.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(pem);
        let unfit = "it holds what is no certificate";
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        let authorities = Self(certificates.map_err(|_| unfit.to_owned())?);
        if authorities.0.is_empty() {
            return Err("it holds no certificate".to_owned());
        }
        // PEM may encode something else.
        authorities.roots().map_err(|_| unfit.to_owned())?;
        Ok(authorities)
    }

    fn certificates(&self) -> Vec<Certificate> {
        self.0.iter().filter_map(|der| Certificate::from_der(der).ok()).collect()
    }

    fn roots(&self) -> Result<RootCertStore, rustls::Error> {
        let mut roots = RootCertStore::empty();
        self.0.iter().try_for_each(|der| roots.add(der.clone()))?;
        Ok(roots)
    }
}

/// The servers that a client may have to verify.
#[derive(Debug, Clone, Copy)]
pub enum Tls<'a> {
    /// None: it speaks plain HTTP only, and reading the certificates of the machine takes long.
    Unused,
    /// Perhaps a proxy, and no server without it.
    Optional(&'a Authorities),
    /// All of them, by the authorities of the machine and by these.
    Required(&'a Authorities),
}

/// No client can be built, mostly because the machine has no certificates of authorities.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up an HTTPS client")]
pub struct TlsSetupError(#[source] Box<dyn Error + Send + Sync>);

/// Builds a client. It follows no redirect, which would take secrets elsewhere. Where the machine
/// has no certificates, as in a bare container, it trusts the given authorities alone.
pub fn client(
    tls: Tls<'_>,
    configure: impl Fn(ClientBuilder) -> ClientBuilder,
) -> Result<Client, TlsSetupError> {
    let only = |certificates| configure(base()).tls_certs_only(certificates).build();
    let failed = |error: reqwest::Error| TlsSetupError(error.without_url().into());
    let (authorities, is_needed) = match tls {
        Tls::Unused => return only(Vec::new()).map_err(failed),
        Tls::Optional(authorities) => (authorities, false),
        Tls::Required(authorities) => (authorities, authorities.0.is_empty()),
    };
    let certificates = authorities.certificates();
    let merged = configure(base()).tls_certs_merge(certificates.clone()).build();
    let built = merged.or_else(|error| if is_needed { Err(error) } else { only(certificates) });
    built.map_err(failed)
}

/// TLS as [`client`] sets it up, for connections that are made without it; `None` if it is unused.
pub fn tls(tls: Tls<'_>) -> Result<Option<ClientConfig>, TlsSetupError> {
    let failed = |error: rustls::Error| TlsSetupError(error.into());
    let (authorities, is_needed) = match tls {
        Tls::Unused => return Ok(None),
        Tls::Optional(authorities) => (authorities, false),
        Tls::Required(authorities) => (authorities, authorities.0.is_empty()),
    };
    let provider = Arc::new(default_provider());
    let config = ClientConfig::builder_with_provider(provider.clone());
    let config = config.with_safe_default_protocol_versions().map_err(failed)?;
    // It is called dangerous, and verifies as the machine does.
    let config = match Verifier::new_with_extra_roots(authorities.0.clone(), provider) {
        Ok(verifier) => config.dangerous().with_custom_certificate_verifier(Arc::new(verifier)),
        Err(error) if is_needed => return Err(failed(error)),
        Err(_) => config.with_root_certificates(authorities.roots().map_err(failed)?),
    };
    Ok(Some(config.with_no_client_auth()))
}

fn base() -> ClientBuilder {
    // An error says that it is installed already.
    let _ = default_provider().install_default();
    Client::builder()
        .user_agent(concat!("ferry/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .referer(false)
}

/// `Retry-After`, in seconds or as a date; anything else counts as absent. A date counts from that
/// of the response itself, since the two clocks may differ, and from `now` if there is none.
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        let is_number = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let seconds = text.parse::<f64>().ok().filter(|_| is_number)?;
        return Duration::try_from_secs_f64(seconds.min(LONGEST.as_secs_f64())).ok();
    }
    let responded = headers.get(DATE).and_then(|date| http_date(date.to_str().ok()?));
    Some(until(responded.unwrap_or(now), http_date(text)?).min(LONGEST))
}

/// A date in one of the forms of HTTP, or in that of mail, which is nearly the same.
fn http_date(text: &str) -> Option<Timestamp> {
    let mail = || DateTime::parse_from_rfc2822(text).ok().map(|date| date.with_timezone(&Utc));
    httpdate::parse_http_date(text).ok().map(DateTime::from).or_else(mail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ferry_types::domain::timestamp;
    use reqwest::header::HeaderValue;

    #[test]
    fn a_date_is_read_in_all_forms() {
        let expected = Some(timestamp(784_111_777_000));
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "Sun, 6 Nov 1994 09:49:37 +0100",
        ] {
            assert_eq!(http_date(text), expected, "{text}");
        }
        assert_eq!(http_date("soon"), None);
    }

    #[test]
    fn a_delay_is_a_number_or_a_date_and_never_longer_than_a_year() {
        let (now, date) = (timestamp(784_111_777_000), "Sun, 06 Nov 1994 08:49:37 GMT");
        let later = "Sun, 06 Nov 1994 08:50:07 GMT";
        for (text, dated, seconds) in [
            ("3", None, Some(3)),
            ("99999999999999999999", None, Some(365 * 24 * 3600)),
            (later, None, Some(30)),
            (later, Some("Sun, 06 Nov 1994 08:50:00 GMT"), Some(7)),
            ("Thu, 06 Nov 2994 08:49:37 GMT", None, Some(365 * 24 * 3600)),
            (date, Some(later), Some(0)),
            ("soon", None, None),
            ("-3", None, None),
            ("3s", None, None),
            ("1e3", None, None),
            ("", None, None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_static(text));
            if let Some(dated) = dated {
                headers.insert(DATE, HeaderValue::from_static(dated));
            }
            assert_eq!(retry_after(&headers, now), seconds.map(Duration::from_secs), "{text}");
        }
    }
}
