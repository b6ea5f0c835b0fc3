//! Takes bytes apart into a response: two for the status, then headers up to an empty line, then the
//! body.

/// Reads `data` as a response, as the client of the Platform does.
pub async fn read(data: &[u8]) {
    let Some((status, rest)) = data.split_first_chunk::<2>() else { return };
    let status = 100 + u16::from_le_bytes(*status) % 500;
    let (head, body) = match rest.windows(2).position(|two| two == b"\n\n") {
        Some(end) => (&rest[..end], &rest[end + 2..]),
        None => (&rest[..0], rest),
    };
    let header =
        |line: &[u8]| line.iter().position(|byte| *byte == b':').map(|at| (at, line.len()));
    let headers: Vec<(&[u8], &[u8])> = head
        .split(|byte| *byte == b'\n')
        .filter_map(|line| header(line).map(|(at, _)| (&line[..at], &line[at + 1..])))
        .collect();
    ferry::platform::read_response(status, &headers, body).await;
}
