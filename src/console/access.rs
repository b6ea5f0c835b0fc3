//! Access of an account to the Platform: whose client it is, its limits and their use, its last token and denial.

use super::text::{Moment, Sentence, visible};
use crate::platform::Access;
use ferry_types::contract::{AccountView, SettingView};
use ferry_types::domain::Timestamp;
use ferry_types::domain::submission::StepKind;

/// Names and values of a list.
type Facts = Vec<(&'static str, String)>;

/// The section of the page of an account.
#[derive(Debug)]
pub(crate) struct AccessFacts {
    /// Client, hosts, sources of secrets, and limits.
    pub(crate) facts: Facts,
    /// Times at which the last token was issued and expires.
    pub(crate) token: Option<[Moment; 2]>,
    /// Time of the last denial, and the response.
    pub(crate) denial: Option<(Moment, Sentence)>,
    /// True if requests in a second are limited.
    pub(crate) is_rated: bool,
    /// Time until which they are used up.
    pub(crate) used_up: Option<Moment>,
}

/// The settings of an account.
struct Own<'a>(Vec<&'a SettingView>);

impl<'a> Own<'a> {
    fn of(account: &str, settings: &'a [SettingView]) -> Self {
        let is_own = |one: &&SettingView| one.account.as_deref() == Some(account);
        Self(settings.iter().filter(is_own).collect())
    }

    fn value(&self, name: &str) -> Option<&'a str> {
        let found = self.0.iter().find(|one| one.name == name)?;
        found.value.as_deref().filter(|value| !value.is_empty())
    }

    /// The place from which a secret is read.
    fn source(&self, name: &str) -> Option<&'a str> {
        let is_it =
            |one: &&&SettingView| one.name.strip_suffix("_file").unwrap_or(&one.name) == name;
        self.0.iter().find(is_it)?.location.as_deref()
    }
}

/// The client of an account and the hosts that it sends requests to.
pub(super) fn client(account: &str, settings: &[SettingView]) -> Facts {
    let own = Own::of(account, settings);
    let mut hosts: Vec<&str> =
        ["token_url", "api_url"].into_iter().filter_map(|url| host(own.value(url)?)).collect();
    hosts.dedup();
    let mut facts = Facts::new();
    facts.extend(own.value("client_id").map(|id| ("client id", visible(id))));
    facts.extend((!hosts.is_empty()).then(|| ("hosts", visible(&hosts.join(", ")))));
    facts
}

/// The host of a URL, with its port.
fn host(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next()?;
    Some(host.rsplit_once('@').map_or(host, |(_, host)| host))
}

impl AccessFacts {
    /// The section of an account; `used_up` is the time until which its rates are used up.
    pub(crate) fn new(
        view: &AccountView,
        settings: &[SettingView],
        access: &Access,
        used_up: Option<Timestamp>,
    ) -> Self {
        let own = Own::of(&view.account, settings);
        let mut facts = client(&view.account, settings);
        for (name, words) in [("client_secret", "client secret"), ("api_key", "API key")] {
            facts.extend(own.source(name).map(|at| (words, format!("from {}", visible(at)))));
        }
        let running = view.steps.get(&StepKind::Upload).map_or(0, |steps| steps.running);
        facts.push(match own.value("max_concurrent_uploads") {
            Some(most) => ("uploads at once", format!("{running} of {}", visible(most))),
            None => ("uploads at once", format!("{running}, not limited")),
        });
        let mut is_rated = view.learned_requests_per_second.is_some();
        for (name, words) in [
            ("uploads_per_second", "uploads a second"),
            ("requests_per_second", "requests a second"),
        ] {
            let limit = own.value(name);
            is_rated |= limit.is_some();
            facts.push((words, limit.map_or("not limited".to_owned(), visible)));
        }
        let learned = view.learned_requests_per_second;
        facts.extend(learned.map(|rate| ("learned requests a second", format!("{rate:.1}"))));
        Self {
            facts,
            token: access.token.map(|times| times.map(Moment::from)),
            denial: access.denial.as_ref().map(|(at, said)| ((*at).into(), said.as_str().into())),
            is_rated,
            used_up: used_up.map(Moment::from),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_a_url_has_its_port_and_no_password() {
        assert_eq!(host("https://api.example.com:8443/v1?x=1"), Some("api.example.com:8443"));
        assert_eq!(host("https://…@api.example.com"), Some("api.example.com"));
        assert_eq!(host("api.example.com"), None);
    }
}
