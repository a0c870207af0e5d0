//! The document of the reference accounts, read back by programs that we did not write.

#![cfg(feature = "typeset")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests fail the test"
)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use cadastre_assess::waivers::WaiverFile;
use cadastre_assess::{Options, assess};
use cadastre_model::Timestamp;
use cadastre_model::declaration::Declaration;
use cadastre_model::evidence::Evidence;
use cadastre_model::framework::FrameworkStanding;
use cadastre_pdf::{Document, PdfError, TEMPLATE, pdf};
use cadastre_policy::Framework;
use cadastre_report::ReportInput;
use serde_json::Value;

/// What a document is made of.
struct Sample {
    data: Value,
    diagram: String,
    date: Timestamp,
}

impl Sample {
    fn planted() -> &'static Self {
        static PLANTED: OnceLock<Sample> = OnceLock::new();
        PLANTED.get_or_init(|| Self::read("planted"))
    }

    fn read(variant: &str) -> Self {
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(variant);
        let declaration = Declaration::read(&fixture.join("boundary.yaml")).unwrap();
        let evidence = Evidence::read(&fixture.join("evidence")).unwrap();
        let waivers = std::fs::read_to_string(fixture.join("waivers.yaml")).unwrap();
        let waivers = WaiverFile::parse(&waivers, "waivers.yaml").unwrap().waivers;
        let assessment = assess(&evidence, &declaration, &Options { waivers, ..Options::default() }).unwrap();
        let frameworks: Vec<FrameworkStanding> = Framework::builtin()
            .unwrap()
            .iter()
            .map(|framework| framework.standing(&assessment.checklist))
            .collect();
        let input = ReportInput {
            declaration: &declaration,
            evidence: &evidence,
            inventory: &assessment.inventory,
            coverage: &assessment.coverage,
            access: &assessment.access,
            reachability: &assessment.reachability,
            usage: &assessment.usage,
            graph: &assessment.graph,
            checklist: &assessment.checklist,
            cost: Some(&assessment.cost),
            frameworks: &frameworks,
        };
        Self {
            data: cadastre_report::document(&input).unwrap(),
            diagram: cadastre_report::diagram_svg(&assessment.graph),
            date: assessment.checklist.as_of,
        }
    }

    fn pdf(&self) -> Result<Vec<u8>, PdfError> {
        self.with(TEMPLATE)
    }

    fn with(&self, template: &str) -> Result<Vec<u8>, PdfError> {
        pdf(&Document {
            template,
            data: &self.data,
            diagram: &self.diagram,
            date: self.date,
            identity: "payments",
            creator: "cadastre 0.1.0",
        })
    }
}

/// The document of the planted account, made once.
fn planted() -> &'static [u8] {
    static PLANTED: OnceLock<Vec<u8>> = OnceLock::new();
    PLANTED.get_or_init(|| Sample::planted().pdf().unwrap())
}

