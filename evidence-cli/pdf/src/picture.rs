//! Makes a diagram that is styled for screens plain enough for paper: custom properties (CSS Custom Properties for
//! Cascading Variables, §3) are put where they are used, and rules that depend on a medium are taken out, because the
//! typesetter's SVG reader knows neither.

/// The style elements of an SVG, resolved.
pub(crate) fn plain(svg: &str) -> String {
    let mut plain = String::with_capacity(svg.len());
    let mut rest = svg;
    while let Some((before, style, after)) = element(rest) {
        plain.push_str(before);
        plain.push_str(&resolved(style));
        rest = after;
    }
    plain.push_str(rest);
    plain
}

/// What stands before the content of the first style element, its content, and what follows.
fn element(svg: &str) -> Option<(&str, &str, &str)> {
    let start = svg.find("<style>")? + "<style>".len();
    let (before, rest) = svg.split_at_checked(start)?;
    let (style, after) = rest.split_at_checked(rest.find("</style>")?)?;
    Some((before, style, after))
}

fn resolved(style: &str) -> String {
    let mut style = without_media_rules(style);
    for (name, value) in properties(&style) {
        style = style.replace(&format!("var({name})"), &value);
    }
    style
}

fn without_media_rules(style: &str) -> String {
    let mut kept = String::with_capacity(style.len());
    let mut rest = style;
    while let Some((before, rule)) = rest.split_once("@media") {
        kept.push_str(before);
        let mut depth = 0_usize;
        let end = rule.char_indices().find_map(|(at, c)| {
            match c {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => return None,
            }
            (c == '}' && depth == 0).then_some(at + 1)
        });
        rest = end.and_then(|end| rule.get(end..)).unwrap_or_default();
    }
    kept.push_str(rest);
    kept
}

/// Custom properties in the order in which they are set.
fn properties(style: &str) -> Vec<(String, String)> {
    let declarations = style.split([';', '{', '}']).filter_map(|declaration| declaration.split_once(':'));
    declarations
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .filter(|(name, _)| name.starts_with("--"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn custom_properties_are_resolved_and_media_rules_are_gone() {
        let svg = "<svg><style>.d { color: red;\n --ink: #111; --line: #999 }\n@media print { .d { --ink: #000; } }\n\
                   .d text { fill: var(--ink); } .d path{stroke:var(--line)}</style><text>@media var(--ink)</text></svg>";
        let plain = plain(svg);
        assert!(plain.contains(".d text { fill: #111; }"), "{plain}");
        assert!(plain.contains("path{stroke:#999}"), "{plain}");
        assert!(!plain.contains("#000"), "{plain}");
        assert!(plain.ends_with("<text>@media var(--ink)</text></svg>"), "{plain}");
    }

    #[test]
    fn what_is_not_closed_is_left_alone() {
        assert_eq!(plain("<svg><style>a"), "<svg><style>a");
        assert_eq!(plain("<svg/>"), "<svg/>");
        assert_eq!(plain("<style>a{}@media x {</style>"), "<style>a{}</style>");
    }
}
