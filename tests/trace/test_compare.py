"""What counts as a wrong prediction."""

from __future__ import annotations

from dflint.model.observation import Observation, SqlError
from dflint.model.trace import Prediction, Trace, TracedStatement, TracedTransaction
from dflint.trace.bug_report import bug_reports
from dflint.trace.compare import Circumstances, differences

ALTER = Prediction(
    locks={"table:public.t": "ACCESS EXCLUSIVE"}, rewrites=("table:public.t",), scans=("table:public.t",)
)
SEEN = Observation(
    locks={"table:public.t": "ACCESS EXCLUSIVE"}, rewrites=("table:public.t",), scans=("table:public.t",)
)
FILLED = Circumstances(filled=frozenset({"table:public.t"}))


def said(predicted: Prediction, observed: Observation, under: Circumstances = FILLED) -> list[tuple[str, str | None]]:
    return [(each.what, each.identity) for each in differences(predicted, observed, under)]


def test_the_same_is_no_difference() -> None:
    assert said(ALTER, SEEN) == []


def test_every_quantity_counts() -> None:
    other = Observation(locks={"table:public.u": "SHARE"}, index_rebuilds=("index:public.i",))
    assert said(ALTER, other) == [
        ("locks", "table:public.t"),
        ("locks", "table:public.u"),
        ("rewrites", "table:public.t"),
        ("scans", "table:public.t"),
        ("index_rebuilds", "index:public.i"),
    ]


def test_a_lock_that_was_held_need_not_be_taken() -> None:
    observed = Observation(rewrites=SEEN.rewrites, scans=SEEN.scans)
    held = {"table:public.t": "ACCESS EXCLUSIVE"}
    assert said(ALTER, observed, Circumstances(held=held, filled=FILLED.filled)) == []
    weaker = Circumstances(held={"table:public.t": "SHARE"}, filled=FILLED.filled)
    assert said(ALTER, observed, weaker) == [("locks", "table:public.t")]


def test_scans_of_empty_tables_need_not_show() -> None:
    observed = Observation(locks=SEEN.locks, rewrites=SEEN.rewrites)
    assert said(ALTER, observed, Circumstances()) == []
    assert said(ALTER, observed) == [("scans", "table:public.t")]


def test_refusals() -> None:
    refused = Prediction(refused="0A000")
    assert said(refused, Observation(error=SqlError("0A000", "no"))) == []
    assert said(refused, Observation()) == [("refusal", None)]
    assert said(ALTER, Observation(error=SqlError("0A000", "no"))) == [("refusal", None)]
    assert said(ALTER, Observation(error=SqlError("23505", "rows decide"))) == []
    assert said(ALTER, Observation(error=SqlError("42P01", "a mistake"))) == []


def test_transactions_only_when_alone() -> None:
    predicted = Prediction(transaction="refused")
    assert said(predicted, Observation(), Circumstances(alone=True)) == [("transaction", None)]
    assert said(predicted, Observation(), Circumstances(alone=False)) == []


def test_the_bug_report_has_everything() -> None:
    wrong = TracedStatement(
        sql="ALTER TABLE t ADD b int",
        operations=("add_column",),
        predicted=ALTER,
        differs=differences(ALTER, Observation(locks=SEEN.locks), FILLED),
    )
    made = TracedStatement(sql="CREATE TABLE t (a int)", operations=("create_table",))
    trace = Trace(pg_version="18.4", transactions=(TracedTransaction(id=1, kind="implicit", statements=(made, wrong)),))
    text = bug_reports(trace)
    for part in (
        "PostgreSQL 18.4",
        "CREATE TABLE t (a int);",
        "ALTER TABLE t ADD b int;",
        "- rewrites table:public.t: predicted yes, observed no",
    ):
        assert part in text
    assert bug_reports(Trace(pg_version="18.4", transactions=())) == ""
