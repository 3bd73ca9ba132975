"""The trace file: its schema, and how lint and effects read it."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dflint.app.recorded import recorded
from dflint.model.errors import InputError
from dflint.model.observation import SqlError
from dflint.model.trace import Outcome, Role, Trace, TracedStatement, TracedTransaction, TransactionKind
from dflint.trace.trace_file import dump, is_trace, load, schema
from tests.cli.running import ROOT, spawn

SCHEMA = ROOT / "docs" / "schemas" / "trace.schema.json"


def statement(sql: str, role: Role = "migration", *operations: str, failed: bool = False) -> TracedStatement:
    kinds = operations or (sql.split(maxsplit=1)[0].lower(),)
    return TracedStatement(sql=sql, role=role, operations=kinds, error=SqlError("42P01", "no") if failed else None)


def transaction(
    kind: TransactionKind, *statements: TracedStatement, outcome: Outcome = "committed", label: str | None = None
) -> TracedTransaction:
    return TracedTransaction(id=1, kind=kind, statements=statements, outcome=outcome, label=label)


def traced(*transactions: TracedTransaction) -> Trace:
    return Trace(pg_version="18.4", command=("x",), exit_status=0, transactions=transactions)


BEGIN, COMMIT = statement("BEGIN", "control"), statement("COMMIT", "control")

EXAMPLE = traced(
    transaction(
        "explicit", BEGIN, statement("CREATE TABLE t (i int)", "migration", "create_table"), COMMIT, label="one"
    ),
    transaction("autocommit", statement("SELECT version()", "noise", "select")),
    transaction("autocommit", statement("CREATE INDEX x ON missing (i)", failed=True), outcome="failed"),
    transaction(
        "implicit",
        statement('ALTER TABLE t\n  ALTER i TYPE bigint, ADD "ü\\" int', "migration", "alter_column_type"),
        statement("CREATE INDEX i ON t (i)", "migration", "create_index"),
        label="two",
    ),
)


def test_the_schema_in_the_documentation_is_current() -> None:
    assert SCHEMA.read_bytes() == schema(), "run docs/schemas/generate.py"


def test_a_trace_obeys_the_schema() -> None:
    checked = json.loads(schema())
    jsonschema.Draft202012Validator.check_schema(checked)
    validator = jsonschema.Draft202012Validator(checked)
    validator.validate(json.loads(dump(EXAMPLE)))
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(json.loads(dump(EXAMPLE).replace(b'"explicit"', b'"quite explicit"')))


def test_the_first_keys_and_the_order() -> None:
    keys = list(json.loads(dump(EXAMPLE)))
    assert keys[:2] == ["format", "schema_version"]
    assert keys[2:] == sorted(keys[2:])
    assert is_trace(dump(EXAMPLE))
    assert load(dump(EXAMPLE), "x").transactions == EXAMPLE.transactions


@pytest.mark.parametrize("content", [b"", b"{}", b'{"format":"dflint-snapshot"}', b"SELECT 1", b'["format"]'])
def test_what_is_no_trace(content: bytes) -> None:
    assert not is_trace(content)


def test_a_later_version_is_refused() -> None:
    later = dump(EXAMPLE).replace(b'"schema_version": 1', b'"schema_version": 2')
    assert is_trace(later)
    with pytest.raises(InputError, match="not a trace that this dflint can read"):
        load(later, "x")


def test_what_had_no_effect_is_left_out_and_the_rest_keeps_its_transactions() -> None:
    text, cut = recorded("x", dump(EXAMPLE))
    parts = [text.text[section.span.start : section.span.end].decode().split("\n;\n") for section in cut.sections]
    assert parts == [
        ["BEGIN", "CREATE TABLE t (i int)", "COMMIT", ""],
        ['ALTER TABLE t\n  ALTER i TYPE bigint, ADD "ü\\" int', "CREATE INDEX i ON t (i)", ""],
    ]
    assert [(section.wire, section.begins_change) for section in cut.sections] == [
        ("statement", True),
        ("string", True),
    ]


def test_a_transaction_that_was_not_committed_is_rolled_back() -> None:
    made = statement("CREATE TABLE t (i int)", "migration", "create_table")
    broken = statement("CREATE TABLE t (i int)", "migration", "create_table", failed=True)
    for lost in (
        transaction("explicit", BEGIN, made, broken, COMMIT, outcome="rolled_back"),
        transaction("explicit", BEGIN, made, outcome="open"),
        transaction("explicit", BEGIN, made, statement("COMMIT", "control", failed=True), outcome="failed"),
    ):
        text, _ = recorded("x", dump(traced(lost)))
        assert text.text.decode().split("\n;\n") == ["BEGIN", "CREATE TABLE t (i int)", "ROLLBACK", ""]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1), min_size=1))
def test_places_are_those_in_the_file(texts: list[str]) -> None:
    trace = traced(*(transaction("autocommit", statement("x" + text, "migration", "x")) for text in texts))
    for content in (
        dump(trace),
        msgspec.json.format(dump(trace), indent=0),
        json.dumps(json.loads(dump(trace))).encode(),
    ):
        text, cut = recorded("x", content)
        lines = content.decode().split("\n")
        for section, expected in zip(cut.sections, texts, strict=True):
            offset = section.span.start
            for character in "x" + expected:
                line, column = text.position(offset)
                escaped = {json.dumps(character)[1:-1], json.dumps(character, ensure_ascii=False)[1:-1]}
                shown = lines[line - 1][column - 1 :]
                assert shown.startswith((*escaped, *(each.upper().replace("\\U", "\\u") for each in escaped)))
                offset += len(character.encode())


def test_lint_shows_the_statement(tmp_path: Path) -> None:
    (tmp_path / "trace.json").write_bytes(dump(EXAMPLE))
    ran = spawn("lint", "--format", "full", "--no-cache", "trace.json", cwd=tmp_path)
    assert ran.status == 1, ran.stderr
    assert "ALTER TABLE t\\n  ALTER i TYPE bigint" in ran.stdout
    assert "create-index-blocking" in ran.stdout
    again = spawn("lint", "--format", "full", "trace.json", cwd=tmp_path, XDG_CACHE_HOME=str(tmp_path))
    (tmp_path / "trace.json").write_bytes(b"\n\n" + dump(EXAMPLE))
    moved = spawn("lint", "--format", "full", "trace.json", cwd=tmp_path, XDG_CACHE_HOME=str(tmp_path))
    assert again.stdout == ran.stdout != moved.stdout


def test_a_broken_trace_is_an_error_with_a_place(tmp_path: Path) -> None:
    (tmp_path / "trace.json").write_bytes(dump(EXAMPLE)[:-20])
    for verb in ("lint", "effects"):
        ran = spawn(verb, "trace.json", cwd=tmp_path)
        assert ran.status == 2
        assert "trace.json: not a trace that this dflint can read" in ran.stderr