/// Runs a program on a file; `None`, and said so, when it is not there.
fn run(program: &str, before: &[&str], after: &[&str], bytes: &[u8]) -> Option<String> {
    let directory = tempfile::tempdir().unwrap();
    let file: PathBuf = directory.path().join("document.pdf");
    std::fs::write(&file, bytes).unwrap();
    let output = match Command::new(program).args(before).arg(&file).args(after).output() {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            println!("skipped: no {program} on the PATH");
            return None;
        }
        Err(error) => panic!("{program}: {error}"),
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn text_of(bytes: &[u8]) -> Option<String> {
    run("pdftotext", &["-raw"], &["-"], bytes)
}

#[test]
fn the_document_says_what_blocks_and_leads_from_each_claim_to_its_proof() {
    let Some(text) = text_of(planted()) else { return };
    for expected in [
        "What blocks",
        "Readiness checklist",
        "Boundary diagram",
        "Plaintext paths",
        "Permission matrix",
        "Destruction without a delete permission",
        "Guards that protect nothing",
        "Network flows",
        "Key inventory",
        "Kafka access",
        "Deletion and retention",
        "Runbooks",
        "Incident ownership",
        "Frameworks",
        "Coverage",
        "Evidence",
    ] {
        assert!(text.contains(expected), "{expected}");
    }
    let areas = Sample::planted().data["readiness"]["areas"].as_array().unwrap();
    let controls = areas.iter().flat_map(|area| area["controls"].as_array().unwrap());
    let mut proven = 0;
    for control in controls {
        assert!(text.contains(control["id"].as_str().unwrap()), "{}", control["id"]);
        for finding in control["concerns"].as_array().unwrap() {
            for record in finding["evidence"].as_array().unwrap().iter().take(6) {
                let short = record["short"].as_str().unwrap();
                // The whole id stands in the appendix, and only there.
                assert!(text.contains(&format!("sha256:{short}")), "{short}");
                proven += 1;
            }
        }
    }
    assert!(proven > 50, "{proven}");
}

#[test]
fn the_document_is_tagged_and_says_which_standards_it_keeps() {
    let bytes = planted();
    let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(bytes.starts_with(b"%PDF-1.7"));
    for expected in [
        "<pdfaid:part>2</pdfaid:part>",
        "<pdfaid:conformance>A</pdfaid:conformance>",
        "<pdfuaid:part>1</pdfuaid:part>",
        "/OutputIntent",
    ] {
        assert!(holds(expected), "{expected}");
    }
    for forbidden in ["/JavaScript", "/Launch", "/EmbeddedFile", "/Encrypt", "/URI"] {
        assert!(!holds(forbidden), "{forbidden}");
    }
    let Some(information) = run("pdfinfo", &[], &[], bytes) else { return };
    assert!(information.contains("Tagged:          yes"), "{information}");
    assert!(information.contains("Title:           payments: boundary report"), "{information}");
}

/// Asks veraPDF about both standards; `None`, and said so, when it is not there.
fn judged(bytes: &[u8]) -> Option<(bool, String)> {
    let Some(libs) = std::env::var_os("CADASTRE_VERAPDF_LIBS").map(PathBuf::from) else {
        println!("skipped: CADASTRE_VERAPDF_LIBS is not set; `cargo xtask test` sets it");
        return None;
    };
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("document.pdf");
    std::fs::write(&file, bytes).unwrap();
    let validator = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/pdf/Validate.java");
    let output = Command::new("java")
        .arg("-cp")
        .arg(libs.join("*"))
        .arg(validator)
        .arg(file)
        .args(["2a", "ua1"])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(told.lines().count(), 2, "{told}{}", String::from_utf8_lossy(&output.stderr));
    Some((output.status.success(), told))
}

/// A few of everything: all that the template can set, in a document that is judged in seconds.
fn excerpt(value: &mut Value) {
    const LISTS: [&str; 14] = [
        "appendix",
        "brief",
        "concerns",
        "effective",
        "foreign",
        "guards",
        "keys",
        "own",
        "permitted",
        "principals",
        "requirements",
        "rows",
        "settled",
        "ways",
    ];
    match value {
        Value::Array(values) => values.iter_mut().for_each(excerpt),
        Value::Object(members) => {
            for (name, member) in members {
                if let Value::Array(values) = member
                    && LISTS.contains(&name.as_str())
                {
                    values.truncate(3);
                }
                excerpt(member);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn verapdf_finds_both_standards_kept() {
    let planted = Sample::planted();
    let mut data = planted.data.clone();
    excerpt(&mut data);
    let sample = Sample { data, diagram: planted.diagram.clone(), date: planted.date };
    let bytes = sample.pdf().unwrap();
    let Some((kept, told)) = judged(&bytes) else { return };
    assert!(kept, "{told}");
    // It looks at what is there: a document that names another level than it keeps is refused.
    let text = b"<pdfaid:conformance>A</pdfaid:conformance>";
    let at = bytes.windows(text.len()).position(|window| window == text).unwrap();
    let mut other = bytes;
    other[at + b"<pdfaid:conformance>".len()] = b'X';
    let (kept, told) = judged(&other).unwrap();
    assert!(!kept && told.contains("conformance"), "{told}");
}

/// A template that shows one value, which is enough to see what becomes of it.
const SHORT: &str =
    "#set document(title: \"t\")\n#set text(font: \"DejaVu Sans\", lang: \"en\")\n#json(\"data.json\").name";

fn short(name: &str, template: &str) -> Result<Vec<u8>, PdfError> {
    let data = serde_json::json!({ "name": name });
    pdf(&Document {
        template,
        data: &data,
        diagram: "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"1\" height=\"1\"/>",
        date: "2026-11-21T10:24:28Z".parse().unwrap(),
        identity: name,
        creator: "cadastre",
    })
}

#[test]
fn the_same_input_gives_the_same_bytes_and_another_date_others() {
    assert_eq!(short("payments", SHORT).unwrap(), short("payments", SHORT).unwrap());
    assert_ne!(short("payments", SHORT).unwrap(), short("refunds", SHORT).unwrap());
}

#[test]
fn what_others_wrote_is_text_and_never_markup() {
    let hostile = "#read(\"/etc/passwd\") *bold* $x$ #include \"x\" <label> @cite `raw` \\ [](){} = head";
    let Some(text) = text_of(&short(hostile, SHORT).unwrap()) else { return };
    let words = |text: &str| text.split_whitespace().collect::<String>();
    assert!(words(&text).contains(&words(hostile)), "{text}");
}

#[test]
fn what_no_font_shows_is_named_and_marks_that_do_not_combine_do_no_harm() {
    for name in [
        "\u{6771}\u{4eac}",
        "\u{1f511}",
        "a\u{301}\u{20dd}\u{5e9}\u{5b8}\u{631}\u{64b}",
        "\u{fb1d}\u{300}\u{e47}",
    ] {
        short(name, SHORT).unwrap();
    }
    let Some(text) = text_of(&short("\u{6771}", SHORT).unwrap()) else { return };
    assert!(text.contains("\u{27e8}U+6771\u{27e9}"), "{text}");
}

#[track_caller]
fn check_refused(template: &str, expected: &str) {
    let error = short("payments", template).unwrap_err().to_string();
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn a_broken_template_is_refused_with_the_place() {
    check_refused("line\n#json(\"data.json\").nothing", "report.typ:2:20: dictionary does not contain key");
    check_refused("#nothing", "report.typ:1:2: unknown variable: nothing");
    check_refused("#(", "report.typ:1:");
}

#[test]
fn a_template_reads_nothing_but_what_it_is_given() {
    for elsewhere in [
        "#read(\"/etc/passwd\")",
        "#read(\"other.json\")",
        "#import \"@preview/x:1.0.0\"",
        "#include \"x.typ\"",
    ] {
        check_refused(elsewhere, "report.typ:1:");
    }
}

#[test]
fn a_document_that_would_keep_no_standard_is_refused() {
    let untitled = "#set text(font: \"DejaVu Sans\")\nno title";
    let error = short("payments", untitled).unwrap_err().to_string();
    assert!(error.contains("PDF/A-2a") && error.contains("title"), "{error}");
}
