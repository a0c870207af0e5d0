//! A report that carries signed evidence and checks it in the browser.

use serde_json::Value;

use crate::error::ReportError;
use crate::templates::{self, VERIFICATION_SCRIPT};

/// Where a page of ours names the script that may run.
const POLICY: &str = "script-src '";
/// Where a page of ours ends.
const END: &str = "</body>";
/// What a page of ours has for the result.
const PLACE: &str = "id=\"verification\"";

/// The page, with evidence that it checks when it is opened. `library` is a script, without imports or exports,
/// that defines `verifyEmbeddedEvidence(data)`; `data` is what it checks.
///
/// Everything but what is added stays as it was, byte by byte.
///
/// # Errors
/// [`ReportError::NoPlace`] when the page was not written by [`crate::html`], or by templates that keep its shape.
pub fn with_verification(page: &str, library: &str, data: &Value) -> Result<String, ReportError> {
    let script = format!("\n{library}\n{VERIFICATION_SCRIPT}");
    // Such a sequence would end the element that holds the script; escaping it is the library's affair.
    if script.contains("</") || !page.contains(PLACE) {
        return Err(ReportError::NoPlace);
    }
    let (before, rest) = page.split_once(POLICY).ok_or(ReportError::NoPlace)?;
    let (middle, end) = rest.rsplit_once(END).ok_or(ReportError::NoPlace)?;
    let hash = templates::policy_hash(&script);
    let data = embeddable(data);
    Ok(format!(
        "{before}{POLICY}sha256-{hash}' '{middle}<script type=\"application/json\" id=\"embedded-evidence\">{data}</script>\n<script>{script}</script>\n{END}{end}"
    ))
}

/// JSON that nothing around it can take for markup: of ASCII alone, and without `<`.
fn embeddable(data: &Value) -> String {
    let text = data.to_string();
    let mut escaped = String::with_capacity(text.len());
    let mut units = [0_u16; 2];
    for c in text.chars() {
        match c {
            '<' | '>' | '&' | '\u{7f}' => escaped.push_str(&format!("\\u{:04x}", u32::from(c))),
            c if c.is_ascii() => escaped.push(c),
            c => {
                for unit in c.encode_utf16(&mut units) {
                    escaped.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const PAGE: &str =
        "<meta content=\"script-src 'sha256-x'\"><div id=\"verification\"></div><p>kept</p></body></html>\n";

    #[test]
    fn evidence_in_a_page_is_data_and_nothing_else() {
        let data = json!({"line": "</script><!-- é\u{202e}😀 \u{1b}"});
        let page = with_verification(PAGE, "const x = 1;", &data).unwrap();
        assert!(!page.contains("<!--"));
        let carried =
            page.split("id=\"embedded-evidence\">").nth(1).unwrap().split("</script>").next().unwrap();
        assert!(carried.is_ascii());
        assert_eq!(serde_json::from_str::<Value>(carried).unwrap(), data);
        assert!(page.contains("<p>kept</p>") && page.ends_with("</body></html>\n"));
        assert_eq!(page.matches("sha256-").count(), 2);
    }

    #[test]
    fn a_page_of_another_shape_is_refused() {
        for page in
            ["", "<p>", "script-src '", &PAGE.replace("verification", "v"), &PAGE.replace("</body>", "")]
        {
            assert!(matches!(with_verification(page, "", &json!(1)), Err(ReportError::NoPlace)));
        }
    }
}
