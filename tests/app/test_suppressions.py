"""Inline directives, on text as users write it; comments and statements come from the real parser."""

from __future__ import annotations

import re
from functools import cache

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dflint.app.located import Located
from dflint.app.suppressions import MALFORMED, UNUSED, Suppressions
from dflint.model.finding import Finding
from dflint.sql.libpg_query import COMMENT_TOKENS, LibPgQuery, load_library
from dflint.sql.spans import comments

KNOWN = frozenset({"rule-a", "rule-b", MALFORMED, UNUSED})


@cache
def library() -> LibPgQuery:
    return load_library()


def statements(text: bytes) -> list[tuple[int, int]]:
    """Where the statements begin, after their comments, and end, before their semicolons."""
    spans = []
    for raw in msgspec.json.decode(library().parse(text))["stmts"]:
        start = raw.get("stmt_location", 0)
        end = start + raw["stmt_len"] if "stmt_len" in raw else len(text)
        tokens = [token for token in library().scan(text[start:end]) if token.code not in COMMENT_TOKENS]
        spans.append((start + tokens[0].start, end))
    return spans


def located(rule: str, start: int, end: int) -> Located:
    return Located(Finding(rule, "error", "", "f", 1, 1, 1, 1), start, end)


def judged(
    text: str, *marked: str, rule: str = "rule-a", reason_required: bool = False, active: frozenset[str] | None = None
) -> tuple[list[str], list[tuple[str, str]]]:
    """What remains of findings about the marked pieces of text, and the remarks (rule, message)."""
    content = text.encode()
    findings = []
    for piece in marked:
        start = content.index(piece.encode())
        findings.append(located(rule, start, start + len(piece.encode())))
    suppressions = Suppressions(
        content,
        [(comment.start, comment.end) for comment in comments(library(), content)],
        known=KNOWN,
        active=active,
        reason_required=reason_required,
    )
    kept, count, remarks = suppressions.apply(findings, statements(content))
    assert count == len(marked) - len(kept)
    return [content[one.start : one.end].decode() for one in kept], [(r.rule, r.message) for r in remarks]


DROP = "DROP TABLE a"


@pytest.mark.parametrize(
    "text",
    [
        "-- dflint: ignore[rule-a] -- it is empty\nDROP TABLE a;\n",
        "--dflint:ignore[rule-a]\nDROP TABLE a",
        "/* dflint: ignore[rule-a] -- it is empty */\nDROP TABLE a;",
        "/* dflint: ignore[rule-a] */ DROP TABLE a;",
        "DROP TABLE a; -- dflint: ignore[rule-a] -- it is empty",
        "DROP TABLE a -- dflint: ignore[rule-a] -- it is empty\n;",
        "DROP TABLE a -- dflint: ignore[rule-a]",
        "DROP TABLE a\n-- dflint: ignore[rule-a]\n",
        "DROP TABLE /* dflint: ignore[rule-a] */ a",
        "-- dflint: ignore[rule-a]\n-- more words\n\n/* and\n more */\nDROP TABLE a;",
        "-- dflint: ignore[rule-a] -- first\r\nDROP TABLE a;\r\n",
        "SELECT 1; /* dflint: ignore[rule-a] */ DROP TABLE a;",
        "SELECT 'ä€'; -- x\nDROP TABLE a; -- dflint: ignore[rule-a] -- größer",
        "-- dflint: ignore[rule-a, rule-a]\nDROP TABLE a;\n",
    ],
)
def test_a_directive_silences_the_statement_it_touches(text: str) -> None:
    content = text.replace("DROP TABLE /* dflint: ignore[rule-a] */ a", "DROP TABLE /* dflint: ignore[rule-a] */ a")
    piece = "DROP TABLE /* dflint: ignore[rule-a] */ a" if "TABLE /*" in content else DROP
    assert judged(content, piece) == ([], [])


