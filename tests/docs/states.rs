//! The states: the table of legal transitions, and the diagram that must not contradict it.

use ferry_types::domain::submission::State;

use super::pages::Page;
use super::render;

fn rows() -> Vec<Vec<String>> {
    let row = |from: State| {
        let next = State::ALL.into_iter().filter(|next| *next != from && from.may_become(*next));
        let next: Vec<String> = next.map(|next| format!("`{next}`")).collect();
        let next = if next.is_empty() { "nothing".to_owned() } else { next.join(", ") };
        vec![format!("`{from}`"), next]
    };
    State::ALL.map(row).into()
}

/// The table of legal transitions; staying is left out.
pub(crate) fn table() -> String {
    render::table(&["from", "to"], rows())
}

#[test]
fn every_edge_of_the_diagram_is_a_legal_transition() {
    let page = Page::read("docs/reference/states.md");
    let (_, diagram) = page.fences("mermaid").into_iter().next().expect("a diagram");
    let mut seen = 0;
    for line in diagram.lines().skip(1) {
        // `a --> b`, `a -->|label| b`, and chains of both.
        let mut edge: Vec<State> = Vec::new();
        for part in line.split("-->") {
            let node = part.rsplit('|').next().unwrap_or(part).trim();
            edge.push(node.parse().unwrap_or_else(|error| panic!("{line}: {error}")));
        }
        for pair in edge.windows(2) {
            assert!(pair[0].may_become(pair[1]), "{line}: {} to {}", pair[0], pair[1]);
            seen += 1;
        }
    }
    assert!(seen > 8, "{seen} edges");
}
