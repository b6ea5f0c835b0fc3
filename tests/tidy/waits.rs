//! Holds tests and benchmarks to waits with an end: a loop that awaits looks at the time, so that what it
//! waits for in vain is named.

use super::tokens::{Token, tokens};
use super::{none, rust_files};

/// Names of which a loop that awaits has one: of a `Wait`, of a limit, or of the time that has passed. One
/// that accepts connections serves as long as its runtime lives.
const ENDS: [&str; 8] =
    ["check", "check_or", "pause_or", "within", "timeout", "elapsed", "accept", "pause"];

#[test]
fn every_loop_that_awaits_has_an_end() {
    let mut wrong = Vec::new();
    for (path, code) in rust_files(&["src", "crates", "tests", "benches", "fuzz"]) {
        let is_shipped = (path.starts_with("src/") || path.contains("/src/"))
            && !path.contains("/tests")
            && !path.starts_with("crates/ferry-testing/");
        let start = if is_shipped { code.find("#[cfg(test)]\nmod tests {") } else { Some(0) };
        let code = start.map_or("", |start| &code[start..]);
        let endless = loops(&tokens(code)).filter(|one| is_endless(one)).count();
        if endless > 0 {
            wrong.push(format!("{path}: {endless} loops await without an end; take a `Wait`"));
        }
    }
    none(&wrong);
}

#[test]
fn a_loop_ends_if_it_looks_at_the_time() {
    let endless = |code: &str| loops(&tokens(code)).filter(|one| is_endless(one)).count();
    assert_eq!(
        endless("loop { a.await; } while b().await {} while let C { d } = e.await { f }"),
        3
    );
    assert_eq!(endless("loop { a.await; wait.check(); } while b.pop() {} loop { c() }"), 0);
    assert_eq!(endless("loop { wait.pause().await } while !b { pause().await; }"), 1);
    assert_eq!(endless("within(w, async { while a.await {} }).await"), 1);
}

/// The loops, each from its keyword to the end of its block.
fn loops(tokens: &[Token]) -> impl Iterator<Item = &[Token]> {
    let begins = |token: &Token| token.is_word("loop") || token.is_word("while");
    let starts = tokens.iter().enumerate().filter(move |(_, token)| begins(token));
    starts.map(|(start, _)| {
        let (mut depth, mut at) = (0_usize, start);
        while let Some(token) = tokens.get(at) {
            match token {
                Token::Sign('(' | '[' | '{') => depth += 1,
                Token::Sign(')' | ']' | '}') => depth = depth.saturating_sub(1),
                _ => {}
            }
            at += 1;
            // A pattern may have braces, too.
            let is_pattern = tokens.get(at).is_some_and(|next| next.is_sign('='));
            if depth == 0 && token.is_sign('}') && !is_pattern {
                break;
            }
        }
        &tokens[start..at]
    })
}

fn is_endless(tokens: &[Token]) -> bool {
    let awaits = tokens.iter().any(|token| token.is_word("await"));
    let ends = tokens.windows(2).any(|pair| match &pair[1] {
        // A function of that name only pauses.
        Token::Word(name) if name == "pause" => pair[0].is_sign('.'),
        Token::Word(name) => ENDS.contains(&name.as_str()),
        _ => false,
    });
    awaits && !ends
}
