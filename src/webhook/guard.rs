//! The addresses that webhooks may go to: not this machine nor its network, unless the configuration
//! allows it. A name is judged by the addresses that it resolves to when a connection is made.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net};
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The longest URL, in bytes.
const LONGEST: usize = 2048;

/// The rules for the addresses of receivers.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// Hosts and networks beside those of the public internet.
    pub allowed: Vec<Allowed>,
    /// True if messages may be sent unencrypted.
    pub plain_http: bool,
}

/// A host or a network that messages may go to although it is not public.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allowed {
    /// A host by its name, whatever its address.
    Host(String),
    /// A network, or a single address.
    Net(IpNet),
}

impl FromStr for Allowed {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let bare = text.trim_matches(['[', ']']);
        let network = bare
            .parse()
            .or_else(|_| bare.parse::<IpAddr>().map(|address| IpNet::from(address.to_canonical())));
        if let Ok(network) = network {
            return Ok(Self::Net(network));
        }
        let is_name = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        let is_host = !text.is_empty() && text.chars().all(is_name);
        if is_host { Ok(Self::Host(text.to_ascii_lowercase())) } else { Err(()) }
    }
}

impl Rules {
    /// Checks a URL, as far as that is possible before its name is resolved.
    pub fn check(&self, text: &str) -> Result<Url, String> {
        if text.len() > LONGEST {
            return Err(format!("it is longer than {LONGEST} bytes"));
        }
        let url = Url::parse(text).map_err(|error| format!("not a URL: {error}"))?;
        match url.scheme() {
            "https" => {}
            "http" if self.plain_http => {}
            "http" => {
                return Err("it must begin with https:// (`webhook_allow_http` allows http)".into());
            }
            _ => return Err("it must begin with https://".into()),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("it must not hold credentials".into());
        }
        if url.fragment().is_some() {
            return Err("it must not have a fragment".into());
        }
        let host = url.host_str().unwrap_or_default();
        if host.is_empty() {
            return Err("it names no host".into());
        }
        match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(address) if !self.permits(address) => {
                Err(format!("{address} is not a public address (`webhook_allow` allows others)"))
            }
            _ => Ok(url),
        }
    }

    fn permits_host(&self, name: &str) -> bool {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        self.allowed.iter().any(|allowed| *allowed == Allowed::Host(name.clone()))
    }

    fn permits(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let within = |allowed: &Allowed| match allowed {
            Allowed::Host(_) => false,
            Allowed::Net(network) => network.contains(&address),
        };
        is_public(address) || self.allowed.iter().any(within)
    }
}

/// True for an address of the public internet.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// The networks that are for special purposes (RFC 6890): this machine, private ones, shared ones of
/// providers, link-local ones with the metadata of clouds, documentation, tests, multicast, the rest.
const SPECIAL: &[Ipv4Net] = &[
    special([0, 0, 0, 0], 8),
    special([10, 0, 0, 0], 8),
    special([100, 64, 0, 0], 10),
    special([127, 0, 0, 0], 8),
    special([169, 254, 0, 0], 16),
    special([172, 16, 0, 0], 12),
    special([192, 0, 0, 0], 24),
    special([192, 0, 2, 0], 24),
    special([192, 88, 99, 0], 24),
    special([192, 168, 0, 0], 16),
    special([198, 18, 0, 0], 15),
    special([198, 51, 100, 0], 24),
    special([203, 0, 113, 0], 24),
    special([224, 0, 0, 0], 3),
];

const fn special([a, b, c, d]: [u8; 4], bits: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), bits)
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !SPECIAL.iter().any(|network| network.contains(&address))
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let parts = address.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match parts {
        // An IPv4 address behind a translator, or at the end of a tunnel.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            is_public_v4(v4(high, low))
        }
        // Protocol assignments, Teredo among them; documentation.
        [0x2001, second, ..] if second < 0x200 || second == 0xdb8 => false,
        [0x3fff, second, ..] if second < 0x1000 => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

