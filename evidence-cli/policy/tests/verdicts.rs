//! The verdict rules, over policies of a few lines: nothing passes without proof.

#![expect(clippy::unwrap_used, reason = "a failing helper fails the test that called it")]

use std::collections::{BTreeMap, BTreeSet};

use cadastre_model::access::Access;
use cadastre_model::checklist::{Checklist, ControlResult, Verdict};
use cadastre_model::coverage::{Coverage, Question};
use cadastre_model::declaration::Declaration;
use cadastre_model::evidence::Manifest;
use cadastre_model::graph::BoundaryGraph;
use cadastre_model::inventory::{Inventory, Unreadable};
use cadastre_model::reach::Reachability;
use cadastre_model::{Outcome, RecordId, Scope, Timestamp};
use cadastre_policy::{PolicyInput, PolicySet, Waiver, finding_hash};

const DECLARATION: &str = "schema: cadastre/boundary/v1
name: payments
operating-model: self-managed
architecture: shared-storage
accounts:
  - {id: '111122223333', provider: aws, purpose: data-plane}
regions: [eu-central-1, eu-west-1]
";

const AS_OF: &str = "2026-11-21T12:00:00Z";

/// Evidence, declaration and policy of one case; the default one passes.
struct Case {
    declaration: String,
    body: String,
    requires: &'static str,
    outcome: Outcome,
    oldest: &'static str,
    complete: bool,
    asked_everywhere: bool,
    thing_outcome: Outcome,
    unreadable: Vec<Unreadable>,
    waivers: Vec<Waiver>,
}

impl Default for Case {
    fn default() -> Self {
        Self {
            declaration: DECLARATION.to_owned(),
            body: "subjects contains result if result := {\"subject\": \"key-1\", \"evidence\": [\"list\", \"policy\"]}".to_owned(),
            requires: r#"["kms:ListKeys", "kms:GetKeyPolicy"]"#,
            outcome: Outcome::Observed,
            oldest: "2026-11-21T11:00:00Z",
            complete: true,
            asked_everywhere: true,
            thing_outcome: Outcome::Observed,
            unreadable: Vec::new(),
            waivers: Vec::new(),
        }
    }
}

