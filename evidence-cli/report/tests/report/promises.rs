//! What every report promises, whatever it is made of.

use std::collections::BTreeSet;

use crate::sample::{HOSTILE, Sample};

/// Ids that an HTML page defines, and fragments that it links to.
fn anchors(html: &str) -> (BTreeSet<&str>, BTreeSet<&str>) {
    let values = |start: &str| -> BTreeSet<&str> {
        html.split(start).skip(1).filter_map(|rest| rest.split('"').next()).collect()
    };
    // A link to `show-NAME` shows in the diagram what NAME is about.
    let links =
        values(" href=\"#").into_iter().map(|link| link.strip_prefix("show-").unwrap_or(link)).collect();
    (values(" id=\""), links)
}

#[test]
fn every_link_leads_somewhere_and_no_id_is_given_twice() {
    for sample in [Sample::plain(), Sample::hostile()] {
        let html = cadastre_report::html(&sample.input()).unwrap();
        let (ids, links) = anchors(&html);
        let lost: Vec<&&str> = links.difference(&ids).collect();
        assert!(lost.is_empty(), "{lost:?}");
        assert_eq!(html.matches(" id=\"").count(), ids.len());
        assert!(links.iter().filter(|link| link.starts_with("r-")).count() >= 3);
    }
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let (a, b) = (Sample::plain(), Sample::plain());
    assert_eq!(cadastre_report::html(&a.input()).unwrap(), cadastre_report::html(&b.input()).unwrap());
    assert_eq!(
        cadastre_report::markdown(&a.input()).unwrap(),
        cadastre_report::markdown(&b.input()).unwrap()
    );
    assert_eq!(
        cadastre_report::diagram_html(&a.graph, "payments").unwrap(),
        cadastre_report::diagram_html(&b.graph, "payments").unwrap()
    );
}

/// Elements without an end tag (HTML, "Void elements").
const VOID: [&str; 4] = ["meta", "br", "hr", "input"];

/// Reads tags as they nest; text never holds a `<` of its own.
fn nesting(html: &str) -> Result<(), String> {
    // A script is no markup.
    let (before, rest) = html.split_once("<script>").unwrap_or((html, ""));
    let (_, after) = rest.split_once("</script>").unwrap_or(("", ""));
    let html = format!("{before}{after}");
    let mut open: Vec<&str> = Vec::new();
    for part in html.split('<').skip(1) {
        let tag = part.split('>').next().unwrap_or_default();
        let name = tag.trim_start_matches('/').split([' ', '\n', '/']).next().unwrap_or_default();
        if tag.starts_with('!') || VOID.contains(&name) || tag.ends_with('/') {
            continue;
        }
        if !tag.starts_with('/') {
            // A parser would close the paragraph before these, and a validator refuses them inside phrases.
            let block =
                ["div", "p", "ul", "ol", "dl", "table", "details", "article", "pre", "h4"].contains(&name);
            if block && let Some(phrase) = open.iter().find(|outer| ["p", "span", "a", "h4"].contains(outer))
            {
                return Err(format!("<{name}> inside <{phrase}>"));
            }
            open.push(name);
        } else if open.pop() != Some(name) {
            return Err(format!("</{name}> closes something else, inside {open:?}"));
        }
    }
    if open.is_empty() { Ok(()) } else { Err(format!("{open:?} are not closed")) }
}

#[test]
fn pages_are_well_formed_and_load_nothing() {
    for sample in [Sample::plain(), Sample::hostile(), Sample::empty()] {
        for page in [
            cadastre_report::html(&sample.input()).unwrap(),
            cadastre_report::diagram_html(&sample.graph, &sample.declaration.name).unwrap(),
        ] {
            nesting(&page).unwrap();
            assert!(page.contains("default-src 'none'"));
            // In the hostile sample such words are text.
            if sample.declaration.name != "payments" {
                continue;
            }
            for outward in [" src=", "url(", "@import", "<link", "<iframe", "<object", "style=\""] {
                assert!(!page.contains(outward), "{outward}");
            }
        }
    }
}

