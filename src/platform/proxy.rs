//! The proxy on the way to a server, as the environment names it.

use std::fmt;

use hyper::Uri;
use hyper::header::HeaderValue;
use hyper_util::client::proxy::matcher::Matcher;
use reqwest::Url;

/// A proxy, and the variable that names it. No credentials are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Proxy {
    address: String,
    variable: Option<&'static str>,
    credentials: Option<HeaderValue>,
}

impl Proxy {
    /// The proxy to `url` among those of the environment, if there is one.
    pub(super) fn of(url: &Url, proxies: &Matcher) -> Option<Self> {
        #[expect(
            clippy::disallowed_methods,
            reason = "the proxies are of the environment, too; this says which variable it was"
        )]
        Self::find(url, proxies, |name| std::env::var(name).ok())
    }

    /// The value of `Proxy-Authorization`, if the environment has credentials.
    pub(super) fn credentials(&self) -> Option<&HeaderValue> {
        self.credentials.as_ref()
    }

    fn find(url: &Url, matcher: &Matcher, value: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let url: Uri = url.as_str().parse().ok()?;
        let proxy = matcher.intercept(&url)?;
        let (proxy, credentials) = (proxy.uri().clone(), proxy.basic_auth().cloned());
        let own: [&str; 2] = match url.scheme_str() {
            Some("https") => ["HTTPS_PROXY", "https_proxy"],
            _ => ["HTTP_PROXY", "http_proxy"],
        };
        let leads_there = |name: &&str| {
            let alone = value(name).map(|value| Matcher::builder().all(value).build());
            alone.and_then(|alone| Some(*alone.intercept(&url)?.uri() == proxy)).unwrap_or_default()
        };
        let variable = own.into_iter().chain(["ALL_PROXY", "all_proxy"]).find(leads_there);
        let address = proxy.to_string().trim_end_matches('/').to_owned();
        Some(Self { address, variable, credentials })
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the proxy `{}`", self.address)?;
        self.variable.iter().try_for_each(|variable| write!(f, " (`{variable}`)"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_shown_with_its_variable_and_without_its_credentials() {
        let (plain, secure) = ("http://platform.example.com/", "https://platform.example.com/");
        for (variables, url, shown) in [
            (
                &[("HTTPS_PROXY", "http://me:s3cret@proxy:3128/")][..],
                secure,
                Some("the proxy `http://proxy:3128` (`HTTPS_PROXY`)"),
            ),
            (
                &[("https_proxy", "proxy:3128")],
                secure,
                Some("the proxy `http://proxy:3128` (`https_proxy`)"),
            ),
            (
                &[("HTTPS_PROXY", "::"), ("ALL_PROXY", "socks5://proxy:1080")],
                secure,
                Some("the proxy `socks5://proxy:1080` (`ALL_PROXY`)"),
            ),
            (
                &[("HTTPS_PROXY", "http://other:1"), ("http_proxy", "http://proxy:2")],
                plain,
                Some("the proxy `http://proxy:2` (`http_proxy`)"),
            ),
            (&[("HTTPS_PROXY", "http://proxy:1")], plain, None),
            (&[], secure, None),
        ] {
            let value = |name: &str| {
                variables
                    .iter()
                    .find(|(other, _)| *other == name)
                    .map(|(_, value)| (*value).to_owned())
            };
            let first = |names: [&str; 2]| names.into_iter().find_map(value).unwrap_or_default();
            let matcher = Matcher::builder()
                .all(first(["ALL_PROXY", "all_proxy"]))
                .http(first(["HTTP_PROXY", "http_proxy"]))
                .https(first(["HTTPS_PROXY", "https_proxy"]))
                .build();
            let proxy = Proxy::find(&url.parse().expect("a URL"), &matcher, value);
            assert_eq!(proxy.map(|proxy| proxy.to_string()).as_deref(), shown, "{variables:?}");
        }
    }
}
