"""The undo of a plan is a plan."""

from __future__ import annotations

import pytest

from dflint.model.catalog import Catalog
from dflint.model.errors import InputError
from dflint.planning.fingerprint import fingerprint, fingerprint_of
from dflint.planning.hashes import plan_hash
from dflint.planning.reversing import reverse
from tests.app.test_effects import catalog
from tests.planning.plans import SHOP, plan

SQL = "alter table users add a int; create index concurrently ai on users (a); set role x; create table t (a int)"


def test_the_steps_done_are_taken_back_in_reverse_order() -> None:
    undo = reverse(plan(SQL), ["1", "2", "3"])
    assert [(step.kind, step.sql) for step in undo.steps] == [
        ("tx", "DROP TABLE IF EXISTS public.t"),
        ("nontx", "DROP INDEX CONCURRENTLY public.ai"),
        ("tx", "ALTER TABLE public.users DROP COLUMN a"),
    ]
    assert [step.id for step in undo.steps] == ["1", "2", "3"]
    assert undo.steps[0].settings == {"role": "x"}
    assert undo.hash == plan_hash(undo)
    assert undo.source == "undo of migration.sql"


def test_only_what_was_done_is_taken_back() -> None:
    assert [step.sql for step in reverse(plan(SQL), ["1"]).steps] == ["ALTER TABLE public.users DROP COLUMN a"]
    assert reverse(plan(SQL), []).steps == ()


def test_fault_69_what_is_irreversible_is_refused() -> None:
    made = plan("alter table users add a int; alter table users drop email")
    with pytest.raises(InputError, match="step 2 cannot be taken back: the values of column email are lost"):
        reverse(made, ["1", "2"])
    assert len(reverse(made, ["1"]).steps) == 1


def test_the_way_back_may_lock_more_than_the_way_there() -> None:
    (step,) = reverse(plan("create index i on users (age)"), ["1"]).steps
    assert (step.sql, step.lock_class) == ("DROP INDEX public.i", "reads")
    assert step.locks["table:public.users"] == "ACCESS EXCLUSIVE"
    (step,) = reverse(plan("create table t (a int)"), ["1"]).steps
    assert (step.locks, step.lock_class, step.timeouts.lock_ms) == ({}, "unknown", 500)


def test_an_unknown_step_is_refused() -> None:
    with pytest.raises(InputError, match="no step 7"):
        reverse(plan(SQL), ["7"])


def test_a_fingerprint_is_of_the_objects_that_the_plan_touches() -> None:
    made = plan("alter table users add a int; create table t (x int)")
    assert made.target.catalog_fingerprint == fingerprint_of(made, catalog(SHOP))
    for setup, same in (
        ("alter table orders add z int", True),
        ("alter table users add z int", False),
        ("create index on users (age)", False),
        ("create table t (y int)", False),
    ):
        assert (fingerprint_of(made, catalog(f"{SHOP}{setup}")) == made.target.catalog_fingerprint) is same


def test_without_a_catalog_there_is_no_fingerprint() -> None:
    assert plan("alter table users add a int", setup=None).target.catalog_fingerprint == ""
    assert fingerprint(Catalog(), []) == fingerprint(catalog(SHOP), [])


KEY = "alter table orders add constraint bought foreign key (customer) references users (id)"


def test_a_constraint_is_added_again_without_a_look_at_the_rows_and_then_validated() -> None:
    undo = reverse(plan("alter table orders drop constraint bought", setup=f"{SHOP}{KEY};"), ["1"])
    first, second = undo.steps
    assert first.sql.endswith("REFERENCES public.users (id) NOT VALID")
    assert (second.sql, second.kind) == ("ALTER TABLE public.orders VALIDATE CONSTRAINT bought", "tx")
    assert (first.lock_class, second.lock_class) == ("reads", "schema_changes")
    assert second.locks["table:public.orders"] == "SHARE UPDATE EXCLUSIVE"


def test_what_was_not_valid_is_not_validated() -> None:
    dropped = plan("alter table orders drop constraint bought", setup=f"{SHOP}{KEY} not valid;")
    (step,) = reverse(dropped, ["1"]).steps
    assert step.sql.endswith("NOT VALID")


def test_a_key_of_a_partitioned_table_cannot_wait_before_18() -> None:
    setup = f"{SHOP}alter table events add constraint named foreign key (what) references users (email);"
    for version, steps in ((17, 1), (18, 2)):
        dropped = plan("alter table events drop constraint named", setup=setup, version=version)
        assert len(reverse(dropped, ["1"]).steps) == steps