@pytest.mark.parametrize(
    "text",
    [
        "DROP TABLE b; -- dflint: ignore[rule-a]\nDROP TABLE a;",
        "-- dflint: ignore[rule-a]\nSELECT 1;\nDROP TABLE a;",
        "DROP TABLE a;\n-- dflint: ignore[rule-a]\nSELECT 1;",
        "DROP TABLE a;\n-- dflint: ignore[rule-a]\n",
        "DROP TABLE a; /* dflint: ignore[rule-a] */ SELECT 1;",
        "-- dflint: ignore[rule-b]\nDROP TABLE a;",
    ],
)
def test_other_statements_are_not_silenced_and_the_directive_is_unused(text: str) -> None:
    kept, remarks = judged(text, DROP)
    assert kept == [DROP]
    assert [rule for rule, _ in remarks] == [UNUSED]


def test_each_name_of_a_directive_can_be_unused() -> None:
    kept, remarks = judged("-- dflint: ignore[rule-a, rule-b] -- why\nDROP TABLE a;", DROP)
    assert kept == []
    assert remarks == [(UNUSED, "ignore[rule-b] suppresses nothing here: remove it")]


def test_a_rule_that_does_not_run_cannot_show_that_a_directive_is_unused() -> None:
    text = "-- dflint: ignore[rule-b]\nDROP TABLE a;"
    assert judged(text, DROP, active=frozenset({"rule-a"})) == ([DROP], [])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("-- dflint: ignore", "no rule is named"),
        ("-- dflint: ignore rule-a", "no rule is named"),
        ("-- dflint: ignore[]", "an empty rule name"),
        ("-- dflint: ignore[rule-a,]", "an empty rule name"),
        ("-- dflint: ignore[rule-a", "no part of a directive"),
        ("-- dflint: ignore[rule-a] it is empty", "no part of a directive"),
        ("-- dflint: ignore[rule-a] --", "the reason after -- is empty"),
        ("-- dflint: ignore[rule-aa] -- why", "no rule is called 'rule-aa' (did you mean 'rule-a'?)"),
        ("-- dflint: ignore[rule-a, zzzzzz] -- why", "no rule is called 'zzzzzz'"),
        ("-- dflint: ignroe[rule-a] -- why", "unknown directive 'ignroe[rule-a]'"),
        ("-- dflint:", "empty directive"),
        ("-- dflint: ignore[*]", "no rule is called '*'"),
        ("-- dflint: ignore[unused-suppression] -- why", "cannot be suppressed"),
        ("/* dflint: ignore rule-a */", "no rule is named"),
    ],
)
def test_a_malformed_directive_silences_nothing_and_says_why(text: str, says: str) -> None:
    kept, remarks = judged(f"{text}\nDROP TABLE a;", DROP)
    assert kept == [DROP]
    [(rule, message)] = remarks
    assert rule == MALFORMED
    assert says in message
    assert message.endswith("it suppresses nothing")


def test_the_reason_can_be_required() -> None:
    kept, [(rule, message)] = judged("-- dflint: ignore[rule-a]\nDROP TABLE a;", DROP, reason_required=True)
    assert (kept, rule) == ([DROP], MALFORMED)
    assert message.startswith("the reason is missing")
    assert judged("-- dflint: ignore[rule-a] -- empty\nDROP TABLE a;", DROP, reason_required=True) == ([], [])


@pytest.mark.parametrize(
    "text",
    [
        "SELECT '-- dflint: ignore[rule-a]'; DROP TABLE a;",
        "SELECT $$\n-- dflint: ignore[rule-a]\n$$;\nDROP TABLE a;",
        "SELECT E'\\'-- dflint: ignore[nonsense';\nDROP TABLE a;",
        '-- see the manual about "dflint: ignore[rule-a]"\nDROP TABLE a;',
    ],
)
def test_text_that_is_no_comment_of_its_own_is_no_directive(text: str) -> None:
    assert judged(text, DROP) == ([DROP], [])


