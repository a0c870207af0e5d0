//! Text that others wrote, made inert: what it shows is what it holds.

use std::borrow::Cow;

use cadastre_model::checklist::Finding;

/// Replaces characters that change how their neighbours are shown, or that terminals obey, by their code
/// point in words: `⟨U+202E⟩`. Line feeds and tabs stay.
///
/// These are control characters (C0, C1, DEL), explicit bidirectional formatting (UAX #9), zero-width and
/// other invisible format characters, line and paragraph separators, tag characters, and noncharacters that
/// XML 1.0 §2.2 forbids.
pub fn inert(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_active) {
        return Cow::Borrowed(text);
    }
    let mut inert = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_active(c) {
            inert.push_str(&format!("⟨U+{:04X}⟩", u32::from(c)));
        } else {
            inert.push(c);
        }
    }
    Cow::Owned(inert)
}

fn is_active(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        '\u{ad}'
        | '\u{61c}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{fffe}'
        | '\u{ffff}'
        | '\u{e0000}'..='\u{e0fff}' => true,
        c => c.is_control(),
    }
}

/// Text for XML 1.0 element content and attributes, inert.
pub(crate) fn xml(text: &str) -> String {
    let text = inert(text);
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Text for GitHub-flavoured Markdown, on one line and inert: punctuation that could start markup is
/// escaped, and so is what would become a mention, a link or an HTML tag.
pub(crate) fn markdown(text: &str) -> String {
    let text = inert(text).replace("://", ":\u{0}").replace("www.", "www\u{1}");
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' => escaped.push(' '),
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '@' => escaped.push_str("&#64;"),
            '\u{0}' => escaped.push_str("&#47;&#47;"),
            '\u{1}' => escaped.push_str("&#46;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '#' | '+' | '!' | '|' | '~' => {
                escaped.push('\\');
                escaped.push(c);
            }
            c => escaped.push(c),
        }
    }
    escaped
}

/// Text as a Markdown code span on one line, inert: the fence is longer than any run of backticks in it.
pub(crate) fn markdown_code(text: &str) -> String {
    let text = inert(text).replace(['\n', '\t'], " ").replace('|', "\u{2758}");
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest + 1);
    let padding = if text.is_empty() || text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{padding}{text}{padding}{fence}")
}

/// What a finding says, with its path, a step a line.
pub(crate) fn told(finding: &Finding) -> String {
    let mut text = finding.message.clone();
    for (number, step) in finding.path.iter().enumerate() {
        text.push_str(&format!("\n{}. {step}", number + 1));
    }
    text
}

/// The first `limit` bytes of a text, cut at a character.
pub(crate) fn head(text: &str, limit: usize) -> &str {
    let mut end = limit.min(text.len());
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    text.get(..end).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(function: fn(&str) -> String, input: &str, expected: &str) {
        assert_eq!(function(input), expected);
    }

    #[test]
    fn what_would_act_on_its_surroundings_is_named_instead() {
        let shown = |text: &str| inert(text).into_owned();
        check(shown, "plain", "plain");
        check(shown, "two\nlines\tand a tab", "two\nlines\tand a tab");
        check(shown, "\u{1b}[31mred", "⟨U+001B⟩[31mred");
        check(shown, "user\u{202e}nimda", "user⟨U+202E⟩nimda");
        check(shown, "a\u{200b}b\u{feff}\u{7f}\u{9b}", "a⟨U+200B⟩b⟨U+FEFF⟩⟨U+007F⟩⟨U+009B⟩");
        check(shown, "Grüße, 東京", "Grüße, 東京");
    }

    #[test]
    fn markup_of_every_format_is_escaped() {
        check(xml, "<a href='x'>\"&]]>", "&lt;a href=&#39;x&#39;&gt;&quot;&amp;]]&gt;");
        check(markdown, "<script>|x|\n`y`", "&lt;script&gt;\\|x\\| \\`y\\`");
        check(markdown, "[a](http://b) @you", "\\[a\\]\\(http:&#47;&#47;b\\) &#64;you");
        check(markdown, "www.example.org \u{0}", "www&#46;example.org ⟨U\\+0000⟩");
        check(markdown_code, "arn:aws:s3:::b", "`arn:aws:s3:::b`");
        check(markdown_code, "a``b", "```a``b```");
        check(markdown_code, "`", "`` ` ``");
    }

    #[test]
    fn text_is_cut_between_characters() {
        assert_eq!(head("aé", 2), "a");
        assert_eq!(head("aé", 3), "aé");
        assert_eq!(head("", 3), "");
    }
}
