//! The address that a request comes from: the other end of the connection, or, if that is a trusted
//! proxy, the address that the proxy names.

use std::net::IpAddr;

use axum::http::HeaderMap;
use ipnet::IpNet;

/// The other end of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct SocketPeer(pub(super) IpAddr);

impl SocketPeer {
    /// True if it is a trusted proxy.
    pub(super) fn is_trusted(self, trusted: &[IpNet]) -> bool {
        is_trusted(self.0.to_canonical(), trusted)
    }
}

/// The address that a request comes from, as far as it can be trusted.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClientAddr(pub(super) IpAddr);

impl ClientAddr {
    pub(super) fn of(SocketPeer(peer): SocketPeer, headers: &HeaderMap, trusted: &[IpNet]) -> Self {
        let peer = peer.to_canonical();
        if !is_trusted(peer, trusted) {
            return Self(peer);
        }
        let said = [forwarded_for(headers), forwarded(headers)].map(|named| first(&named, trusted));
        // A proxy writes one of the headers, and may pass the other on as its client sent it: where
        // they differ, one is made up.
        Self(match said {
            [Some(one), Some(other)] if one == other => one,
            [Some(one), None] | [None, Some(one)] => one,
            _ => peer,
        })
    }
}

impl std::fmt::Display for ClientAddr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|network| network.contains(&address))
}

/// The last address that no trusted proxy has; what stands before it may be made up.
fn first(named: &[Option<IpAddr>], trusted: &[IpNet]) -> Option<IpAddr> {
    let mut last = None;
    for address in named.iter().rev() {
        last = Some((*address)?);
        if !is_trusted((*address)?, trusted) {
            break;
        }
    }
    last
}

/// The addresses of `X-Forwarded-For`, the nearest last; none where something else stands.
fn forwarded_for(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    list(headers, "x-forwarded-for").map(|one| address(&one)).collect()
}

/// Those of `Forwarded` (RFC 7239).
fn forwarded(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    list(headers, "forwarded").map(|one| address(parameter(&one, "for")?)).collect()
}

/// The scheme by which the nearest proxy was asked.
pub(super) fn scheme(headers: &HeaderMap) -> Option<String> {
    let asked = list(headers, "x-forwarded-proto").last();
    let asked = asked.or_else(|| {
        let last = list(headers, "forwarded").last()?;
        parameter(&last, "proto").map(str::to_owned)
    });
    asked.map(|scheme| scheme.trim().trim_matches('"').to_ascii_lowercase())
}

/// A parameter of an element of `Forwarded`.
fn parameter<'a>(element: &'a str, wanted: &str) -> Option<&'a str> {
    let mut pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted)).map(|(_, value)| value)
}

fn list(headers: &HeaderMap, name: &str) -> impl Iterator<Item = String> {
    let lines = headers.get_all(name).iter();
    let lines: Vec<String> =
        lines.map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned()).collect();
    lines.into_iter().flat_map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>())
}

/// An address, with or without a port, quotes and brackets.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    let with_port = |text: &str| text.parse::<std::net::SocketAddr>().ok().map(|at| at.ip());
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    bare.parse().ok().or_else(|| with_port(text)).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, lines: &[(&'static str, &str)]) -> String {
        let trusted = ["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().expect("a network"));
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().expect("a value"));
        }
        let peer = SocketPeer(peer.parse().expect("an address"));
        ClientAddr::of(peer, &headers, &trusted).0.to_string()
    }

    #[test]
    fn what_a_trusted_proxy_names_counts_and_nothing_before_it() {
        let x = "x-forwarded-for";
        assert_eq!(seen("10.0.0.1", &[(x, "192.0.2.7")]), "192.0.2.7");
        assert_eq!(seen("10.0.0.1", &[(x, "1.1.1.1, 192.0.2.7, 10.9.9.9")]), "192.0.2.7");
        assert_eq!(seen("10.0.0.1", &[(x, "1.1.1.1"), (x, "192.0.2.7:443")]), "192.0.2.7");
        assert_eq!(seen("fd00::1", &[(x, "2001:db8::7")]), "2001:db8::7");
        assert_eq!(seen("::ffff:10.0.0.1", &[(x, "192.0.2.7")]), "192.0.2.7");
        // All are proxies: the first of them called.
        assert_eq!(seen("10.0.0.1", &[(x, "10.0.0.3, 10.0.0.2")]), "10.0.0.3");
    }

    #[test]
    fn the_standard_header_is_understood() {
        let named = "for=1.1.1.1;proto=http, For=\"[2001:db8::7]:4711\";by=10.0.0.1";
        assert_eq!(seen("10.0.0.1", &[("forwarded", named)]), "2001:db8::7");
    }

    #[test]
    fn the_scheme_is_that_of_the_nearest_proxy() {
        let scheme = |lines: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in lines {
                headers.append(*name, value.parse().expect("a value"));
            }
            scheme(&headers)
        };
        let (proto, forwarded) = ("x-forwarded-proto", "forwarded");
        assert_eq!(scheme(&[]), None);
        assert_eq!(scheme(&[(forwarded, "for=1.1.1.1")]), None);
        for lines in [
            &[(proto, "http, HTTPS")][..],
            &[(proto, "http"), (proto, " https ")],
            &[(forwarded, "for=1.1.1.1;proto=http, For=1.1.1.1; Proto=\"https\"")],
            &[(forwarded, "proto=http"), (proto, "https")],
        ] {
            assert_eq!(scheme(lines).as_deref(), Some("https"), "{lines:?}");
        }
    }

    #[test]
    fn what_cannot_be_believed_does_not_count() {
        let x = "x-forwarded-for";
        assert_eq!(seen("192.0.2.1", &[(x, "1.1.1.1")]), "192.0.2.1");
        assert_eq!(seen("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(seen("10.0.0.1", &[(x, "a-host")]), "10.0.0.1");
        assert_eq!(seen("10.0.0.1", &[(x, "1.1.1.1, a-host, 10.0.0.2")]), "10.0.0.1");
        // One of them was passed on.
        assert_eq!(seen("10.0.0.1", &[(x, "192.0.2.7"), ("forwarded", "for=1.1.1.1")]), "10.0.0.1");
    }
}
