//! As much of the grammar of Rust as the rules need.

/// As much of Rust's grammar as the rules need: comments are gone.
#[derive(Debug, PartialEq)]
pub(super) enum Token {
    Word(String),
    Text(String),
    Sign(char),
}

impl Token {
    pub(super) fn is_word(&self, wanted: &str) -> bool {
        matches!(self, Self::Word(word) if word == wanted)
    }

    pub(super) fn is_sign(&self, wanted: char) -> bool {
        *self == Self::Sign(wanted)
    }
}

/// The contents of all string literals.
pub(super) fn texts(tokens: &[Token]) -> Vec<String> {
    let text = |token: &Token| match token {
        Token::Text(text) => Some(text.clone()),
        _ => None,
    };
    tokens.iter().filter_map(text).collect()
}

pub(super) fn tokens(code: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if first == '"' {
            let length = string(rest);
            found.push(Token::Text(rest[1..length - 1].to_owned()));
            length
        } else if first == '\'' {
            character(rest)
        } else if first.is_alphanumeric() || first == '_' {
            let length =
                rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            let raw = matches!(&rest[..length], "r" | "br" | "cr").then(|| raw(&rest[length..]));
            if let Some((text, more)) = raw.flatten() {
                found.push(Token::Text(text));
                length + more
            } else {
                found.push(Token::Word(rest[..length].to_owned()));
                length
            }
        } else {
            if !first.is_whitespace() {
                found.push(Token::Sign(first));
            }
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    found
}

pub(super) fn block_comment(code: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    loop {
        match (code[at..].find("/*"), code[at..].find("*/")) {
            (Some(open), Some(close)) if open < close => (depth, at) = (depth + 1, at + open + 2),
            (_, Some(close)) if depth > 1 => (depth, at) = (depth - 1, at + close + 2),
            (_, Some(close)) => return at + close + 2,
            (_, None) => return code.len(),
        }
    }
}

pub(super) fn string(code: &str) -> usize {
    let mut escaped = false;
    for (at, c) in code.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    panic!("a string without an end: {}", &code[..code.len().min(60)]);
}

/// A raw string after its `r`, and its length.
pub(super) fn raw(code: &str) -> Option<(String, usize)> {
    let hashes = code.chars().take_while(|c| *c == '#').count();
    let text = code[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = text.find(&end)?;
    Some((text[..length].to_owned(), hashes + 1 + length + end.len()))
}

/// A character, or the tick of a lifetime.
pub(super) fn character(code: &str) -> usize {
    let mut inner = code.char_indices().skip(1);
    match (inner.next(), inner.next()) {
        (Some((_, '\\')), Some((at, escaped))) => {
            let from = at + escaped.len_utf8();
            from + code[from..].find('\'').expect("a character ends") + 1
        }
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 1,
    }
}
