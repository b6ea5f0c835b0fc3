//! Addresses that count as one, and names that no other machine has.

use std::net::{IpAddr, Ipv6Addr};

use axum::http::uri::Authority;
use axum::http::{Request, header};

/// The network that an address counts with: one host has a whole network of IPv6 addresses.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let bits = u128::from(address) >> 64 << 64;
            Ipv6Addr::from(bits).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

/// True if the request is for a name that no other machine has, and for no other.
pub fn names_this_machine<B>(request: &Request<B>) -> bool {
    let headers = request.headers().get_all(header::HOST).iter();
    let named = headers.map(|host| host.to_str().unwrap_or("?").to_owned());
    let mut named = named.chain(request.uri().authority().map(ToString::to_string)).peekable();
    named.peek().is_some()
        && named.all(|host| {
            let Ok(host) = host.parse::<Authority>() else { return false };
            if host.as_str().contains('@') {
                return false;
            }
            let name = host.host().trim_start_matches('[').trim_end_matches(']');
            let is_loopback = |address: IpAddr| address.to_canonical().is_loopback();
            name.eq_ignore_ascii_case("localhost") || name.parse().is_ok_and(is_loopback)
        })
}