fn id(text: &str) -> RecordId {
    serde_json::from_value(serde_json::Value::from(text)).unwrap()
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

impl Case {
    fn coverage(&self) -> Coverage {
        let question = |operation: &str, scope: Scope, subject: &str, outcome, record: &str| Question {
            operation: operation.to_owned(),
            scope,
            subject: subject.to_owned(),
            outcome,
            oldest: time(self.oldest),
            problem: (outcome != Outcome::Observed).then(|| "AccessDenied".to_owned()),
            records: vec![id(record)],
        };
        let mut lists = vec![question(
            "kms:ListKeys",
            Scope::region("111122223333", "eu-central-1"),
            "111122223333/eu-central-1",
            self.outcome,
            "list",
        )];
        if self.asked_everywhere {
            lists.push(question(
                "kms:ListKeys",
                Scope::region("111122223333", "eu-west-1"),
                "111122223333/eu-west-1",
                Outcome::Observed,
                "list-west",
            ));
        }
        let home = || Scope::region("111122223333", "eu-central-1");
        let policies = vec![
            question("kms:GetKeyPolicy", home(), "key-1", self.thing_outcome, "policy"),
            question("kms:GetKeyPolicy", home(), "key-2", Outcome::Denied, "policy-2"),
        ];
        let tags = vec![question("kms:ListResourceTags", home(), "key-1", Outcome::Denied, "tags")];
        Coverage {
            questions: BTreeMap::from([
                ("kms:ListKeys".to_owned(), lists),
                ("kms:GetKeyPolicy".to_owned(), policies),
                ("kms:ListResourceTags".to_owned(), tags),
            ]),
        }
    }

    fn checklist(&self) -> Checklist {
        let policy = format!(
            "# METADATA\n# scope: package\n# title: T\n# description: D\n# custom:\n#   id: KEY-99\n#   area: key-authority\n#   pass: it is fine\n#   red_flag: r\n#   requires: {}\n#   fix: mend it\npackage cadastre.controls.key_99\n\nimport rego.v1\n\n{}\n",
            self.requires, self.body
        );
        let set = PolicySet::only(vec![("key_99.rego".to_owned(), policy)]).unwrap();
        let declaration = Declaration::parse(&self.declaration, "boundary.yaml").unwrap();
        let inventory = Inventory { unreadable: self.unreadable.clone(), ..Inventory::default() };
        let coverage = self.coverage();
        let manifest = Manifest {
            schema: "cadastre/evidence/v1".to_owned(),
            tool_version: "0".to_owned(),
            started_at: time("2026-11-21T10:59:00Z"),
            finished_at: time(AS_OF),
            complete: self.complete,
            callers: BTreeSet::new(),
            outcomes: BTreeMap::new(),
            files: BTreeMap::new(),
            merkle_root: "0".repeat(64),
        };
        let input = PolicyInput {
            as_of: time(AS_OF),
            declaration: &declaration,
            inventory: &inventory,
            access: &Access::default(),
            reachability: &Reachability::default(),
            graph: &BoundaryGraph::default(),
            usage: &cadastre_model::usage::UsageReport::default(),
            cost: None,
            coverage: &coverage,
            evidence: &manifest,
        };
        set.evaluate(&input, &self.waivers, "0").unwrap().checklist
    }

    fn control(&self) -> ControlResult {
        self.checklist().controls.remove(0)
    }
}

#[track_caller]
fn check(case: &Case, verdict: Verdict, message: &str) {
    let control = case.control();
    assert_eq!(control.verdict, verdict, "{:#?}", control.findings);
    assert!(
        control
            .findings
            .iter()
            .any(|finding| finding.verdict == verdict && finding.message.contains(message)),
        "{:#?}",
        control.findings
    );
}

fn examined(evidence: &str) -> String {
    format!("subjects contains result if result := {{\"subject\": \"key-1\", \"evidence\": [{evidence}]}}")
}

fn red(evidence: &str) -> String {
    format!(
        "findings contains result if result := {{\"subject\": \"key-1\", \"verdict\": \"red-flag\", \"message\": \"bad\", \"evidence\": [{evidence}]}}"
    )
}

#[test]
fn a_subject_passes_on_fresh_and_complete_answers() {
    check(&Case::default(), Verdict::Pass, "it is fine");
}

const WITH_AZURE: &str = "accounts:
  - {id: 0F1E2D3C-0000-4000-8000-00000000000A, provider: azure, purpose: data-plane}
";

#[test]
fn a_control_that_asks_nothing_of_azure_does_not_pass_a_boundary_with_a_subscription() {
    let declaration = DECLARATION.replace("accounts:\n", WITH_AZURE);
    check(
        &Case { declaration: declaration.clone(), ..Case::default() },
        Verdict::Unproven,
        "kms:ListKeys on 0f1e2d3c-0000-4000-8000-00000000000a says nothing of an Azure subscription",
    );
    let requires = r#"["kms:ListKeys", "kms:GetKeyPolicy", "Microsoft.KeyVault/vaults/read"]"#;
    check(
        &Case { declaration, requires, ..Case::default() },
        Verdict::Unproven,
        "Microsoft.KeyVault/vaults/read on 0f1e2d3c-0000-4000-8000-00000000000a was not asked",
    );
    check(&Case { requires, ..Case::default() }, Verdict::Pass, "it is fine");
}

#[test]
fn a_subject_without_an_existing_record_does_not_pass() {
    check(&Case { body: examined(""), ..Case::default() }, Verdict::Unproven, "no record shows it");
    check(&Case { body: examined("\"nowhere\""), ..Case::default() }, Verdict::Unproven, "does not exist");
}

#[test]
fn a_required_list_without_an_answer_stops_every_pass() {
    for (outcome, told) in [
        (Outcome::Denied, "kms:ListKeys on 111122223333/eu-central-1 was denied (AccessDenied)"),
        (Outcome::Failed, "failed"),
        (Outcome::Truncated, "was cut short"),
    ] {
        check(&Case { outcome, ..Case::default() }, Verdict::Unproven, told);
    }
}

#[test]
fn a_required_list_that_was_not_asked_in_a_declared_region_stops_every_pass() {
    let case = Case { asked_everywhere: false, ..Case::default() };
    check(&case, Verdict::Unproven, "kms:ListKeys on 111122223333/eu-west-1 was not asked");
}

#[test]
fn an_absent_answer_is_an_answer() {
    check(&Case { thing_outcome: Outcome::Absent, ..Case::default() }, Verdict::Pass, "");
}

#[test]
fn old_answers_and_answers_from_the_future_prove_nothing() {
    check(
        &Case { oldest: "2026-11-20T11:59:59Z", ..Case::default() },
        Verdict::Unproven,
        "longer ago than the 86400 s",
    );
    check(&Case { oldest: "2026-11-20T12:00:00Z", ..Case::default() }, Verdict::Pass, "");
    check(
        &Case { oldest: "2026-11-21T12:00:01Z", ..Case::default() },
        Verdict::Unproven,
        "after the time judged for",
    );
}

#[test]
fn a_question_about_one_thing_stops_that_thing_alone() {
    check(
        &Case { thing_outcome: Outcome::Denied, ..Case::default() },
        Verdict::Unproven,
        "kms:GetKeyPolicy on key-1 was denied",
    );
    // The default case has a denied question about key-2, and key-1 passes.
    let body = examined("\"list\"").replace("key-1", "key-2");
    check(&Case { body, ..Case::default() }, Verdict::Unproven, "kms:GetKeyPolicy on key-2 was denied");
}

#[test]
fn a_cited_record_of_an_operation_that_is_not_required_neither_proves_nor_spoils() {
    check(&Case { body: examined("\"list\", \"tags\""), ..Case::default() }, Verdict::Pass, "");
    check(&Case { body: examined("\"tags\""), ..Case::default() }, Verdict::Unproven, "no record shows it");
}

#[test]
fn an_unreadable_answer_is_no_answer() {
    let unreadable = |operation: &str, subject: &str, record: &str| Unreadable {
        record: id(record),
        operation: operation.to_owned(),
        subject: subject.to_owned(),
        pointer: "/response/Keys".to_owned(),
        problem: "a list".to_owned(),
    };
    let list = Case {
        unreadable: vec![unreadable("kms:ListKeys", "111122223333/eu-west-1", "list-west")],
        ..Case::default()
    };
    check(&list, Verdict::Unproven, "could not be read at `/response/Keys`: expected a list");
    let policy =
        Case { unreadable: vec![unreadable("kms:GetKeyPolicy", "key-1", "policy")], ..Case::default() };
    check(&policy, Verdict::Unproven, "could not be read");
}

#[test]
fn nothing_passes_on_an_interrupted_scan() {
    check(&Case { complete: false, ..Case::default() }, Verdict::Unproven, "the scan was interrupted");
}

#[test]
fn red_flags_stand_whatever_was_not_asked() {
    let case =
        Case { body: red("\"list-west\""), outcome: Outcome::Denied, complete: false, ..Case::default() };
    check(&case, Verdict::RedFlag, "bad");
    assert_eq!(case.control().findings[0].fix, ["mend it"]);
}

#[test]
fn a_red_flag_that_no_record_shows_is_unproven() {
    check(&Case { body: red(""), ..Case::default() }, Verdict::Unproven, "bad (no record shows it)");
}

#[test]
fn a_finding_takes_the_place_of_its_subjects_pass() {
    let body = format!("{}\n\n{}", examined("\"list\""), red("\"list\""));
    let control = Case { body, ..Case::default() }.control();
    assert_eq!(control.findings.len(), 1);
    assert_eq!(control.verdict, Verdict::RedFlag);
}

#[test]
fn a_policy_cannot_hand_out_a_pass_by_itself() {
    let body = "findings contains result if result := {\"subject\": \"s\", \"verdict\": \"pass\", \"message\": \"m\"}";
    check(&Case { body: body.to_owned(), ..Case::default() }, Verdict::Unproven, "could not be evaluated");
}

#[test]
fn finding_nothing_proves_nothing() {
    let body = "subjects contains result if {\n\tsome result in []\n}".to_owned();
    check(&Case { body: body.clone(), ..Case::default() }, Verdict::Unproven, "nothing was found to examine");
    let denied = Case { body, outcome: Outcome::Denied, ..Case::default() };
    check(&denied, Verdict::Unproven, "was denied");
    assert_eq!(denied.control().findings[0].subject, "111122223333/eu-central-1");
}

#[test]
fn nothing_of_the_kind_is_not_applicable_only_when_that_is_proven() {
    let body = "applicable := false".to_owned();
    check(&Case { body: body.clone(), ..Case::default() }, Verdict::NotApplicable, "nothing of the kind");
    check(&Case { body, outcome: Outcome::Denied, ..Case::default() }, Verdict::Unproven, "was denied");
}

#[test]
fn what_is_declared_not_applicable_is_reopened_by_a_red_flag() {
    let declaration = format!("{DECLARATION}not-applicable:\n  - {{control: KEY-99, reason: no keys}}\n");
    check(&Case { declaration: declaration.clone(), ..Case::default() }, Verdict::NotApplicable, "no keys");
    let denied = Case { declaration: declaration.clone(), outcome: Outcome::Denied, ..Case::default() };
    check(&denied, Verdict::NotApplicable, "no keys");
    let contradicted = Case { declaration, body: red("\"list\""), ..Case::default() };
    check(&contradicted, Verdict::RedFlag, "bad (declared not applicable: no keys)");
}

#[test]
fn a_policy_that_fails_is_unproven_and_reported() {
    let body = "subjects contains result if {\n\tsome text in [\"x\"]\n\tn := to_number(text)\n\tresult := {\"subject\": sprintf(\"%d\", [n]), \"evidence\": [\"list\"]}\n}";
    check(
        &Case { body: body.to_owned(), ..Case::default() },
        Verdict::Unproven,
        "the policy could not be evaluated",
    );
}

#[test]
fn waivers_hold_for_exactly_what_was_accepted() {
    let mut case = Case { body: red("\"list\""), ..Case::default() };
    let accepts = finding_hash("KEY-99", &case.control().findings[0]);
    case.waivers = vec![Waiver {
        control: "KEY-99".to_owned(),
        subject: "key-1".to_owned(),
        reason: "migration".to_owned(),
        approver: "CISO".to_owned(),
        expires: time("2026-12-01T00:00:00Z"),
        accepts,
    }];
    check(&case, Verdict::Waived, "bad (waived by CISO until 2026-12-01T00:00:00Z: migration)");
    case.body = case.body.replace("bad", "worse");
    check(&case, Verdict::RedFlag, "worse (reopened: what CISO accepted has changed)");
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let bytes = || serde_json::to_vec(&Case::default().checklist()).unwrap();
    assert_eq!(bytes(), bytes());
}

#[test]
fn the_summary_counts_controls_and_names_what_is_not_examined() {
    let checklist = Case::default().checklist();
    assert_eq!(checklist.summary.get("pass"), Some(&1));
    assert_eq!(checklist.summary.len(), 5);
    assert_eq!(checklist.not_examined.len(), 76);
}
