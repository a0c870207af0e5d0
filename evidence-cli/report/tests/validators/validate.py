"""Holds an export against a validator that others wrote: `validate.py FORMAT FILE`.

ocsf      every event of the list against the JSON Schema of the OCSF class Compliance Finding
oscal     the document against compliance-trestle's model of OSCAL assessment results, references included
component the document against compliance-trestle's model of OSCAL component definitions, references included
sarif     the document against the JSON Schema of SARIF 2.1.0, at the path that is given before it
schema    a document, or every line of an .ndjson file, against a JSON Schema under docs/formats/schemas
refused   the same, where no document may fit
cyclonedx the document against the strict JSON validator of cyclonedx-python-lib, references included
"""

import json
import sys


def ocsf(path):
    import jsonschema
    from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

    events = json.load(open(path, encoding="utf-8"))
    versions = {event["metadata"]["version"] for event in events}
    assert len(versions) <= 1, versions
    for version in versions:
        schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version)).get_class_schema("compliance_finding")
        validator = jsonschema.Draft202012Validator(schema)
        for event in events:
            for error in validator.iter_errors(event):
                # Whatever belongs to no class of the schema is kept there on purpose.
                if list(error.absolute_path)[:1] != ["unmapped"]:
                    raise SystemExit(f"{error.json_path}: {error.message}")
    return len(events)


def oscal(path):
    from pathlib import Path

    from trestle.oscal.assessment_results import AssessmentResults

    document = AssessmentResults.oscal_read(Path(path))
    result = document.results[0]
    declared = {item.uuid for item in (result.local_definitions.inventory_items if result.local_definitions else [])}
    observations = {observation.uuid for observation in result.observations or []}
    risks = {risk.uuid for risk in result.risks or []}
    for observation in result.observations or []:
        for subject in observation.subjects:
            assert subject.subject_uuid in declared, subject
    for finding in result.findings or []:
        assert {o.observation_uuid for o in finding.related_observations or []} <= observations
        assert {r.risk_uuid for r in finding.related_risks or []} <= risks
    return len(observations)


def component(path):
    from pathlib import Path

    from trestle.oscal.component import ComponentDefinition

    document = ComponentDefinition.oscal_read(Path(path))
    resources = {resource.uuid for resource in (document.back_matter.resources if document.back_matter else [])}
    implementations = document.components[0].control_implementations or []
    for implementation in implementations:
        assert implementation.source.lstrip("#") in resources, implementation.source
    return sum(len(implementation.implemented_requirements) for implementation in implementations)


def cyclonedx(path):
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    text = open(path, encoding="utf-8").read()
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if error:
        raise SystemExit(repr(error))
    document = json.loads(text)
    declared, used = [], []

    def walk(value, key=None):
        if isinstance(value, dict):
            for name, inner in value.items():
                if name == "bom-ref":
                    declared.append(inner)
                elif name in ("assessor", "requirement", "target"):
                    used.append(inner)
                else:
                    walk(inner, name)
        elif isinstance(value, list):
            for inner in value:
                if isinstance(inner, str) and key in ("claims", "counterClaims", "evidence"):
                    used.append(inner)
                walk(inner, key)

    walk(document)
    assert len(declared) == len(set(declared)), "a reference is given twice"
    assert set(used) <= set(declared), set(used) - set(declared)
    return len(document["declarations"]["claims"])


def sarif(rules, path):
    import jsonschema

    rules = json.load(open(rules, encoding="utf-8"))
    validator = jsonschema.Draft7Validator(rules, format_checker=jsonschema.Draft7Validator.FORMAT_CHECKER)
    document = json.load(open(path, encoding="utf-8"))
    for error in validator.iter_errors(document):
        raise SystemExit(f"{error.json_path}: {error.message}")
    return sum(len(run["results"]) for run in document["runs"])


def read_schema(name, path):
    from pathlib import Path

    import jsonschema

    schemas = Path(__file__).resolve().parents[4] / "docs/formats/schemas"
    rules = json.loads((schemas / f"{name}.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(rules)
    text = Path(path).read_text(encoding="utf-8")
    documents = text.splitlines() if path.endswith(".ndjson") else [text]
    return jsonschema.Draft202012Validator(rules), [json.loads(document) for document in documents]


def schema(name, path):
    validator, documents = read_schema(name, path)
    for document in documents:
        for error in validator.iter_errors(document):
            raise SystemExit(f"{path}: {error.json_path}: {error.message}")
    return len(documents)


def refused(name, path):
    validator, documents = read_schema(name, path)
    for number, document in enumerate(documents, 1):
        if validator.is_valid(document):
            raise SystemExit(f"{path}: document {number} is accepted")
    return len(documents)


if sys.argv[1] in ("schema", "refused", "sarif"):
    print({"schema": schema, "refused": refused, "sarif": sarif}[sys.argv[1]](sys.argv[2], sys.argv[3]))
    sys.exit()
print({"ocsf": ocsf, "oscal": oscal, "component": component, "cyclonedx": cyclonedx}[sys.argv[1]](sys.argv[2]))
