//! The metrics of the client of the Platform.

use crate::metrics::{Account, Counter, Gauge, Histogram, REQUEST_SECONDS, label, metrics};

const DELAY_SECONDS: &[f64] = &[0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0];
const BYTES: &[f64] = &[
    1024.0,
    4096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];

metrics! {
    /// The metrics of the clients of the Platform.
    pub struct PlatformMetrics {
        /// Requests to the Platform, by account, endpoint and class of the result.
        requests: Counter<(Account, Endpoint, Class)> = "ferry_platform_requests_total";
        /// Time from a request to the Platform to the end of its response, in seconds.
        durations: Histogram<Endpoint> =
            "ferry_platform_request_duration_seconds" in REQUEST_SECONDS;
        /// Delays that the Platform requested, in seconds.
        delays: Histogram = "ferry_platform_retry_after_seconds" in DELAY_SECONDS;
        /// Access token requests, by result.
        tokens: Counter<(Account, TokenResult)> = "ferry_token_refreshes_total";
        /// Expiry time of the account's access token; 0 if there was none yet.
        token_expiry: Gauge<Account> = "ferry_token_expiry_timestamp_seconds";
    }
}

metrics! {
    /// The sizes of transferred contents.
    pub struct PayloadMetrics {
        /// Sizes of datasets, results and feedback, in bytes.
        bytes: Histogram<Direction> = "ferry_payload_bytes" in BYTES;
    }
}

label! {
    /// The direction of a dataset, of results or of feedback.
    pub enum Direction: "direction" {
        /// From a producer into the store.
        Accepted = "accepted",
        /// From the store to the Platform.
        Uploaded = "uploaded",
        /// From the Platform into the store.
        Fetched = "fetched",
    }
}

label! {
    /// An endpoint of the Upload API.
    pub enum Endpoint: "endpoint" {
        /// The token endpoint.
        Token = "token",
        /// `UploadData`.
        Upload = "upload",
        /// `GetResults` with `dataKey=status`.
        Status = "status",
        /// `GetResults` with `dataKey=feedback`.
        Feedback = "feedback",
        /// `GetResults` with any other key.
        Results = "results",
    }
}

label! {
    /// The result of a request to the Platform.
    pub enum Class: "class" {
        /// 2xx.
        Ok = "ok",
        /// 401: the access token, or at the token endpoint the client, was denied.
        Unauthorized = "unauthorized",
        /// 403.
        Forbidden = "forbidden",
        /// 404.
        NotFound = "not_found",
        /// Any other 4xx that is about the request.
        ClientError = "client_error",
        /// 429, or 503 with `Retry-After`.
        Throttled = "throttled",
        /// 5xx, 408, 425, or a status that no other class has.
        ServerError = "server_error",
        /// No connection: connection refused, DNS, TLS.
        NoConnection = "no_connection",
        /// The request was sent, and no whole response came: timeouts and resets.
        NoResponse = "no_response",
        /// The response was larger than allowed.
        TooLarge = "too_large",
    }
}

label! {
    /// The end of an attempt to get an access token.
    pub enum TokenResult: "result" {
        /// There is one.
        Ok = "ok",
        /// The credentials were denied.
        Denied = "denied",
        /// The token endpoint failed, could not be reached, or throttled.
        Failed = "failed",
    }
}