#[test]
fn what_others_wrote_is_inert_in_every_format() {
    let sample = Sample::hostile();
    let html = cadastre_report::html(&sample.input()).unwrap();
    let markdown = cadastre_report::markdown(&sample.input()).unwrap();
    let svg = cadastre_report::diagram_svg(&sample.graph);
    let junit = cadastre_report::junit(&sample.checklist);
    let sarif =
        cadastre_report::sarif(&sample.checklist)["runs"][0]["results"][0]["message"]["text"].to_string();
    assert!(sarif.contains(r"\\[x\\](http"), "{sarif}");
    for text in [&html, &markdown, &svg, &junit, &sarif] {
        for c in ['\u{202e}', '\u{1b}', '\u{200b}', '\u{0}'] {
            assert!(!text.contains(c), "{c:?}");
        }
    }
    for text in [&html, &svg] {
        assert!(!text.contains("<script>alert"));
        assert!(!text.contains("\"><img"));
    }
    // One script: ours.
    assert_eq!(html.matches("<script").count(), 1);
    assert!(html.contains("⟨U+202E⟩"));
    // Markup in Markdown is escaped, or stands in a code span whose fence it cannot close.
    let outside: String = markdown.split("```").step_by(2).collect();
    assert!(!outside.contains("<script>") && !outside.contains("<img"));
    assert!(HOSTILE.contains("``"));
}

#[test]
fn destruction_and_dead_guards_are_told_on_the_page_in_the_document_and_in_tables() {
    let sample = Sample::plain();
    let html = cadastre_report::html(&sample.input()).unwrap();
    let section =
        html.split("<section id=\"safeguards\"").nth(1).unwrap().split("</section>").next().unwrap();
    let told = "its deny of `s3:DeleteObject` leaves `s3:PutLifecycleConfiguration`";
    let expected = [
        "<code>s3:PutLifecycleConfiguration</code>",
        "destroys",
        "aws:SourceVpce is vpce-1",
        "walked around",
        told,
    ];
    for expected in expected {
        assert!(section.contains(expected), "{expected}: {section}");
    }
    // The proof of each is one click away.
    assert_eq!(section.matches("class=\"proof\"").count(), 2, "{section}");

    let document = cadastre_report::document(&sample.input()).unwrap();
    assert_eq!(document["safeguards"]["ways"][0]["action"], "s3:PutLifecycleConfiguration");
    assert_eq!(document["safeguards"]["guards"][0]["told"], told);

    let files = cadastre_report::csv_files(&sample.input()).unwrap();
    let file = |name: &str| files.iter().find(|(file, _)| *file == name).unwrap().1.lines().nth(1).unwrap();
    assert!(
        file("destruction.csv").contains(",destroys,")
            && file("destruction.csv").contains(",no,conditional,")
    );
    assert!(file("guards-that-protect-nothing.csv").contains("walked-around"));

    let empty = cadastre_report::html(&Sample::empty().input()).unwrap();
    assert!(empty.contains("No such way was found.") && empty.contains("No such guard was found."));
}

#[test]
fn the_decision_page_says_what_blocks_and_what_it_rests_on() {
    let html = cadastre_report::html(&Sample::plain().input()).unwrap();
    for expected in [
        "1 control shows a red flag",
        "1 more control is not proven.",
        "What blocks",
        "2026-11-21T10:24:28Z",
        "SEM-01",
        "streamco-support",
        "not collected",
        "s3:GetBucketPolicy",
        "AccessDenied: not allowed",
    ] {
        assert!(html.contains(expected), "{expected}");
    }
}

#[test]
fn the_appendix_shows_the_cited_place_and_cuts_long_answers() {
    let html = cadastre_report::html(&Sample::plain().input()).unwrap();
    assert!(html.contains("At <code>/response/Policy/Statement/0</code>"));
    assert!(html.contains("bytes in full, in the evidence under"));
    assert!(!html.contains(&"x".repeat(5000)));
}

#[test]
fn markdown_stays_within_what_a_comment_holds() {
    let mut sample = Sample::plain();
    let finding = sample.checklist.controls[0].findings[0].clone();
    for control in &mut sample.checklist.controls {
        control.findings = (0..2_000)
            .map(|number| {
                let mut finding = finding.clone();
                finding.subject = format!("subject {number}");
                finding
            })
            .collect();
    }
    let markdown = cadastre_report::markdown(&sample.input()).unwrap();
    assert!(markdown.len() <= 65_536, "{}", markdown.len());
    assert!(markdown.contains("more"));
}
