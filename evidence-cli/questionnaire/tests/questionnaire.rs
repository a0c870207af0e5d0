//! Questionnaires of our own, in every format, hostile ones among them.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on says so by panicking"
)]

use std::collections::BTreeMap;
use std::io::{Cursor, Read, Write};

use cadastre_model::checklist::{Checklist, ControlResult, Finding, SCHEMA, Verdict};
use cadastre_model::framework::{ControlStanding, FrameworkStanding, RequirementStanding};
use cadastre_questionnaire::{
    Answers, Columns, Entry, Filled, Format, Outcome, QuestionMap, QuestionnaireError, fill,
};
use calamine::{Reader, Xlsx};
use rust_xlsxwriter::{Color, DataValidation, Format as CellFormat, Formula, Workbook};

fn checklist() -> Checklist {
    let control = |id: &str, verdict: Verdict, message: &str| ControlResult {
        id: id.to_owned(),
        area: String::new(),
        title: format!("title of {id}"),
        verdict,
        findings: vec![Finding {
            subject: "key/1".to_owned(),
            verdict,
            message: message.to_owned(),
            path: Vec::new(),
            evidence: serde_json::from_str(&format!("[\"sha256:{}\"]", "ab".repeat(32))).unwrap(),
            fix: Vec::new(),
        }],
        requires: Vec::new(),
    };
    Checklist {
        schema: SCHEMA.to_owned(),
        as_of: "2026-11-21T00:00:00Z".parse().unwrap(),
        tool_version: "0".to_owned(),
        boundary: "payments".to_owned(),
        evidence_root: String::new(),
        summary: BTreeMap::new(),
        controls: vec![
            control("KEY-01", Verdict::Pass, "fine"),
            control("KEY-03", Verdict::RedFlag, "=cmd|' /C calc'!A0 lets a vendor decrypt"),
            control("NET-01", Verdict::Unproven, "flow logs were not read"),
            control("KAF-03", Verdict::Waived, "accepted"),
        ],
        not_examined: vec!["CST-01".to_owned()],
    }
}

fn frameworks() -> Vec<FrameworkStanding> {
    let framework = |id: &str, requirement: &str, controls: &[&str]| FrameworkStanding {
        id: id.to_owned(),
        name: id.to_uppercase(),
        version: "1".to_owned(),
        requirements: vec![RequirementStanding {
            id: requirement.to_owned(),
            title: String::new(),
            verdict: Verdict::Unproven,
            controls: controls
                .iter()
                .map(|id| ControlStanding { id: (*id).to_owned(), verdict: None })
                .collect(),
        }],
    };
    vec![
        framework("csa-ccm", "CEK-03", &["KEY-01"]),
        framework("soc-2", "CC6.1", &["KEY-01", "KEY-03"]),
        framework("pci-dss", "3.6", &["KEY-01"]),
        framework("dora", "3.6", &["KEY-03"]),
    ]
}

fn filled(
    bytes: &[u8],
    format: Format,
    columns: &Columns,
    map: &QuestionMap,
) -> Result<Filled, QuestionnaireError> {
    let (checklist, frameworks) = (checklist(), frameworks());
    fill(bytes, format, columns, &Answers::new(&checklist, &frameworks, map, false))
}

fn by_default(bytes: &[u8], format: Format) -> Filled {
    filled(bytes, format, &Columns::default(), &QuestionMap::default()).unwrap()
}

fn said(entry: &Entry) -> String {
    match &entry.outcome {
        Outcome::Answered { answer, .. } => answer.clone(),
        Outcome::Blank { reason } => format!("blank: {reason}"),
    }
}

#[track_caller]
fn check(question: &str, map: &str, expected: &str) {
    let map = if map.is_empty() {
        QuestionMap::default()
    } else {
        let text = format!("schema: cadastre/question-map/v1\nquestions: {map}\n");
        QuestionMap::parse(&text, "map.yaml").unwrap()
    };
    let csv = format!("ID,Question,Answer\n{question},?,\n");
    let filled = filled(csv.as_bytes(), Format::Csv, &Columns::default(), &map).unwrap();
    let found = said(&filled.entries[0]);
    assert!(found.starts_with(expected), "{found}");
}

