"""Estimates: from work and prices to ranges, and plans that lack disk space."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from dflint.analysis.risk.sizes import with_rows
from dflint.app.plan import plan_sql
from dflint.model.calibration import STATED, UNITS, Calibration
from dflint.model.errors import InputError
from dflint.model.names import Name
from dflint.model.plan import Estimate, Plan
from dflint.planning.headroom import needed, with_headroom
from tests.app.test_effects import catalog

SETUP = """
create table other (id bigint primary key);
create table t (id bigint primary key, n int not null, note text, other_id bigint);
create table v (id bigint primary key, other_id bigint);
alter table v add foreign key (other_id) references other not valid;
"""
MEASURED = Calibration(STATED.seconds, 2.0, "the speed that was measured on this server")
ROWS = 1_000_000


def plan(sql: str, rows: int = ROWS, calibration: Calibration = MEASURED) -> Plan:
    known = catalog(SETUP)
    for table in ("other", "t", "v"):
        known = with_rows(known, Name("public", table), rows)
    return plan_sql(sql, known, version=18, calibration=calibration)


def estimated(sql: str, rows: int = ROWS, calibration: Calibration = MEASURED) -> Estimate:
    (step,) = plan(sql, rows, calibration).steps
    assert step.estimate is not None
    return step.estimate


def priced(sql: str) -> frozenset[str]:
    """The units that a statement needs."""
    found = set()
    for unit in UNITS:
        free = Calibration({each: STATED.seconds[each] * (each != unit) for each in UNITS}, 2.0, "")
        if estimated(sql, calibration=free).high_s < estimated(sql).high_s:
            found.add(unit)
    return frozenset(found)


READS = {"statement", "row_read", "byte_read"}


@pytest.mark.parametrize(
    ("sql", "units"),
    [
        ("alter table t add column a int", {"statement"}),
        ("alter table t add check (n > 0)", READS),
        ("alter table t alter note set not null", READS),
        ("create index on t (n)", READS | {"number_sorted"}),
        ("create index on t (note)", READS | {"text_sorted"}),
        ("create index on t (lower(note))", READS | {"text_sorted"}),
        ("alter table t add unique (n)", READS | {"number_sorted"}),
        ("reindex table t", READS | {"number_kept"}),
        ("alter table t add foreign key (other_id) references other", READS | {"row_joined"}),
        ("alter table t add foreign key (other_id) references other not valid", {"statement"}),
        ("alter table v validate constraint v_other_id_fkey", READS | {"row_joined"}),
        ("alter table t alter n type bigint", READS | {"row_written", "byte_written", "number_kept"}),
        (
            "alter table t add column token uuid default gen_random_uuid()",
            READS | {"row_written", "byte_written", "number_kept", "value_made"},
        ),
    ],
)
def test_the_work_of_statements(sql: str, units: set[str]) -> None:
    assert priced(sql) == units


def test_the_ends_of_a_measured_range_differ_by_four_times_and_of_a_stated_one_by_more() -> None:
    measured, stated = estimated("create index on t (n)"), estimated("create index on t (n)", calibration=STATED)
    assert measured.high_s / measured.low_s == pytest.approx(4, rel=0.01)
    assert stated.low_s < measured.low_s < measured.high_s < stated.high_s
    assert measured.basis.endswith("by the speed that was measured on this server")
    assert stated.basis.endswith("by the speed of no server in particular")


def test_ten_times_the_rows_are_about_ten_times_the_work_and_nothing_to_the_catalogs() -> None:
    for sql in ("alter table t alter n type bigint", "create index on t (note)"):
        few, many = estimated(sql), estimated(sql, ROWS * 10)
        # To sort ten times the rows is a little more.
        assert 9.5 < many.high_s / few.high_s < 12
        assert many.wal_bytes is not None
        assert few.wal_bytes is not None
        assert many.wal_bytes[1] == pytest.approx(few.wal_bytes[1] * 10, rel=0.01)
    assert estimated("alter table t add column a int") == estimated("alter table t add column a int", ROWS * 10)


def test_an_index_that_is_built_beside_writers_reads_its_table_twice() -> None:
    assert estimated("create index concurrently on t (n)").low_s > estimated("create index on t (n)").low_s


@pytest.mark.parametrize(
    "sql",
    [
        "update t set n = 1",
        "create table u as select * from t",
        "create materialized view m as select * from t",
        "create index on t using gin (note)",
        "select f()",
    ],
)
def test_what_nobody_knows_has_no_estimate(sql: str) -> None:
    (step,) = plan(sql).steps
    assert step.estimate is None


def test_what_reads_alone_needs_no_space_and_what_is_written_anew_stands_beside_the_old() -> None:
    assert estimated("alter table t add check (n > 0)").disk_bytes == (0, 0)
    rewritten = estimated("alter table t alter n type bigint").disk_bytes
    assert rewritten is not None
    size = catalog_bytes()
    assert rewritten[0] < size < rewritten[1]


def catalog_bytes() -> int:
    found = with_rows(catalog(SETUP), Name("public", "t"), ROWS).table(Name("public", "t"))
    size: int | None = getattr(found, "bytes", None)
    assert size is not None
    return size


def test_a_plan_without_headroom_is_refused() -> None:
    made = plan("alter table t alter n type bigint")
    most = needed(made)
    assert with_headroom(made, None) is made
    assert with_headroom(made, most * 2) == made
    with pytest.raises(InputError, match="by estimate"):
        with_headroom(made, most)


def test_what_needs_an_unknown_space_says_so() -> None:
    made = plan("alter table t add a int; update t set n = 1")
    first, second = with_headroom(made, 1 << 40).steps
    assert first == replace(made.steps[0])
    assert "how much disk space it needs is not known" in second.notes


def test_the_values_of_a_new_column_are_written_too() -> None:
    without, with_it = (estimated(f"alter table t add a {kind}").wal_bytes for kind in ("serial", "bigserial"))
    assert without is not None
    assert with_it is not None
    assert with_it[1] - without[1] == pytest.approx(4 * ROWS * 1.5, abs=2)
