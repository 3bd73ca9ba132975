"""Plans of files: for a database, a snapshot, or after the earlier files of their folder."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from dflint.app.plan import PlanRequest, load_plan, made, plan_files
from dflint.app.snapshot_files import save_snapshot
from dflint.model.errors import InputError
from dflint.model.plan import Plan
from dflint.planning.plan_file import write_plan
from tests.catalog.live import execute, read
from tests.servers import TestServer

SETUP = """
create table users (id int primary key, email text default lower('X'), age int check (age > 0));
create view adults as select id from users where age > 17;
create function f(a int) returns int language sql as 'select $1 + 1';
"""
#: Added without a look at the rows, which are read under a weaker lock then.
_CHECK_AGAIN = (
    "ALTER TABLE public.users ADD CONSTRAINT users_age_check CHECK ((age > 0)) NOT VALID",
    "ALTER TABLE public.users VALIDATE CONSTRAINT users_age_check",
)


def file(folder: Path, sql: str, name: str = "migration.sql") -> str:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(sql)
    return str(path)


def planned(*paths: str, dsn: str | None = None, snapshot: str | None = None) -> Plan:
    return asyncio.run(plan_files(paths, dsn=dsn, snapshot=snapshot))


@pytest.mark.majors(14, 18)
def test_a_plan_for_a_database_knows_how_its_objects_are_defined(pg: TestServer, tmp_path: Path) -> None:
    dsn = pg.new_database()
    execute(dsn, SETUP)
    found = planned(
        file(
            tmp_path,
            """
            alter table users alter email drop default;
            alter table users drop constraint users_age_check;
            drop view adults;
            create or replace function f(a int) returns int language sql as 'select $1 + 2';
            """,
        ),
        dsn=dsn,
    )
    assert found.target.pg_version == pg.major
    assert found.target.catalog_fingerprint
    assert found.point_of_no_return is None
    undo = [step.undo.sql or () for step in found.steps]
    assert undo[0] == ("ALTER TABLE public.users ALTER COLUMN email SET DEFAULT lower('X'::text)",)
    assert undo[1] == _CHECK_AGAIN
    assert "WHERE" in undo[2][0]
    assert "select $1 + 1" in undo[3][0]


def test_what_a_rename_makes_stale_is_not_used(pg: TestServer, tmp_path: Path) -> None:
    dsn = pg.new_database()
    execute(dsn, SETUP)
    sql = "alter table users rename column age to years; drop view adults; alter table users drop constraint users_age_check"
    found = planned(file(tmp_path, sql), dsn=dsn)
    reasons = [step.undo.irreversible or "" for step in found.steps]
    assert reasons[0] == ""
    assert "does not say how view public.adults was defined" in reasons[1]
    assert "exactly how constraint users_age_check" in reasons[2]


def test_a_snapshot_holds_no_texts_and_says_so(pg: TestServer, tmp_path: Path) -> None:
    dsn = pg.new_database()
    execute(dsn, SETUP)
    snapshot = str(tmp_path / "schema.dflint.json")
    save_snapshot(read(dsn), snapshot)
    path = file(tmp_path, "alter table users add b int; drop view adults")
    found = planned(path, snapshot=snapshot)
    assert found.target == planned(path, dsn=dsn).target
    assert found.steps[1].undo.irreversible == "the catalog does not say how view public.adults was defined"


def test_a_saved_plan_that_was_edited_is_judged_by_the_database(pg: TestServer, tmp_path: Path) -> None:
    dsn = pg.new_database()
    execute(dsn, SETUP)
    document = json.loads(write_plan(planned(file(tmp_path, "alter table users drop age"), dsn=dsn)))
    document["hash"] = None
    document["steps"][0]["sql"] = "alter table users drop constraint users_age_check"
    found = asyncio.run(load_plan(json.dumps(document).encode(), "plan.json", dsn=dsn))
    assert found.steps[0].undo.sql == _CHECK_AGAIN
    assert found.point_of_no_return is None


def test_the_earlier_files_of_the_folder_are_replayed(tmp_path: Path) -> None:
    file(tmp_path, "create table t (id int primary key, a int not null);", "001.sql")
    second = file(tmp_path, "alter table t alter a drop not null;", "002.sql")
    found = planned(second)
    assert found.source == second
    assert len(found.steps) == 1
    assert found.steps[0].locks == {"table:public.t": "ACCESS EXCLUSIVE"}


def test_files_are_planned_in_the_order_of_their_history(tmp_path: Path) -> None:
    one = file(tmp_path, "create table t (id int primary key);", "001.sql")
    two = file(tmp_path, "alter table t add a int;", "002.sql")
    found = planned(two, one)
    assert [step.group for step in found.steps] == [one, two]


def test_a_runner_decides_what_is_one_step(tmp_path: Path) -> None:
    sql = "-- +goose Up\ncreate table t (a int);\ncreate table u (a int);\n-- +goose Down\ndrop table t;\n"
    found = planned(file(tmp_path, sql, "001_t.sql"))
    assert [step.kind for step in found.steps] == ["tx"]
    assert "drop table" not in found.steps[0].sql
    sql = f"-- +goose NO TRANSACTION\n{sql}"
    assert len(planned(file(tmp_path / "other", sql, "001_t.sql")).steps) == 2


def test_files_of_two_folders_are_refused(tmp_path: Path) -> None:
    one, two = file(tmp_path / "a", "select 1"), file(tmp_path / "b", "select 1")
    with pytest.raises(InputError, match="several folders"):
        planned(one, two)


def test_a_file_that_is_a_plan_is_read_as_one(tmp_path: Path) -> None:
    first = planned(file(tmp_path, "alter table t add a int"))
    path = tmp_path / "plan.json"
    path.write_bytes(write_plan(first))
    assert asyncio.run(made(PlanRequest(paths=(str(path),)))) == first
