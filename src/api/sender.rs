//! The sender of a request, as its browser names it: a page of another site must not act here, nor read without
//! a key.

use axum::http::{HeaderMap, HeaderName, header};

/// The header in which browsers say whose page sent a request.
pub(super) const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The sender of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sender {
    /// A page of this server.
    ThisServer,
    /// A page of another site, or one whose site is not clear.
    OtherSite,
    /// No page: a program, or a person who typed the address.
    NoPage,
}

impl Sender {
    /// The sender that these headers name. Old browsers, and plain HTTP beyond this machine, say only the origin.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
        let origin = text(header::ORIGIN);
        let authority = origin.and_then(|origin| origin.split_once("://")).map(|(_, own)| own);
        let host = text(header::HOST).filter(|host| !host.is_empty());
        let is_own = host.is_some() && authority == host;
        match text(SITE) {
            // A page that sends no referrer has no origin for its own server either.
            Some("same-origin") => Self::ThisServer,
            None if is_own => Self::ThisServer,
            None | Some("none") if is_own || origin.is_none() => Self::NoPage,
            _ => Self::OtherSite,
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const HOST: (&str, &str) = ("host", "ferry.example:8600");
    const OWN: (&str, &str) = ("origin", "https://ferry.example:8600");

    fn sender(lines: &[(&'static str, &'static str)]) -> Sender {
        let line = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        Sender::of(&lines.iter().map(line).collect())
    }

    #[test]
    fn only_a_page_of_the_server_itself_may_change_something() {
        assert_eq!(sender(&[("sec-fetch-site", "same-origin"), HOST]), Sender::ThisServer);
        assert_eq!(sender(&[HOST, OWN]), Sender::ThisServer);
        assert_ne!(sender(&[HOST]), Sender::ThisServer);
        assert_ne!(sender(&[HOST, ("origin", "https://ferry.example")]), Sender::ThisServer);
        assert_ne!(sender(&[HOST, ("origin", "null")]), Sender::ThisServer);
        assert_ne!(sender(&[OWN]), Sender::ThisServer);
        for site in ["cross-site", "same-site", "none", ""] {
            assert_ne!(
                sender(&[("sec-fetch-site", site), HOST, OWN]),
                Sender::ThisServer,
                "{site}"
            );
        }
    }

    #[test]
    fn a_program_is_no_page_and_a_page_that_hides_its_site_is_another_one() {
        for lines in [&[HOST][..], &[], &[("sec-fetch-site", "none"), HOST]] {
            assert_eq!(sender(lines), Sender::NoPage, "{lines:?}");
        }
        for (name, value) in [
            ("origin", "null"),
            ("origin", "https://evil.example"),
            ("origin", "https://ferry.example"),
            ("sec-fetch-site", "same-site"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-origin, cross-site"),
            ("sec-fetch-site", ""),
        ] {
            assert_eq!(sender(&[HOST, (name, value)]), Sender::OtherSite, "{name}: {value}");
        }
        for site in ["same-site", "cross-site"] {
            assert_eq!(sender(&[("sec-fetch-site", site), HOST, OWN]), Sender::OtherSite);
        }
        let extension = ("origin", "chrome-extension://abc");
        assert_eq!(sender(&[("sec-fetch-site", "none"), HOST, extension]), Sender::OtherSite);
    }
}
