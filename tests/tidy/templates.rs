//! Templates escape everything that they show, and hold nothing that the policy of the console forbids.

use super::{files, none, root, shown};

#[test]
fn no_template_switches_escaping_off_or_holds_style_or_script() {
    let mut wrong = Vec::new();
    let templates = files(&[root("templates")]);
    assert!(templates.len() > 5, "{templates:?}");
    for path in templates {
        let text = std::fs::read_to_string(&path).expect("a template");
        wrong.extend(breaches(&text).map(|what| format!("{}: {what}", shown(&path))));
    }
    none(&wrong);
    let found = |text: &str| breaches(text).count();
    assert_eq!(found("<p class=\"a\">{{ a }}</p><script type=\"module\" src=\"x\"></script>"), 0);
    assert_eq!(found("{{ a|safe }}"), 1);
    assert_eq!(found("{{ a | safe }}{% filter safe %}{% autoescape false %}"), 3);
    assert_eq!(found("<p style=\"a\">"), 1);
    assert_eq!(found("<p\nonclick=\"a\">"), 1);
    assert_eq!(found("<script>a</script><style>b</style>"), 2);
    assert_eq!(found("<a href=\"javascript:a\">"), 1);
}

/// The reasons for which a text is no template of the console.
fn breaches(text: &str) -> impl Iterator<Item = String> {
    let packed = text.split_whitespace().collect::<Vec<&str>>().join(" ").to_lowercase();
    let bad = [
        "|safe",
        "| safe",
        "filter safe",
        "autoescape",
        "|escape(",
        " style=",
        "<style",
        "<script>",
        "javascript:",
    ];
    let mut found: Vec<String> =
        bad.iter().filter(|bad| packed.contains(*bad)).map(|bad| format!("`{bad}`")).collect();
    let attributes =
        packed.split(' ').filter_map(|word| word.split_once('=')).map(|(name, _)| name);
    let handlers = attributes.filter(|name| {
        name.len() > 4 && name.starts_with("on") && name.chars().all(|c| c.is_ascii_lowercase())
    });
    found.extend(handlers.map(|name| format!("`{name}=`")));
    found.into_iter()
}
