//! Reads the error that a server sends before it closes a new connection, such as `DENIED` in protected
//! mode. The client library has written its first commands by then, and reports only that the
//! connection broke.

use std::io;
use std::time::Duration;

use redis::{ConnectionAddr, ConnectionInfo, ErrorKind, RedisError, Value, parse_redis_value};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Time limit for a server that sends its error on its own, and for one that waits for a command.
const UNASKED: Duration = Duration::from_millis(200);
const ASKED: Duration = Duration::from_secs(1);

/// An error message is shorter.
const LONGEST: u64 = 4096;

/// Returns the server's own error instead of one about a connection that broke, if it sends one, or says what
/// responded if that is no Redis.
pub(super) async fn or_greeting(error: RedisError, info: &ConnectionInfo) -> RedisError {
    let is_broken = error.is_io_error() || error.is_unrecoverable_error();
    if !(is_broken || error.kind() == ErrorKind::Parse) || error.is_connection_refusal() {
        return error;
    }
    let (host, port, is_tls) = match info.addr() {
        ConnectionAddr::Tcp(host, port) => (host, *port, false),
        ConnectionAddr::TcpTls { host, port, .. } => (host, *port, true),
        _ => return error,
    };
    let Some(line) = read_response(host, port).await else { return error };
    let has_password = info.redis_settings().password().is_some();
    match parse_redis_value(&line) {
        Ok(_) if is_tls => other("the server has no TLS: `store` must begin with `redis://`"),
        // The question came without the password.
        Ok(Value::ServerError(greeting)) if has_password && greeting.code() == "NOAUTH" => error,
        Ok(Value::ServerError(greeting)) => greeting.into(),
        Ok(_) => error,
        // It was asked without TLS: the error of the attempt with TLS says more.
        Err(_) if (line.starts_with(ALERT) || line.is_empty()) && is_tls => error,
        Err(_) if line.starts_with(ALERT) => {
            other("the server requires TLS: `store` must begin with `rediss://`")
        }
        Err(_) if line.is_empty() => io::Error::new(
            io::ErrorKind::UnexpectedEof,
            format!(
                "the server does not respond: is it a Redis? One with TLS needs `rediss://` ({error})"
            ),
        )
        .into(),
        Err(_) => other(&format!("what responds is no Redis: it sent `{}`", visible(&line))),
    }
}

/// Begins an alert of TLS.
const ALERT: &[u8] = &[21, 3];

fn other(what: &str) -> RedisError {
    io::Error::other(what.to_owned()).into()
}

/// The beginning of a line, for people.
fn visible(line: &[u8]) -> String {
    let line = line.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    line.iter()
        .take(60)
        .map(|byte| if matches!(byte, b' '..=b'~') { char::from(*byte) } else { '?' })
        .collect()
}

/// Reads the first line that a server sends on its own, or after a PING.
async fn read_response(host: &str, port: u16) -> Option<Vec<u8>> {
    let connect = TcpStream::connect((host, port));
    let mut stream = tokio::time::timeout(ASKED, connect).await.ok()?.ok()?;
    let unasked = read_line(&mut stream, UNASKED).await;
    if !unasked.is_empty() {
        return Some(unasked);
    }
    stream.write_all(b"PING\r\n").await.ok()?;
    Some(read_line(&mut stream, ASKED).await)
}

/// Reads up to the end of a line, of the connection, or of the time.
async fn read_line(stream: &mut TcpStream, timeout: Duration) -> Vec<u8> {
    let mut line = Vec::new();
    let mut bounded = stream.take(LONGEST);
    let read = async {
        while !line.ends_with(b"\n") && matches!(bounded.read_buf(&mut line).await, Ok(1..)) {}
    };
    let _ = tokio::time::timeout(timeout, read).await;
    line
}