/// Resolves names, without the addresses that must not be called.
#[derive(Debug)]
pub(super) struct Guard(Arc<Rules>);

/// A name has only addresses that messages must not go to.
#[derive(Debug, thiserror::Error)]
#[error("its addresses are not public (`webhook_allow` allows others): {0:?}")]
pub(super) struct BlockedAddressError(Vec<IpAddr>);

impl Guard {
    pub(super) fn new(rules: Arc<Rules>) -> Self {
        Self(rules)
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let rules = self.0.clone();
        Box::pin(async move {
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let any = rules.permits_host(name.as_str());
            let permits = |address: &&SocketAddr| any || rules.permits(address.ip());
            let permitted: Vec<SocketAddr> = found.iter().filter(permits).copied().collect();
            if permitted.is_empty() {
                let blocked = found.iter().map(SocketAddr::ip).collect();
                return Err(BlockedAddressError(blocked).into());
            }
            Ok(Box::new(permitted.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(allowed: &[&str]) -> Rules {
        let allowed = allowed.iter().map(|text| text.parse().unwrap()).collect();
        Rules { allowed, plain_http: false }
    }

    #[test]
    fn only_public_addresses_are_called() {
        for address in [
            "127.0.0.1",
            "10.1.2.3",
            "172.31.255.255",
            "192.168.0.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "100.127.255.255",
            "255.255.255.255",
            "224.0.0.1",
            "198.19.0.1",
            "::1",
            "::",
            "fe80::1",
            "fd00:ec2::254",
            "fc00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "2001::1",
            "::127.0.0.1",
        ] {
            assert!(!rules(&[]).permits(address.parse().unwrap()), "{address}");
        }
        for address in ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8"]
        {
            assert!(rules(&[]).permits(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn what_is_allowed_is_called_and_its_neighbors_are_not() {
        let rules = rules(&["10.1.0.0/16", "192.168.7.7", "fd00::/8", "Hooks.internal"]);
        for (address, permitted) in [
            ("10.1.255.1", true),
            ("10.2.0.1", false),
            ("192.168.7.7", true),
            ("192.168.7.8", false),
            ("fd12::1", true),
            ("fc00::1", false),
            ("::ffff:10.1.0.1", true),
        ] {
            assert_eq!(rules.permits(address.parse().unwrap()), permitted, "{address}");
        }
        assert!(rules.permits_host("hooks.internal.") && !rules.permits_host("internal"));
        for wrong in ["", "10.0.0.0/33", "10.0.0.0/x", "a/8", "http://a", "a b"] {
            assert!(wrong.parse::<Allowed>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_url_is_invalid_for_what_can_be_seen_of_it() {
        let check = |url: &str| rules(&["10.0.0.1"]).check(url).map(drop);
        for url in ["https://example.com/x?y=z", "https://10.0.0.1:8443/", "https://8.8.8.8"] {
            assert_eq!(check(url), Ok(()), "{url}");
        }
        for (url, why) in [
            ("http://example.com", "`webhook_allow_http` allows http"),
            ("ftp://example.com", "must begin with https://"),
            ("example.com", "not a URL"),
            ("https://u:p@example.com", "credentials"),
            ("https://example.com/#x", "fragment"),
            ("https://10.0.0.2", "10.0.0.2 is not a public address"),
            ("https://0x7f.1/", "127.0.0.1 is not a public address"),
            ("https://2130706433/", "127.0.0.1 is not a public address"),
            ("https://[::ffff:127.0.0.1]/", "is not a public address"),
            (&format!("https://example.com/{}", "a".repeat(2048)), "longer than 2048 bytes"),
        ] {
            let error = check(url).unwrap_err();
            assert!(error.contains(why), "{url}: {error}");
        }
        let plain = Rules { plain_http: true, ..Rules::default() };
        assert!(plain.check("http://example.com").is_ok());
    }
}
