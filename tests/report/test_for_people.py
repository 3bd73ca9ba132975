from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dflint.model.finding import Coverage, Report
from dflint.model.migration import Runner
from dflint_reports.frame import code_frame
from dflint_reports.wording import coverage_line, summary
from tests.report.reports import EMPTY, FILE, FULL, TEXT, finding, render

FULL_TEXT = f"""\
{FILE}:2:1
error create-index-blocking [H001] (medium confidence)
  CREATE INDEX blocks writes: 100 % of them
   |
 2 | CREATE INDEX a_idx ON a (b);
   | ^^^^^^^^^^^^^^^^^^^^^^^^^^^
   |
  lock  SHARE on table:public.a
  why   The build reads the whole table.
  fix   CREATE INDEX CONCURRENTLY a_idx ON a (…);
        Outside a transaction.

{FILE}:3:2
warning drop-table
  data is lost
   |
 3 |     DROP TABLE "ä";
   |     ^^^^^^^^^^^^^^
   |

{FILE}:5:3
info short-lock
  short
   |
 5 |   ADD COLUMN x int,
   |   ^^^^^^^^^^^^^^^^^
 6 |   ADD y int;
   |   ^^^^^^^^^
   |

not analysed:
  db/migrations/0002.sql:9: dynamic SQL

3 findings in 1 file: 1 error, 1 warning, 1 info; 2 suppressed; 1 error stopped dflint from reading everything
998 of 1,000 statements in 2 files (3 earlier files replayed) understood (99.8 %), 1 opaque, 1 rejected; \
runner goose 3.2: +goose Up in 0001.sql; PostgreSQL 18 (assumed)
"""


def test_full() -> None:
    assert render("full", FULL) == FULL_TEXT


def test_colours_add_nothing_but_colours() -> None:
    coloured = render("full", FULL, color=True)
    assert "\x1b[1;31merror\x1b[0m" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == FULL_TEXT


def test_a_rule_explains_itself_once() -> None:
    text = render("full", replace(FULL, findings=FULL.findings[:1] * 3))
    assert text.count("  why   ") == 1
    assert text.count("  fix   ") == 3


def test_concise() -> None:
    assert render("concise", FULL).splitlines() == [
        f"{FILE}:2:1: error create-index-blocking CREATE INDEX blocks writes: 100 % of them",
        f"{FILE}:3:2: warning drop-table data is lost",
        f"{FILE}:5:3: info short-lock short",
        summary(FULL),
        coverage_line(FULL),
    ]


@pytest.mark.parametrize("name", ["full", "concise"])
def test_quiet_leaves_out_the_summary(name: str) -> None:
    assert coverage_line(FULL) not in render(name, FULL, quiet=True)
    assert render(name, EMPTY, quiet=True) == ""


def test_nothing_found_is_not_called_safe() -> None:
    assert summary(EMPTY) == "no findings"
    assert coverage_line(EMPTY) == "no statements in 0 files; no runner; PostgreSQL 16"


@pytest.mark.parametrize(
    ("typed", "total", "share"),
    [
        (3, 3, "3 statements in 0 files understood (100 %)"),
        (9_999, 10_000, "(99.9 %)"),
        (0, 7, "(0 %)"),
        (1, 3, "(33.3 %)"),
    ],
)
def test_the_share_is_never_rounded_up(typed: int, total: int, share: str) -> None:
    report = replace(EMPTY, coverage=Coverage(total, typed, total - typed, 0))
    assert share in coverage_line(report)


def test_several_runners_are_counted() -> None:
    runners = (("a", Runner("goose")), ("b", Runner("psql", assumed=True)), ("c", Runner("goose")))
    assert "runners goose in 2 folders, psql (assumed)" in coverage_line(replace(EMPTY, runners=runners))


@pytest.mark.parametrize("name", ["full", "concise", "github"])
def test_no_control_character_of_a_migration_reaches_the_output(name: str) -> None:
    evil = "x\x1b]0;title\x07\r\n::error::forged\u202e"
    # GitHub has to find the file by its very name.
    file = FILE if name == "github" else f"{evil}.sql"
    text = render(
        name, replace(FULL, findings=(finding(message=evil, file=file, target=evil, lock="SHARE", fix=evil),))
    )
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", text)
    assert "\n::error::forged" not in text


def plain(text: str, _style: str) -> str:
    return text


def test_a_long_line_is_cut_round_the_place() -> None:
    line = "SELECT " + ", ".join(f"column_{n}" for n in range(400)) + ";"
    column = line.index("column_300") + 1
    shown = code_frame(finding(line=1, column=column, end_line=1, end_column=column + 10), line, 80, plain, "")
    assert all(len(each) <= 82 for each in shown)
    code, under = shown[1], shown[2]
    assert code[under.index("^") : under.rindex("^") + 1] == "column_300"


def test_wide_and_combining_characters_are_underlined_where_they_stand() -> None:
    line = "SELECT '漢字e\u0301', bad;"
    column = line.index("bad") + 1
    _, _, under, _ = code_frame(finding(line=1, column=column, end_line=1, end_column=column + 3), line, 80, plain, "")
    assert under == "   | " + " " * (len("SELECT '") + 4 + 1 + len("', ")) + "^^^"


def test_a_long_statement_shows_its_first_lines() -> None:
    text = "\n".join(["CREATE TABLE t ("] + [f"  c{n} int," for n in range(20)])
    shown = code_frame(finding(line=1, end_line=21, end_column=3), text, 80, plain, "")
    assert [line.split("|")[0].strip() for line in shown if line.split("|")[0].strip()] == ["1", "2", "3", "4"]
    assert shown[-2].endswith("…")


def test_a_place_behind_the_text_has_no_frame() -> None:
    assert code_frame(finding(line=99, end_line=99), TEXT, 80, plain, "") == []


@given(st.text(max_size=80), st.tuples(*[st.integers(1, 90)] * 4), st.integers(1, 100))
def test_every_place_has_a_frame_or_none(text: str, numbers: tuple[int, int, int, int], width: int) -> None:
    line, column, more, end_column = numbers
    place = finding(line=line % 4, column=column, end_line=line % 4 + more % 3, end_column=end_column)
    for shown in code_frame(place, text, width, plain, ""):
        assert shown.isprintable()


def test_any_report_can_be_rendered_without_cards_and_texts() -> None:
    report: Report = replace(FULL, rules=())
    assert "why" not in render("full", report)