#[test]
fn ids_answer_and_words_do_not() {
    check("KEY-01", "", "Yes");
    check("KEY-03", "", "No");
    check("KAF-03", "", "No");
    check("NET-01", "", "blank: NET-01 is not proven");
    check("CST-01", "", "blank: CST-01 bears on it and is not examined");
    check("CEK-03", "", "Yes");
    check("CEK-03.1", "", "Yes");
    check("CEK-03.x", "", "blank: no control");
    check("CC6.1", "", "No");
    check("CC6.1.1", "", "blank: no control");
    check("3.6", "", "blank: pci-dss and dora have this id");
    check("key-01", "", "blank: no control");
    check("Do you encrypt data at rest with KEY-01?", "", "blank: no control");
    check("D.4.1", "", "blank: no control");
    check("D.4.1", "{D.4.1: [KEY-01]}", "Yes");
    check("D.4.1", "{D.4.1: [KEY-01, NET-01]}", "blank: NET-01 is not proven");
    check("D.4.1", "{D.4.1: [CC6.1]}", "No");
    check("D.4.1", "{D.4.1: [NOPE-1]}", "blank: the map names `NOPE-1`");
}

#[test]
fn a_map_is_read_strictly() {
    for text in [
        "schema: cadastre/question-map/v2\nquestions: {}\n",
        "schema: cadastre/question-map/v1\nquestions: {a: []}\n",
        "schema: cadastre/question-map/v1\nquestion: {}\n",
    ] {
        assert!(QuestionMap::parse(text, "map.yaml").is_err(), "{text}");
    }
}

#[test]
fn csv_keeps_what_is_there_and_nothing_filled_in_is_a_formula() {
    let csv = "\u{feff}Vendor,review,2026\nQuestion ID,Question,Response,Comments\nKEY-01,\"a, \"\"b\"\"\",,\nKEY-03,=1+1,,\nKEY-01,?,No,ours\nX-1,?,,\n,,,\n";
    let filled = by_default(csv.as_bytes(), Format::Csv);
    let text = String::from_utf8(filled.bytes).unwrap();
    assert!(text.starts_with("\u{feff}Vendor,review,2026\r\n"), "{text}");
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    let rows: Vec<Vec<String>> =
        reader.records().map(|r| r.unwrap().iter().map(str::to_owned).collect()).collect();
    assert_eq!(rows[1][4..], ["Evidence", "As of"]);
    assert_eq!(rows[2][..3], ["KEY-01", "a, \"b\"", "Yes"]);
    assert_eq!(rows[2][4..], ["abababababab", "2026-11-21T00:00:00Z"]);
    assert_eq!(rows[3][1], "=1+1");
    assert!(rows[3][3].starts_with("For the declared Kafka data plane `payments`"), "{:?}", rows[3]);
    assert_eq!(rows[4], ["KEY-01", "?", "No", "ours"]);
    let places: Vec<(&str, String)> = filled.entries.iter().map(|e| (e.place.as_str(), said(e))).collect();
    assert_eq!(places[2], ("line 5", "blank: it is answered already".to_owned()));
    assert_eq!(places.len(), 4);
    for row in rows.iter().skip(2) {
        for cell in row.iter().skip(2) {
            assert!(!cell.starts_with(['=', '+', '-', '@']), "{cell}");
        }
    }
}

#[test]
fn yaml_is_answered_in_place() {
    let yaml = "schema: cadastre/questionnaire/v1\ntitle: \"a: b\"\nquestions:\n  - {id: KEY-01, question: \"how?\"}\n  - {id: X}\n";
    let filled = by_default(yaml.as_bytes(), Format::Yaml);
    let text = String::from_utf8(filled.bytes.clone()).unwrap();
    assert!(text.contains("    answer: \"Yes\"\n"), "{text}");
    assert!(text.ends_with("  - id: \"X\"\n"), "{text}");
    let again = by_default(&filled.bytes, Format::Yaml);
    assert_eq!(again.bytes, filled.bytes);
    let error = filled_error(b"schema: cadastre/questionnaire/v1\nqestions: []\n", Format::Yaml);
    assert!(error.contains("unknown field"), "{error}");
}

fn filled_error(bytes: &[u8], format: Format) -> String {
    filled(bytes, format, &Columns::default(), &QuestionMap::default()).unwrap_err().to_string()
}

