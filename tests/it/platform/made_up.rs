//! Made-up responses: pieces that mean something, put together and broken at random. None of them makes
//! the client panic, shows a secret, or outgrows its limit. `fuzz/` holds the same path for cargo-fuzz.

use std::time::Instant;

use fastrand::Rng;

#[path = "../../../fuzz/src/response.rs"]
#[expect(unreachable_pub, reason = "it is the library of the fuzz targets")]
mod taken_apart;

/// Parts of responses, one a line in quotes, as the fuzzer reads them.
const DICTIONARY: &str = include_str!("../../../fuzz/dictionaries/response.txt");

/// `RESPONSES=1000000 RESPONSES_SEED=7 cargo test --test it made_up -- --nocapture` reads more.
fn setting(name: &str, default: u64) -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a test is not configured by `config`")]
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[tokio::test]
async fn no_made_up_response_makes_the_client_panic_or_show_a_secret() {
    let pieces: Vec<Vec<u8>> = DICTIONARY.lines().map(piece).collect();
    let (count, seed) = (setting("RESPONSES", 2_000), setting("RESPONSES_SEED", 1));
    let (mut rng, started) = (Rng::with_seed(seed), Instant::now());
    for _ in 0..count {
        taken_apart::read(&made(&mut rng, &pieces)).await;
    }
    let minutes = started.elapsed().as_secs_f64() / 60.0;
    println!("{count} responses in {minutes:.1} min, seed {seed}");
}

/// The bytes of a line of the dictionary, without its quotes and escapes.
fn piece(line: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), &line.as_bytes()[1..line.len() - 1]);
    while let Some((first, others)) = rest.split_first() {
        let (byte, taken) = match (first, others.first()) {
            (b'\\', Some(b'x')) => {
                let hex = std::str::from_utf8(&others[1..3]).expect("two digits");
                (u8::from_str_radix(hex, 16).expect("two digits"), 3)
            }
            (b'\\', Some(escaped)) => (*escaped, 1),
            (byte, _) => (*byte, 0),
        };
        bytes.push(byte);
        rest = &others[taken..];
    }
    bytes
}

fn made(rng: &mut Rng, pieces: &[Vec<u8>]) -> Vec<u8> {
    let statuses = [200, 202, 204, 206, 301, 303, 400, 401, 403, 404, 408, 429, 500, 503_u16];
    let status = statuses[rng.usize(..statuses.len())] - 100;
    let mut data = vec![rng.u8(..)];
    data.extend(status.to_le_bytes());
    for _ in 0..rng.usize(..24) {
        match rng.u8(..8) {
            0 => data.push(rng.u8(..)),
            1 => data.extend((0..rng.usize(..16)).map(|_| rng.u8(..))),
            _ => data.extend_from_slice(&pieces[rng.usize(..pieces.len())]),
        }
    }
    if data.len() > 3 && rng.u8(..4) == 0 {
        let at = rng.usize(3..data.len());
        data[at] ^= 1 << rng.u8(..8);
    }
    data
}
