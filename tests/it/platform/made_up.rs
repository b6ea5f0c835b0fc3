//! Made-up responses: pieces that mean something, put together and broken at random. None of them makes
//! the client panic, shows a secret, or outgrows its limit. `fuzz/` holds the same path for cargo-fuzz.

use std::time::Instant;

use fastrand::Rng;

#[path = "../../../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "it is the library of the fuzz targets")]
mod taken_apart;

/// What responses are made of.
const PIECES: &[&[u8]] = &[
    b"Retry-After:",
    b"Date:",
    b"Location:",
    b"Content-Type:",
    b"Content-Encoding:",
    b"WWW-Authenticate:",
    b"text/html",
    b"text/plain; charset=",
    b"application/json",
    b"utf-16",
    b"windows-1252",
    b"shift_jis",
    b"gzip",
    b"deflate",
    b"br",
    b"zstd",
    b"identity",
    b",",
    b"\n",
    b"\n\n",
    b" ",
    b"-nan",
    b"inf",
    b"-1",
    b"1e999",
    b"99999999999999999999",
    b"0.5",
    b"Sun, 06 Nov 1994 08:49:37 GMT",
    b"Fri, 31 Dec 9999 23:59:59 GMT",
    b"Sun Nov  6 08:49:37 1994",
    b"https://api.example.com:99999/?key=x",
    b"//[::1",
    b"Bearer error=\"insufficient_scope\"",
    b"\"completedsuccessfully\"",
    b"Completed with errors",
    b"processing",
    b"3f2504e0-4f89-41d3-9a0c-0305e82c3301",
    b"{\"status\":",
    b"{\"token\":",
    b"\"",
    b"\\\"",
    b"}",
    b"[",
    b"]",
    b"{\"error\":\"invalid_client\"}",
    b"null",
    b"\\u0000",
    b"\\ud800",
    b"{\"access_token\":\"a\",\"expires_in\":",
    b"1|x|y",
    b"0||all",
    b"|",
    b"18446744073709551616|a|b",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\xfe\xff",
    b"a\0b\0",
    b"\0a\0b",
    b"\xe4",
    b"\x1f\x8b\x08\0\0\0\0\0\0\x03",
    b"\x28\xb5\x2f\xfd",
    b"\x78\x9c",
    b"<!doctype html>",
    b"<html>",
    b"%73%33",
    b"&#x73;",
    b"s3cret/+=& %x",
    b"s3cret%2F%2B%3D%26+%25x",
    b"SITE-001,03/03/2025,08:00,03/03/2025,16:30",
];

/// `RESPONSES=1000000 RESPONSES_SEED=7 cargo test --test it made_up -- --nocapture` reads more.
fn setting(name: &str, default: u64) -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a test is not configured by `config`")]
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[tokio::test]
async fn no_made_up_response_makes_the_client_panic_or_show_a_secret() {
    let (count, seed) = (setting("RESPONSES", 2_000), setting("RESPONSES_SEED", 1));
    let (mut rng, started) = (Rng::with_seed(seed), Instant::now());
    for _ in 0..count {
        taken_apart::read(&made(&mut rng)).await;
    }
    let minutes = started.elapsed().as_secs_f64() / 60.0;
    println!("{count} responses in {minutes:.1} min, seed {seed}");
}

fn made(rng: &mut Rng) -> Vec<u8> {
    let statuses = [200, 202, 204, 206, 301, 303, 400, 401, 403, 404, 408, 429, 500, 503_u16];
    let status = statuses[rng.usize(..statuses.len())] - 100;
    let mut data = status.to_le_bytes().to_vec();
    for _ in 0..rng.usize(..24) {
        match rng.u8(..8) {
            0 => data.push(rng.u8(..)),
            1 => data.extend((0..rng.usize(..16)).map(|_| rng.u8(..))),
            _ => data.extend_from_slice(PIECES[rng.usize(..PIECES.len())]),
        }
    }
    if data.len() > 2 && rng.u8(..4) == 0 {
        let at = rng.usize(2..data.len());
        data[at] ^= 1 << rng.u8(..8);
    }
    data
}
