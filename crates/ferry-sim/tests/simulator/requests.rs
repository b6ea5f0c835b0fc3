//! Requests that the simulator accepts, and those that it rejects.

use super::*;

#[tokio::test]
async fn only_the_right_client_gets_a_token() {
    let client_secret = "a+b /=%:&ü".to_owned();
    let credentials = Credentials { client_secret, ..Credentials::default() };
    let caller = start(SimConfig { credentials, ..quick() }).await;
    let right = "demo:a%2Bb+%2F%3D%25%3A%26%C3%BC";
    for basic in ["demo:a+b /=%:&ü", "other:a%2Bb+%2F%3D%25%3A%26%C3%BC", "demo", ""] {
        let response = caller.ask_token(basic, FORM, GRANT).await;
        assert_eq!(
            (response.status, response.body.contains("invalid_client")),
            (401, true),
            "{basic}"
        );
    }
    assert_eq!(caller.ask_token(right, "application/json", GRANT).await.status, 400);
    assert_eq!(caller.ask_token(right, FORM, "grant_type=password").await.status, 400);
    let without_scope = "grant_type=client_credentials";
    assert_eq!(caller.ask_token(right, FORM, without_scope).await.status, 400);
    let response = caller.ask_token(right, FORM, GRANT).await;
    assert_eq!(response.status, 200);
    let response: Value = serde_json::from_str(&response.body).expect("a JSON answer");
    assert_eq!((&response["token_type"], &response["expires_in"]), (&json!("Bearer"), &json!(600)));
    let ledger = caller.sim.ledger();
    assert_eq!((ledger.tokens_issued, ledger.unauthorized), (1, 4));
}

#[tokio::test]
async fn nothing_passes_without_an_access_token_that_lasts() {
    let token_lifetime = Duration::from_millis(300);
    let caller = start(SimConfig { token_lifetime, ..quick() }).await;
    for bearer in ["", "Bearer ", "Bearer made-up", "Basic made-up"] {
        assert_eq!(caller.upload(bearer, &upload_body("n", DATA)).await.status, 401);
        assert_eq!(caller.get(bearer, "t", "status").await.status, 401);
    }
    let bearer = caller.token().await;
    let issued = Instant::now();
    until("the end of the access token", async || {
        caller.get(&bearer, "t", "status").await.status == 401
    })
    .await;
    assert!(issued.elapsed() >= token_lifetime / 2, "it lasted {:?}", issued.elapsed());
    assert_eq!(caller.sim.ledger().unauthorized, 9);
    assert_eq!(caller.sim.ledger().accepted(), 0);
}

#[tokio::test]
async fn an_upload_with_missing_unknown_or_wrong_fields_is_rejected() {
    let caller = start(quick()).await;
    let bearer = caller.token().await;
    let with = |field: &str, value: Value| {
        let mut body = upload_body("n", DATA);
        body[field] = value;
        body
    };
    let without = |field: &str| {
        let mut body = upload_body("n", DATA);
        body.as_object_mut().expect("an object").remove(field);
        body
    };
    let cases = [
        (without("Name"), 400),
        (without("Data"), 400),
        (without("Username"), 400),
        (without("Key"), 400),
        (with("name", json!("n")), 400),
        (with("Extra", json!(1)), 400),
        (with("Data", json!(["a"])), 400),
        (with("Overwrite", json!("True")), 400),
        (with("Overwrite", json!(0)), 400),
        (with("Username", json!("other")), 400),
        (with("Key", json!("other")), 403),
        (with("Name", json!("")), 422),
        (with("Data", json!(" \n")), 422),
        (json!("text"), 400),
    ];
    let rejected = cases.len() as u64;
    for (body, status) in cases {
        assert_eq!(caller.upload(&bearer, &body).await.status, status, "{body}");
    }
    let headers = [("authorization", bearer.as_str()), ("content-type", "text/plain")];
    let url = format!("{}/UploadData", caller.sim.api_url());
    let body = upload_body("n", DATA).to_string();
    let response =
        caller.send(Method::POST, &url, &headers, body.clone()).await.expect("a response");
    assert_eq!(response.status, 400);
    assert_eq!(caller.sim.ledger().uploads_rejected, rejected + 1);
    assert_eq!(caller.sim.ledger().accepted(), 0);

    let json = "application/JSON; charset=utf-8";
    let headers = [("authorization", bearer.as_str()), ("content-type", json)];
    let response = caller.send(Method::POST, &url, &headers, body).await.expect("a response");
    assert_eq!(response.status, 200);
}

#[tokio::test]
async fn a_question_with_missing_unknown_or_wrong_parameters_is_rejected() {
    let caller = start(quick()).await;
    let bearer = caller.token().await;
    for (query, status) in [
        ("token=t&dataKey=status", 400),
        ("token=t&key=demo-key", 400),
        ("dataKey=status&key=demo-key", 400),
        ("token=t&token=t&dataKey=status&key=demo-key", 400),
        ("token=t&dataKey=status&key=demo-key&more=1", 400),
        ("token=t&dataKey=status&key=other", 403),
        ("token=t&dataKey=status&key=demo-key", 404),
    ] {
        let response = caller.try_query(&bearer, query).await.expect("a response");
        assert_eq!(response.status, status, "{query}");
    }
}

#[tokio::test]
async fn an_unknown_path_or_method_is_not_found_and_dated_by_the_same_clock() {
    let caller = start(SimConfig { clock_skew: 7200, ..quick() }).await;
    let base = caller.sim.api_url();
    for (method, path) in [
        (Method::GET, "/"),
        (Method::GET, "/UploadData"),
        (Method::DELETE, "/UploadData"),
        (Method::POST, "/GetResults"),
        (Method::POST, "/uploaddata"),
    ] {
        let url = format!("{base}{path}");
        let response = caller.send(method, &url, &[], "").await.expect("a response");
        assert_eq!(response.status, 404, "{path}");
        let date = response.headers["date"].to_str().expect("a text");
        let date = DateTime::parse_from_rfc2822(date).expect("a date").with_timezone(&Utc);
        #[expect(clippy::disallowed_methods, reason = "it is compared with the machine's clock")]
        let ahead = date - DateTime::<Utc>::from(SystemTime::now());
        assert!((7100..7300).contains(&ahead.num_seconds()), "{ahead}");
    }
}

#[tokio::test]
async fn an_upload_that_is_too_large_is_answered_as_such() {
    let caller = start(SimConfig { max_upload_bytes: 10_000, ..quick() }).await;
    let bearer = caller.token().await;
    let response = caller.upload(&bearer, &upload_body("n", &"x".repeat(20 << 20))).await;
    assert_eq!((response.status, caller.sim.ledger().uploads_rejected), (413, 1));
    assert_eq!(caller.upload(&bearer, &upload_body("n", DATA)).await.status, 200);
}
