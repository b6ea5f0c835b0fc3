//! The fuzz targets on random inputs: what their dictionaries hold, put together and broken at random. It
//! needs no nightly toolchain, and keeps the targets compiling. `scripts/fuzz` searches, and goes further.

use std::fs;
use std::path::Path;
use std::time::Instant;

use fastrand::Rng;

#[path = "../../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "it is the library of the fuzz targets")]
mod targets;

use targets::TARGETS;

/// `FUZZ_INPUTS=100000 FUZZ_SEED=7 cargo test --test it fuzz::` reads more.
fn setting(name: &str, default: u64) -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a test is not configured by `config`")]
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn no_random_input_breaks_a_rule_of_a_fuzz_target() {
    let (count, seed) = (setting("FUZZ_INPUTS", 2_000), setting("FUZZ_SEED", 1));
    for (name, target) in TARGETS {
        let pieces = dictionary(name);
        let (mut rng, started) = (Rng::with_seed(seed), Instant::now());
        for _ in 0..count {
            target(&input(&mut rng, &pieces));
        }
        println!("{name}: {count} inputs in {:.1} s, seed {seed}", started.elapsed().as_secs_f64());
    }
}

#[test]
fn inputs_that_broke_a_rule_once_break_none() {
    for (name, data) in [
        ("dataset", ",,\"StartDate"),
        ("feedback", "1||y\0\0,,"),
        ("settings", "log= \"\t\t\t22\u{fffd}222\u{fffd}2\t\t\t=\t   \""),
        ("settings", "log=\"  warn, \u{e9}\u{e9}=x\""),
    ] {
        let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).expect("a target");
        target(data.as_bytes());
    }
}

#[test]
fn every_fuzz_target_is_in_the_list_and_has_a_dictionary() {
    let mut names: Vec<String> = fs::read_dir(folder().join("fuzz_targets"))
        .unwrap()
        .map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    assert_eq!(names, TARGETS.map(|(name, _)| name));
    for name in names {
        assert!(!dictionary(&name).is_empty(), "{name}");
    }
}

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz"))
}

/// The entries of a target's dictionary, one a line in quotes, as the fuzzer reads them.
fn dictionary(name: &str) -> Vec<Vec<u8>> {
    let text = fs::read_to_string(folder().join(format!("dictionaries/{name}.txt"))).unwrap();
    text.lines().filter(|line| line.starts_with('"')).map(piece).collect()
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

/// Some bytes that choose a case, then pieces and noise, of which one bit may be turned.
fn input(rng: &mut Rng, pieces: &[Vec<u8>]) -> Vec<u8> {
    let mut data: Vec<u8> = (0..rng.usize(..4)).map(|_| rng.u8(..)).collect();
    for _ in 0..rng.usize(..24) {
        match rng.u8(..8) {
            0 => data.push(rng.u8(..)),
            1 => data.extend((0..rng.usize(..16)).map(|_| rng.u8(..))),
            _ => data.extend_from_slice(&pieces[rng.usize(..pieces.len())]),
        }
    }
    if !data.is_empty() && rng.u8(..4) == 0 {
        let at = rng.usize(..data.len());
        data[at] ^= 1 << rng.u8(..8);
    }
    data
}