ALTER = """ALTER TABLE t
  ADD COLUMN one serial,{one}
  {before}ADD COLUMN two
    serial{inside},{two}
  ADD COLUMN three serial{three};{after}
"""
ONE, TWO, THREE = "ADD COLUMN one serial", "ADD COLUMN two\n    serial", "ADD COLUMN three serial"
MARK = "-- dflint: ignore[rule-a] -- why"


@pytest.mark.parametrize(
    ("place", "mark", "silenced"),
    [
        ("one", f" {MARK}", ONE),
        ("before", f"{MARK}\n  ", TWO),
        ("before", f"{MARK}\n  -- more\n\n  ", TWO),
        ("before", "/* dflint: ignore[rule-a] */ ", TWO),
        ("inside", " /* dflint: ignore[rule-a] */ ", TWO),
        ("two", f" {MARK}", TWO),
        ("three", f" {MARK}\n", THREE),
        ("after", f" {MARK}", THREE),
    ],
)
def test_inside_a_statement_of_several_lines_only_the_clause_is_silenced(place: str, mark: str, silenced: str) -> None:
    places = dict.fromkeys(("one", "before", "inside", "two", "three", "after"), "") | {place: mark}
    text = ALTER.format(**places)
    two = TWO
    kept, remarks = judged(text, ONE, two, THREE)
    assert kept == [piece for piece in (ONE, TWO, THREE) if piece != silenced]
    assert remarks == []


@pytest.mark.parametrize(
    "text",
    [
        f"{MARK}\nALTER TABLE t\n  {ONE},\n  {THREE};",
        f"ALTER TABLE t {MARK}\n  {ONE},\n  {THREE};",
    ],
)
def test_before_a_statement_and_behind_its_head_all_clauses_are_silenced(text: str) -> None:
    assert judged(text, ONE, THREE) == ([], [])


@pytest.mark.parametrize(
    "text",
    [
        "CREATE TABLE t ({mark}\n  one serial,\n  two serial\n);",
        "CREATE TABLE t (\n  one serial, -- it's the key, see (1)\n  two serial\n);{mark}",
        "CREATE TABLE t (\n  one serial,\n  two serial\n){mark}\n;",
    ],
)
def test_round_a_list_the_whole_statement_is_silenced(text: str) -> None:
    assert judged(text.format(mark=f" {MARK}"), "one serial", "two serial") == ([], [])


def test_a_clause_on_the_first_line_does_not_speak_for_the_others() -> None:
    text = f"ALTER TABLE t {ONE}, {MARK}\n  {THREE};"
    assert judged(text, ONE, THREE) == ([THREE], [])
    text = f"ALTER TABLE t {ONE} {MARK}\n  , {THREE};"
    assert judged(text, ONE, THREE) == ([THREE], [])


def test_the_last_clause_does_not_speak_for_the_others() -> None:
    text = f"ALTER TABLE t\n  {ONE},\n  DROP COLUMN z; {MARK}"
    kept, remarks = judged(text, ONE)
    assert kept == [ONE]
    assert [rule for rule, _ in remarks] == [UNUSED]


def test_a_finding_about_the_whole_statement_can_be_silenced_on_each_of_its_lines() -> None:
    index = "CREATE INDEX i\n  ON t {}\n  (a)"
    whole = index.format(MARK)
    assert judged(f"{whole};", whole) == ([], [])


@given(st.binary(max_size=60))
def test_any_directive_is_read_without_an_exception(noise: bytes) -> None:
    noise = re.sub(rb"[\x00\n\r]", b" ", noise)
    text = b"-- dflint:" + noise + b"\nDROP TABLE a;\n/* dflint: " + noise.replace(b"*", b"") + b"*/"
    content = text.decode("utf-8", "replace").encode()
    spans = [(m.start(), m.end()) for m in re.finditer(rb"--[^\n]*|/\*.*?\*/", content)]
    start = content.index(b"DROP TABLE a;")
    found = [located("rule-a", start, start + 12)]
    kept, count, remarks = Suppressions(content, spans, known=KNOWN).apply(found, [(start, start + 12)])
    assert len(kept) + count == 1
    assert remarks or count
