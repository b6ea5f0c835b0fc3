//! A browser without a screen: it stores the cookie of a session and sends what browsers send.

use reqwest::header::HeaderMap;
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder};

use crate::api::keys::Keyed;

/// A response, read whole.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl Page {
    pub(super) async fn of(request: RequestBuilder) -> Self {
        let response = request.send().await.expect("it is answered");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await.expect("the response is whole");
        Self { status, headers, text: String::from_utf8_lossy(&bytes).into_owned() }
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// The cookie that it sets, as a browser sends it.
    pub(super) fn cookie(&self) -> String {
        self.header("set-cookie").split(';').next().unwrap_or_default().to_owned()
    }

    /// It shows this text, whatever elements are in it.
    pub(super) fn says(&self, text: &str) -> bool {
        plain(&self.text).contains(text)
    }
}

/// The text of HTML, with each run of spaces as one, and one between two cells.
pub(super) fn plain(html: &str) -> String {
    let mut text = String::new();
    let mut is_inside = false;
    for c in html.replace("</td>", "</td> ").chars() {
        match c {
            '<' => is_inside = true,
            '>' => is_inside = false,
            c if !is_inside => text.push(c),
            _ => {}
        }
    }
    let text = [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&")]
        .into_iter()
        .fold(text, |text, (from, to)| text.replace(from, to));
    text.split_whitespace().collect::<Vec<&str>>().join(" ")
}

/// A client that follows no redirect.
pub(super) fn client() -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder().no_proxy().tls_certs_only([]).redirect(Policy::none());
    client.build().expect("a plain client")
}

/// A browser at a server.
#[derive(Debug, Clone)]
pub(super) struct Tab {
    client: Client,
    url: String,
    pub(super) cookie: String,
}

impl Tab {
    pub(super) fn at(url: String) -> Self {
        Self { client: client(), url, cookie: String::new() }
    }

    /// Logged in with the key of this name.
    pub(super) async fn of(keyed: &Keyed, name: &str) -> Self {
        let mut tab = Self::at(format!("http://{}", keyed.served.address));
        let page = tab.log_in(&keyed.keys[name]).await;
        assert_eq!((page.status, page.header("location")), (303, "/console"), "{}", page.text);
        tab.cookie = page.cookie();
        tab
    }

    pub(super) async fn log_in(&self, key: &str) -> Page {
        self.post("/console/login", &[("key", key)]).await
    }

    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.url));
        if self.cookie.is_empty() { request } else { request.header("cookie", &self.cookie) }
    }

    pub(super) async fn get(&self, path: &str) -> Page {
        Page::of(self.request(Method::GET, path)).await
    }

    /// A form that no page is said to have sent.
    pub(super) fn form(&self, path: &str, fields: &[(&str, &str)]) -> RequestBuilder {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self.request(Method::POST, path);
        request.header("content-type", "application/x-www-form-urlencoded").body(form)
    }

    /// A form of a page of the server.
    pub(super) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        let form = self.form(path, fields).header("origin", &self.url);
        Page::of(form.header("sec-fetch-site", "same-origin")).await
    }
}

/// The pages of a submission's server.
pub(super) fn pages(id: &str) -> Vec<String> {
    let mut pages = [
        "",
        "/submissions",
        "/submissions?state=queued",
        "/accounts",
        "/events",
        "/events?state=queued",
        "/webhooks",
        "/webhooks?state=pending",
        "/system",
        "/preferences",
    ]
    .map(|page| format!("/console{page}"))
    .to_vec();
    pages.push(format!("/console/submissions/{id}"));
    pages.push(format!("/console/submissions/{id}/rows"));
    pages
}

/// The pages of operators.
pub(super) fn pages_of_operators(id: &str) -> Vec<String> {
    let chosen = format!("/console/bulk?action=cancel&of=chosen&id={id}");
    let all = [
        "/console/keys",
        "/console/audit",
        "/console/audit?actor=stranger",
        "/console/bulk",
        "/console/bulk?action=retry&state=failed",
    ]
    .map(str::to_owned);
    all.into_iter().chain([chosen]).collect()
}

/// The acts on a submission and on the account `default`, each with a field.
pub(super) fn acts(id: &str) -> Vec<(String, [(&'static str, &'static str); 1])> {
    let one = ["cancel", "retry", "refetch", "redeliver", "resolve"]
        .map(|verb| format!("/console/submissions/{id}/{verb}"));
    let account = ["pause", "resume"].map(|verb| format!("/console/accounts/default/{verb}"));
    let field = |path: &str| match path.rsplit('/').next() {
        Some("resolve") => [("resolution", "fail")],
        _ => [("reason", "why")],
    };
    one.into_iter().chain(account).map(|path| (path.clone(), field(&path))).collect()
}
