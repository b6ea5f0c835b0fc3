//! Responds to a request without a connection, for the fuzz targets in `fuzz/`.

use std::net::IpAddr;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::response::Response;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;

use super::client_addr::SocketPeer;

/// Response of `router` to a request from `peer`.
pub async fn respond(router: Router, peer: IpAddr, mut request: Request<Body>) -> Response {
    request.extensions_mut().insert(SocketPeer(peer));
    let Ok(response) = TowerToHyperService::new(router).call(request).await;
    response
}