/// A workbook as somebody sends it: two sheets, a title, formats, a formula, a validation.
fn workbook() -> Vec<u8> {
    let mut book = Workbook::new();
    let red = CellFormat::new().set_bold().set_background_color(Color::Red);
    let cover = book.add_worksheet();
    cover.set_name("Cover").unwrap();
    cover.write(0, 0, "Security review").unwrap();
    let sheet = book.add_worksheet();
    sheet.set_name("Questions & answers").unwrap();
    sheet.write(1, 1, "Please answer").unwrap();
    for (column, title) in ["Question ID", "Question", "Answer", "Comments"].iter().enumerate() {
        sheet.write_with_format(3, u16::try_from(column).unwrap() + 1, *title, &red).unwrap();
    }
    for (row, id) in ["KEY-01", "KEY-03", "NET-01", "CEK-03.1", "KEY-01", "KEY-01"].iter().enumerate() {
        let row = u32::try_from(row).unwrap() + 4;
        sheet.write(row, 1, *id).unwrap();
        sheet.write(row, 2, "=HYPERLINK(\"http://x\")").unwrap();
        sheet.write_blank(row, 3, &red).unwrap();
    }
    sheet.write(8, 3, "Partly").unwrap();
    sheet.write(9, 4, Formula::new("1+1").set_result("2")).unwrap();
    let choice = DataValidation::new().allow_list_strings(&["Yes", "No", "N/A"]).unwrap();
    sheet.add_data_validation(4, 3, 9, 3, &choice).unwrap();
    book.save_to_buffer().unwrap()
}

fn parts(bytes: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    (0..archive.len())
        .map(|index| {
            let mut part = archive.by_index(index).unwrap();
            let mut content = Vec::new();
            part.read_to_end(&mut content).unwrap();
            (part.name().unwrap().into_owned(), content)
        })
        .collect()
}

#[test]
fn a_workbook_keeps_everything_but_the_cells_that_are_filled_in() {
    let sent = workbook();
    let filled = by_default(&sent, Format::Xlsx);
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(filled.bytes.as_slice())).unwrap();
    let range = book.worksheet_range("Questions & answers").unwrap();
    let cell =
        |row: u32, column: u32| range.get_value((row, column)).map(ToString::to_string).unwrap_or_default();
    assert_eq!(
        (cell(4, 3), cell(5, 3), cell(6, 3), cell(7, 3)),
        ("Yes".into(), "No".into(), String::new(), "Yes".into())
    );
    assert_eq!((cell(3, 5), cell(3, 6)), ("Evidence".into(), "As of".into()));
    assert_eq!(cell(8, 3), "Partly");
    assert_eq!(cell(4, 2), "=HYPERLINK(\"http://x\")");
    let formulas = book.worksheet_formula("Questions & answers").unwrap();
    assert_eq!(formulas.get_value((9, 4)).map(String::as_str), Some("1+1"));
    let (before, after) = (parts(&sent), parts(&filled.bytes));
    let changed: Vec<&String> = before
        .iter()
        .filter(|(name, content)| after.get(*name) != Some(content))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(changed, ["xl/worksheets/sheet2.xml"]);
    let xml = String::from_utf8(after["xl/worksheets/sheet2.xml"].clone()).unwrap();
    assert!(xml.contains("<dataValidation"), "{xml}");
    assert!(!xml.contains("<f>=cmd"), "{xml}");
    assert_eq!(filled.entries[0].place, "Questions & answers!B5");
    assert_eq!(said(&filled.entries[4]), "blank: it is answered already");
}

#[test]
fn hostile_workbooks_are_refused() {
    assert!(!filled_error(b"PK\x03\x04 not a zip", Format::Xlsx).is_empty());
    assert!(!filled_error(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 encrypted", Format::Xlsx).is_empty());
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    let zeros = vec![0_u8; 1 << 20];
    writer.start_file("xl/worksheets/sheet1.xml", options).unwrap();
    for _ in 0..65 {
        writer.write_all(&zeros).unwrap();
    }
    let bomb = writer.finish().unwrap().into_inner();
    let error = filled_error(&bomb, Format::Xlsx);
    assert!(error.contains("unpacks to more than"), "{error}");
    let sent = workbook();
    for at in (0..sent.len()).step_by(211) {
        let mut broken = sent.clone();
        broken[at] ^= 0x55;
        // Refused or read: never a panic.
        drop(filled(&broken, Format::Xlsx, &Columns::default(), &QuestionMap::default()));
    }
}

#[test]
fn files_without_ids_are_refused_with_what_to_do() {
    let error = filled_error(b"a,b\n1,2\n", Format::Csv);
    assert!(error.contains("--id-column"), "{error}");
    let columns = Columns { sheet: Some("Nope".into()), ..Columns::default() };
    let error = filled(&workbook(), Format::Xlsx, &columns, &QuestionMap::default()).unwrap_err().to_string();
    assert!(error.contains("`Nope`"), "{error}");
}
