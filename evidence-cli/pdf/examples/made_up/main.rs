//! Writes the reports of a made-up boundary: `made_up NODES FINDINGS DIRECTORY [--hostile] [--pdf]`.
//!
//! Prints a line of JSON for each format: its name, the seconds it took, the bytes it has; and one for all of them. The
//! document is set on a thread of its own, as the command does it. Benchmarks and the tests in a browser use it;
//! `boundary.rs` makes the boundary.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a tool for tests, which stops at whatever goes wrong and measures by the clock"
)]

mod boundary;

use std::path::PathBuf;
use std::time::Instant;

use boundary::MadeUp;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [nodes, findings, directory] = &arguments[..3] else { panic!("made_up NODES FINDINGS DIRECTORY") };
    let asked = |option: &str| arguments[3..].iter().any(|argument| argument == option);
    let directory = PathBuf::from(directory);
    std::fs::create_dir_all(&directory).unwrap();
    let made =
        MadeUp::new(nodes.parse::<usize>().unwrap().max(30), findings.parse().unwrap(), asked("--hostile"));
    let input = made.input();
    let write = |name: &str, render: &dyn Fn() -> Vec<u8>| {
        let started = Instant::now();
        let bytes = render();
        let seconds = started.elapsed().as_secs_f64();
        std::fs::write(directory.join(name), &bytes).unwrap();
        println!("{}", serde_json::json!({"file": name, "seconds": seconds, "bytes": bytes.len()}));
    };
    let pretty = |value: serde_json::Value| serde_json::to_vec_pretty(&value).unwrap();
    let started = Instant::now();
    std::thread::scope(|scope| {
        if asked("--pdf") {
            scope.spawn(|| write("report.pdf", &|| document(&input)));
        }
        write("report.html", &|| cadastre_report::html(&input).unwrap().into_bytes());
        write("report.md", &|| cadastre_report::markdown(&input).unwrap().into_bytes());
        write("boundary.svg", &|| cadastre_report::diagram_svg(input.graph).into_bytes());
        write("report.xlsx", &|| cadastre_report::xlsx(&input).unwrap());
        write("tables.csv", &|| {
            let files = cadastre_report::csv_files(&input).unwrap();
            files.into_iter().flat_map(|(_, text)| text.into_bytes()).collect()
        });
        write("oscal.json", &|| pretty(cadastre_report::oscal(input.checklist, input.evidence)));
        write("oscal-components.json", &|| pretty(cadastre_report::component_definition(&input)));
        write("cyclonedx.json", &|| pretty(cadastre_report::cyclonedx(&input)));
        write("ocsf.json", &|| pretty(cadastre_report::ocsf(input.checklist)));
        write("cadastre.sarif", &|| pretty(cadastre_report::sarif(input.checklist)));
        write("junit.xml", &|| cadastre_report::junit(input.checklist).into_bytes());
        write("graph.json", &|| serde_json::to_vec_pretty(input.graph).unwrap());
        write("checklist.json", &|| serde_json::to_vec_pretty(input.checklist).unwrap());
    });
    println!("{}", serde_json::json!({"seconds": started.elapsed().as_secs_f64()}));
}

fn document(input: &cadastre_report::ReportInput<'_>) -> Vec<u8> {
    let data = cadastre_report::document(input).unwrap();
    let diagram = cadastre_report::diagram_svg(input.graph);
    let document = cadastre_pdf::Document {
        template: cadastre_pdf::TEMPLATE,
        data: &data,
        diagram: &diagram,
        date: input.checklist.as_of,
        identity: &input.declaration.name,
        creator: "cadastre",
    };
    cadastre_pdf::pdf(&document).unwrap()
}
