from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema
import pytest
from msgspec.structs import replace

from dflint import __version__
from dflint.model.finding import Level, ReadError, Report
from dflint.model.migration import Runner
from dflint_reports.lint_document import schema
from dflint_reports.sarif import uri
from tests.report.reports import EMPTY, FILE, FULL, finding, render

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"
BAD_NAME = b"caf\xe9.sql".decode("utf-8", "surrogateescape")


def document(report: Report) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(render("json", report))
    return parsed


# --- json ---------------------------------------------------------------------------------------------------------


def test_the_schema_in_the_documentation_is_current() -> None:
    assert (SCHEMAS / "lint.schema.json").read_bytes() == schema(), "run docs/schemas/generate.py"


@pytest.mark.parametrize("report", [FULL, EMPTY], ids=["full", "empty"])
def test_json_obeys_its_schema(report: Report) -> None:
    checked = json.loads(schema())
    jsonschema.Draft202012Validator.check_schema(checked)
    jsonschema.Draft202012Validator(checked).validate(document(report))


def test_the_schema_refuses_a_wrong_document() -> None:
    wrong = document(FULL)
    wrong["findings"][0]["line"] = 0
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(json.loads(schema())).validate(wrong)


def test_json_says_what_the_interface_promises() -> None:
    assert document(FULL) == {
        "schema_version": 1,
        "catalog": None,
        "dflint": __version__,
        "pg_version": {"used": 18, "assumed": True},
        "runner": {"name": "goose", "version": "3.2", "assumed": False, "reason": "+goose Up in 0001.sql"},
        "runners": [
            {
                "folder": "db/migrations",
                "name": "goose",
                "version": "3.2",
                "assumed": False,
                "reason": "+goose Up in 0001.sql",
            }
        ],
        "files": [FILE, "db/migrations/0002.sql"],
        "coverage": {
            "statements": 1000,
            "typed": 998,
            "opaque": 1,
            "rejected": 1,
            "not_analysed": [{"file": "db/migrations/0002.sql", "line": 9, "reason": "dynamic SQL"}],
        },
        "findings": document(FULL)["findings"],
        "suppressed": 2,
        "errors": [
            {
                "file": "db/migrations/0003.sql",
                "line": 7,
                "column": 2,
                "message": "a NUL byte",
                "remedy": "remove the byte",
            }
        ],
    }
    assert document(FULL)["findings"][0] == {
        "rule": "create-index-blocking",
        "hazards": ["H001"],
        "level": "error",
        "confidence": "medium",
        "basis": "static",
        "file": FILE,
        "line": 2,
        "column": 1,
        "end_line": 2,
        "end_column": 28,
        "message": "CREATE INDEX blocks writes: 100 % of them",
        "statement": 1,
        "operation": "create_index",
        "target": "table:public.a",
        "lock": "SHARE",
        "facts": ["create-index"],
        "recipes": ["create-index-concurrently"],
        "fingerprint": "00112233aabbccdd",
    }


