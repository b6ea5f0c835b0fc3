//! Reads the error that a server sends before it closes a new connection, such as `DENIED` in protected
//! mode. The client library has written its first commands by then, and reports only that the
//! connection broke.

use std::time::Duration;

use redis::{ConnectionAddr, ConnectionInfo, RedisError, Value, parse_redis_value};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Time limit for a server that sends its error on its own, and for one that waits for a command.
const UNASKED: Duration = Duration::from_millis(200);
const ASKED: Duration = Duration::from_secs(1);

/// An error message is shorter.
const LONGEST: u64 = 4096;

/// Returns the server's own error instead of one about a connection that broke, if it sends one.
pub(super) async fn or_greeting(error: RedisError, info: &ConnectionInfo) -> RedisError {
    let is_broken = error.is_io_error() || error.is_unrecoverable_error();
    if !is_broken || error.is_connection_refusal() {
        return error;
    }
    let ConnectionAddr::Tcp(host, port) = info.addr() else { return error };
    let has_password = info.redis_settings().password().is_some();
    match read_error(host, *port).await {
        // The question came without the password.
        Some(greeting) if has_password && greeting.code() == Some("NOAUTH") => error,
        Some(greeting) => greeting,
        None => error,
    }
}

async fn read_error(host: &str, port: u16) -> Option<RedisError> {
    let connect = TcpStream::connect((host, port));
    let mut stream = tokio::time::timeout(ASKED, connect).await.ok()?.ok()?;
    let unasked = read_line(&mut stream, UNASKED).await;
    let line = if unasked.is_empty() {
        stream.write_all(b"PING\r\n").await.ok()?;
        read_line(&mut stream, ASKED).await
    } else {
        unasked
    };
    match parse_redis_value(&line).ok()? {
        Value::ServerError(error) => Some(error.into()),
        _ => None,
    }
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
