from __future__ import annotations

import pytest

from dflint.app.fingerprints import Fingerprints, normalised


def first(statement: bytes, rule: str = "rule-a", migration: str = "0001_a.sql") -> str:
    return Fingerprints(migration).of(rule, statement)


def test_a_fingerprint_is_the_same_for_ever() -> None:
    assert first(b"DROP TABLE a") == "f59188c72c70c488"


def test_spacing_comments_and_place_do_not_matter() -> None:
    assert first(b"DROP TABLE a") == first(b"DROP  TABLE\r\n\ta ;") == first(b"DROP /* x */ TABLE a -- y")


@pytest.mark.parametrize(
    "other",
    [first(b"DROP TABLE b"), first(b"DROP TABLE a", rule="rule-b"), first(b"DROP TABLE a", migration="0002_a.sql")],
)
def test_rule_migration_and_statement_matter(other: str) -> None:
    assert other != first(b"DROP TABLE a")


def test_the_same_again_is_another_finding() -> None:
    fingerprints = Fingerprints("0001_a.sql")
    made = [fingerprints.of("rule-a", b"DROP TABLE a") for _ in range(3)]
    assert len(set(made)) == 3
    assert made[0] == first(b"DROP TABLE a")


@pytest.mark.parametrize(
    "text", [b"SELECT '-- no comment'", b'SELECT "/* none */"', b"SELECT $$ -- none $$", b"SELECT $x$ /* none */ $x$"]
)
def test_what_is_in_quotes_is_no_comment(text: bytes) -> None:
    assert normalised(text) == text