def test_schema_version_comes_first_and_the_other_keys_are_sorted() -> None:
    def sort(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        first = ["schema_version"] if "schema_version" in keys else []
        assert keys == first + sorted(set(keys) - {"schema_version"})
        return dict(pairs)

    json.loads(render("json", FULL), object_pairs_hook=sort)


def test_findings_are_sorted_by_place_and_rule() -> None:
    findings = [finding(line=n % 7 + 1, rule=f"rule-{n % 3}", column=n % 5 + 1) for n in range(40)]
    places = [
        (f["file"], f["line"], f["column"], f["rule"])
        for f in document(replace(FULL, findings=tuple(findings)))["findings"]
    ]
    assert places == sorted(places)


def test_json_is_one_line_of_utf_8_even_for_names_that_are_not() -> None:
    runner = Runner("psql", assumed=True, reason=BAD_NAME)
    report = replace(FULL, files=(BAD_NAME,), findings=(finding(file=BAD_NAME),), runners=((BAD_NAME, runner),))
    text = render("json", report)
    assert text.count("\n") == 1
    assert json.loads(text.encode())["files"] == ["caf\ufffd.sql"]


# --- sarif --------------------------------------------------------------------------------------------------------


def sarif(report: Report) -> dict[str, Any]:
    log = json.loads(render("sarif", report))
    assert log["version"] == "2.1.0"
    [run] = log["runs"]
    assert isinstance(run, dict)
    return run


def test_sarif_results_name_their_rules_and_places() -> None:
    run = sarif(FULL)
    assert run["columnKind"] == "unicodeCodePoints"
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["create-index-blocking", "drop-table", "short-lock"]
    assert rules[0]["shortDescription"]["text"] == "CREATE INDEX blocks writes"
    assert rules[0]["properties"]["tags"] == ["H001", "locks"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    assert [result["level"] for result in run["results"]] == ["error", "warning", "note"]
    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert place["region"] == {"startLine": 2, "startColumn": 1, "endLine": 2, "endColumn": 28}
    assert place["artifactLocation"]["uri"] == "db/migrations/0001%20gr%C3%B6%C3%9Fe%2C50%25.sql"
    assert run["results"][0]["partialFingerprints"] == {"dflint/v1": "00112233aabbccdd"}


def test_sarif_tells_what_was_not_read() -> None:
    [invocation] = sarif(FULL)["invocations"]
    assert invocation["executionSuccessful"] is False
    [note] = invocation["toolExecutionNotifications"]
    assert note["message"]["text"] == "a NUL byte (remove the byte)"
    assert sarif(EMPTY)["invocations"][0]["executionSuccessful"] is True


@pytest.mark.parametrize("path", ["a b.sql", "c:d.sql", "a#b?.sql", "100%.sql", "ä/ß.sql", "../x.sql"])
def test_uris_are_relative_references_that_lead_back(path: str) -> None:
    assert unquote(uri(path)) == path
    assert re.fullmatch(r"[A-Za-z0-9._~/%-]+", uri(path))


def test_other_uris() -> None:
    assert uri("/srv/a b.sql") == "file:///srv/a%20b.sql"
    assert uri(BAD_NAME) == "caf%E9.sql"


def test_sarif_keeps_the_worst_where_there_are_too_many() -> None:
    findings = tuple(finding("info" if n % 2 else "error", line=n + 1) for n in range(25_010))
    results = sarif(replace(FULL, findings=findings))["results"]
    assert len(results) == 25_000
    assert sum(result["level"] == "error" for result in results) == 12_505


# --- github -------------------------------------------------------------------------------------------------------


def test_github_annotations_are_escaped() -> None:
    lines = render("github", FULL).splitlines()
    assert lines[0] == (
        "::error file=db/migrations/0003.sql,line=7,col=2,title=dflint cannot read this::a NUL byte (remove the byte)"
    )
    assert lines[1] == (
        "::error file=db/migrations/0001 größe%2C50%25.sql,line=2,col=1,endLine=2,endColumn=28,"
        "title=dflint create-index-blocking::CREATE INDEX blocks writes: 100 %25 of them"
    )
    assert (
        lines[3]
        == f"::notice file={FILE.replace('%', '%25').replace(',', '%2C')},line=5,endLine=6,title=dflint short-lock::short"
    )
    assert lines[4].startswith("::notice title=dflint::3 findings in 1 file")


def test_github_gets_the_worst_ten_of_each_level_and_is_told_of_the_others() -> None:
    levels: tuple[Level, ...] = ("info", "warning", "error")
    findings = tuple(finding(levels[n % 3], line=n + 1) for n in range(90))
    errors = tuple(ReadError(None, None, None, f"error {n}", None) for n in range(3))
    lines = render("github", replace(FULL, findings=findings, errors=errors)).splitlines()
    kinds = [line.split(" ")[0] for line in lines]
    assert kinds == ["::error"] * 10 + ["::warning"] * 10 + ["::notice"] * 10
    assert "64 more than GitHub shows" in lines[-1]


def test_github_prefers_what_is_certain() -> None:
    findings = [finding(confidence="low", line=n + 1) for n in range(20)] + [finding(confidence="high", line=99)]
    lines = render("github", replace(EMPTY, findings=tuple(findings))).splitlines()
    assert "line=99," in lines[0]
