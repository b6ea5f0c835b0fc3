//! The simulator under load, and at its end.

use super::*;

#[tokio::test]
async fn two_hundred_connections_at_once_are_served() {
    let caller = start(quick()).await;
    let bearer = caller.token().await;
    caller.sim.script(Endpoint::Upload, Fault::Stall(Duration::from_millis(200)));
    let bodies: Vec<_> = (0..200).map(|n| upload_body(&format!("n{n}"), DATA)).collect();
    // A client each, so that no connection is shared.
    let callers = bodies.iter().map(|body| {
        let (http, url) = (client(), format!("{}/UploadData", caller.sim.api_url()));
        let request = http.post(url).header("authorization", bearer.as_str());
        request.header("content-type", "application/json").body(body.to_string()).send()
    });
    for response in join_all(callers).await {
        assert_eq!(response.expect("a response").status().as_u16(), 200);
    }
    assert_eq!(caller.sim.ledger().names.len(), 200);
}

#[tokio::test]
async fn its_end_breaks_connections_in_use_and_idle() {
    let caller = start(quick()).await;
    let bearer = caller.token().await;
    let address = caller.sim.address();
    let (stall, slow) = (Duration::from_mins(1), Duration::from_mins(1));
    caller.sim.script(Endpoint::Status, Fault::Stall(stall));
    caller.sim.script(Endpoint::Status, Fault::SlowBody(slow));
    let Caller { sim, http } = caller;
    let url = format!("{}/GetResults?token=t&dataKey=status&key=demo-key", sim.api_url());
    let ask = || http.get(&url).header("authorization", bearer.as_str()).send();
    let stalled = tokio::spawn(ask());
    let slowed = tokio::spawn(ask());
    let idle = tokio::net::TcpStream::connect(address).await.expect("a connection");
    until("both requests", async || sim.is_script_done()).await;
    let waits = Duration::from_secs(10);
    let slowed = tokio::time::timeout(waits, slowed).await.expect("in time").expect("no panic");
    drop(sim);
    let stalled = tokio::time::timeout(waits, stalled).await.expect("in time").expect("no panic");
    assert!(stalled.is_err());
    let body = slowed.expect("a response").text();
    assert!(tokio::time::timeout(waits, body).await.expect("in time").is_err());
    let mut buffer = [0];
    let end = async {
        idle.readable().await.expect("a readable stream");
        idle.try_read(&mut buffer)
    };
    let end = tokio::time::timeout(waits, end).await.expect("in time");
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
    assert!(ask().await.is_err());
}

#[tokio::test]
async fn another_one_can_listen_where_one_was_stopped() {
    let caller = start(quick()).await;
    let bearer = caller.token().await;
    let uploaded = caller.upload(&bearer, &upload_body("n", DATA)).await.body;
    let address = caller.sim.address();
    let mut sim = caller.sim;
    for _ in 0..5 {
        sim.stop().await;
        sim = Sim::start(quick(), address).await.expect("the port is free again");
    }
    let caller = Caller { sim, http: client() };
    let bearer = caller.token().await;
    assert_eq!(caller.get(&bearer, &uploaded, "status").await.status, 404);
    // The same seed, and yet no old token stands for another dataset.
    let other = caller.upload(&bearer, &upload_body("m", DATA)).await.body;
    assert_ne!(other, uploaded);
}
