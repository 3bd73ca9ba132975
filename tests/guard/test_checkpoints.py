"""Each validator fails on its own defect, passes on a clean run, and afterwards everything is as before."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import errors

from dflint.guard.checkpoints import ValidationResult
from dflint.guard.errors import Fenced, GuardRefused
from dflint.guard.verified_state import State
from dflint.migrations.concurrent_access_manager import MigrationLockManager
from dflint.migrations.validation_checkpoints import ValidationCheckpointManager
from dflint.model.errors import InputError
from dflint.plugin.validators import Situation, Verdict
from tests.guard.asynchronous import asynchronous
from tests.servers import TestServer
from tests.spec.running import run

_SCHEMA = """
create table customers (id serial primary key, email text not null, country text);
create table orders (
  id serial primary key, customer_id int not null references customers on delete cascade, amount int check (amount > 0)
);
create index orders_customer on orders (customer_id);
create view busy as select customer_id, count(*) as orders from orders group by customer_id;
create function spent(customer int) returns bigint language sql as 'select sum(amount) from orders where customer_id = customer';
create function touch() returns trigger language plpgsql as 'begin return new; end';
create trigger orders_touch before insert on orders for each row execute function touch();
insert into customers (email, country) select 'a' || g, 'CH' from generate_series(1, 500) g;
insert into orders (customer_id, amount) select g % 500 + 1, g from generate_series(1, 2000) g;
"""

Statements = tuple[str, ...]


async def _database(pg: TestServer) -> str:
    dsn = pg.new_database()
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        await connection.execute(_SCHEMA.encode())
        await connection.execute(b"analyze")
    return dsn


def _migration(dsn: str, *statements: str) -> Callable[[], Awaitable[None]]:
    """A user's migration: no argument, its own session, each statement committed."""

    async def migrate() -> None:
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            for statement in statements:
                with contextlib.suppress(errors.UniqueViolation):
                    await connection.execute(statement.encode())

    return migrate


async def _state(dsn: str) -> State:
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        return await State.read(connection)


_ALL: list[dict[str, Any]] = [
    {
        "stage": "pre_migration",
        "validators": ["schema_integrity", "foreign_key_consistency", "data_quality", "performance_baseline"],
    },
    {
        "stage": "during_migration",
        "validators": ["transaction_health", "performance_monitoring", "connection_stability"],
    },
    {
        "stage": "post_migration",
        "validators": ["schema_validation", "data_integrity", "constraint_validation", "performance_regression_check"],
    },
]


async def _all(dsn: str, *statements: str, **more: Any) -> ValidationResult:
    manager = ValidationCheckpointManager(dsn)
    return await manager.execute_with_validation(_migration(dsn, *statements), _ALL, **more)


@pytest.mark.majors(14, 18)
@asynchronous
async def test_a_good_migration_passes_all(pg: TestServer) -> None:
    dsn = await _database(pg)
    result = await _all(dsn, "alter table orders add column note text", detailed_reporting=True)
    assert result.failure_reason is None
    assert result.all_checkpoints_passed
    assert [(each.stage, each.validator) for each in result.checkpoint_results] == [
        (checkpoint["stage"], name) for checkpoint in _ALL for name in checkpoint["validators"]
    ]
    assert result.said_before, "a session of its own cannot be rolled back"
    assert "note" in str((await _state(dsn)).objects["table:public.orders"])


#: What was wrong before the migration, and who says so.
_BEFORE = {
    "schema_integrity": "alter table orders disable trigger orders_touch",
    "foreign_key_consistency": "set session_replication_role = replica; delete from customers where id = 7",
    "data_quality": "select setval('orders_id_seq', 5)",
}


@pytest.mark.majors(14, 18)
@pytest.mark.parametrize("validator", _BEFORE)
@asynchronous
async def test_a_defect_from_before_stops_the_migration(pg: TestServer, validator: str) -> None:
    dsn = await _database(pg)
    await _migration(dsn, _BEFORE[validator])()
    before = await _state(dsn)
    result = await _all(dsn, "alter table orders add column note text")
    assert result.failed_checkpoint == f"pre_migration:{validator}"
    assert not result.all_checkpoints_passed
    assert result.failure_reason == str(result.failure_details)
    assert result.rollback_completed
    assert (await _state(dsn)).objects == before.objects


#: What a migration does wrong, and who says so afterwards.
_AFTER: dict[str, Statements] = {
    "schema_validation": (
        "alter table orders add column note text",
        "create unique index concurrently country_once on customers (country)",
    ),
    "schema_validation by a function": ("alter table orders rename column amount to total",),
    "data_integrity": ("alter table orders add column note text", "delete from orders where id <= 100"),
    "data_integrity by orphans": (
        "set session_replication_role = replica",
        "delete from customers where id = 9",
        "insert into customers (email) values ('another')",
    ),
    "constraint_validation": ("alter table orders add constraint small check (amount < 10) not valid",),
}


@pytest.mark.majors(14, 18)
@pytest.mark.parametrize("defect", _AFTER)
@asynchronous
async def test_a_defect_of_the_migration_is_found_and_the_schema_brought_back(pg: TestServer, defect: str) -> None:
    dsn = await _database(pg)
    before = await _state(dsn)
    validator = defect.partition(" ")[0]
    manager = ValidationCheckpointManager(dsn)
    result = await manager.execute_with_validation(
        _migration(dsn, *_AFTER[defect]), [{"stage": "post_migration", "validators": [validator]}]
    )
    assert result.failed_checkpoint == f"post_migration:{validator}", result
    assert (await _state(dsn)).objects == before.objects, result.not_covered
    assert result.rollback_completed


@pytest.mark.majors(14, 18)
@asynchronous
async def test_lost_rows_are_not_called_rolled_back_where_they_were_to_be_verified(pg: TestServer) -> None:
    dsn = await _database(pg)
    manager = ValidationCheckpointManager(dsn)
    result = await manager.execute_with_validation(
        _migration(dsn, "update orders set amount = amount + 1"),
        [{"stage": "post_migration", "validators": ["data_integrity"]}],
        tables=["orders"],
    )
    assert result.failed_checkpoint == "post_migration:data_integrity"
    assert result.failure_reason == "the values of public.orders.amount changed"
    assert not result.rollback_completed
    assert result.not_covered == ("the rows of public.orders are not those from before",)


@asynchronous
async def test_tables_of_any_name_may_be_named(pg: TestServer) -> None:
    dsn = await _database(pg)
    await _migration(
        dsn,
        'create table "in.voices, c.relname" (id int primary key)',
        'create table lines (voice int references "in.voices, c.relname")',
        'insert into "in.voices, c.relname" values (1)',
        "insert into lines values (1)",
    )()
    result = await ValidationCheckpointManager(dsn).execute_with_validation(
        _migration(dsn, "set session_replication_role = replica", 'delete from "in.voices, c.relname"'),
        [{"stage": "post_migration", "validators": ["fk_consistency"]}],
        tables=['"in.voices, c.relname"'],
    )
    assert result.failed_checkpoint == "post_migration:foreign_key_consistency", result


@asynchronous
async def test_a_locked_table_is_not_waited_for_without_end(pg: TestServer) -> None:
    dsn = await _database(pg)
    async with await psycopg.AsyncConnection.connect(dsn) as locker:
        await locker.execute("lock table orders in access exclusive mode")
        with pytest.raises(GuardRefused, match="a table that they read is locked"):
            await ValidationCheckpointManager(dsn).execute_with_validation(_migration(dsn), [])


@asynchronous
async def test_rows_that_could_not_be_counted_before_are_not_called_kept(pg: TestServer) -> None:
    dsn = await _database(pg)
    await _migration(dsn, "create table alone (id int)")()
    locker = await psycopg.AsyncConnection.connect(dsn)
    await locker.execute("lock table alone in access exclusive mode")

    async def migrate() -> None:
        await locker.close()

    result = await ValidationCheckpointManager(dsn).execute_with_validation(
        migrate, [{"stage": "post_migration", "validators": ["data_integrity"]}]
    )
    assert result.failed_checkpoint == "post_migration:data_integrity", result
    assert result.checkpoint_results[0].ok is None


@pytest.mark.majors(14, 18)
@asynchronous
async def test_slower_queries_are_found(pg: TestServer) -> None:
    dsn = await _database(pg)
    await _migration(dsn, "insert into orders (customer_id, amount) select 1, g from generate_series(1, 200000) g")()
    manager = ValidationCheckpointManager(dsn)
    result = await manager.execute_with_validation(
        _migration(dsn, "alter table orders drop constraint orders_pkey"),
        [{"stage": "post_migration", "validators": ["performance_validation"]}],
        detailed_reporting=True,
        workload=["select * from orders where id = 150000"],
    )
    assert result.failed_checkpoint == "post_migration:performance_regression_check", result
    (only,) = result.checkpoint_results
    assert only.named == "performance_validation"
    assert only.details["workload"] == "the queries given"
    assert result.rollback_completed


@asynchronous
async def test_without_a_measurement_from_before_nothing_is_compared(pg: TestServer) -> None:
    dsn = await _database(pg)
    manager = ValidationCheckpointManager(dsn)
    result = await manager.execute_with_validation(
        _migration(dsn, "drop view busy"),
        [{"stage": "post_migration", "validators": ["performance_validation"]}],
        workload=["select * from busy"],
    )
    assert result.failed_checkpoint == "post_migration:performance_regression_check"
    assert "busy" in str(result.failure_reason)


def _locking(dsn: str, *, seconds: float) -> Callable[[], Awaitable[None]]:
    async def migrate() -> None:
        async with await psycopg.AsyncConnection.connect(dsn) as connection:
            await connection.execute("alter table orders add column note text")
            await asyncio.sleep(seconds)

    return migrate


@pytest.mark.majors(14, 18)
@asynchronous
async def test_stalled_queries_end_the_migration(pg: TestServer) -> None:
    dsn = await _database(pg)
    before = await _state(dsn)
    manager = ValidationCheckpointManager(dsn)
    result = await manager.execute_with_validation(
        _locking(dsn, seconds=60),
        [
            {
                "stage": "during_migration",
                "validators": [{"name": "performance_monitoring", "max_stall_ms": 300}],
            }
        ],
        workload=["select 1 from orders limit 1"],
    )
    assert result.failed_checkpoint == "during_migration:performance_monitoring", result
    assert (await _state(dsn)).objects == before.objects
    assert result.rollback_completed


@pytest.mark.majors(14, 18)
@asynchronous
async def test_waiting_sessions_end_the_migration(pg: TestServer) -> None:
    dsn = await _database(pg)
    before = await _state(dsn)

    async def read() -> None:
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            while True:
                await connection.execute("select count(*) from orders")
                await asyncio.sleep(0.01)

    reader = asyncio.ensure_future(read())
    manager = ValidationCheckpointManager(dsn)
    result = await manager.execute_with_validation(
        _locking(dsn, seconds=60),
        [
            {
                "stage": "during_migration",
                "validators": [{"name": "transaction_health", "max_wait_seconds": 0.5}],
            }
        ],
    )
    reader.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await reader
    assert result.failed_checkpoint == "during_migration:transaction_health", result
    assert (await _state(dsn)).objects == before.objects
    assert result.rollback_completed
    (only,) = result.checkpoint_results
    assert only.samples > 1


@pytest.mark.majors(14, 18)
@asynchronous
async def test_killed_sessions_are_noticed(pg: TestServer) -> None:
    dsn = await _database(pg)

    async def migrate() -> None:
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            for _ in range(50):
                await connection.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity "
                    "where datname = current_database() and application_name = 'dflint'"
                )
                await asyncio.sleep(0.05)

    manager = ValidationCheckpointManager(dsn)
    result = await manager.execute_with_validation(
        migrate, [{"stage": "during_migration", "validators": ["connection_stability"]}]
    )
    assert result.failed_checkpoint == "during_migration:connection_stability", result


@asynchronous
async def test_a_migration_that_fails_is_taken_back(pg: TestServer) -> None:
    dsn = await _database(pg)
    before = await _state(dsn)
    result = await _all(
        dsn,
        "alter table orders add column note text, alter amount set not null, alter amount set default 3",
        "drop view busy",
        "drop index orders_customer",
        "drop function spent",
        "create table more (id int)",
        "alter table more add column absent no_such_type",
    )
    assert result.failed_checkpoint == "migration"
    assert "no_such_type" in str(result.failure_reason)
    assert (await _state(dsn)).objects == before.objects, result.not_covered
    assert result.rollback_completed


@asynchronous
async def test_dropped_data_is_not_called_rolled_back(pg: TestServer) -> None:
    dsn = await _database(pg)
    result = await _all(dsn, "drop view busy", "alter table orders drop column amount", "select no_such_column")
    assert result.failed_checkpoint == "migration"
    assert not result.rollback_completed
    assert "the column public.orders.amount is gone with its data" in result.not_covered


@asynchronous
async def test_the_guarded_session_is_one_transaction(pg: TestServer) -> None:
    dsn = await _database(pg)
    before = await _state(dsn)

    async def migrate(connection: psycopg.AsyncConnection[Any]) -> None:
        await connection.execute("delete from orders")
        await connection.execute("alter table orders add column note text")
        raise RuntimeError("out of luck")

    result = await ValidationCheckpointManager(dsn).execute_with_validation(migrate, [], tables=["orders", "customers"])
    assert result.failure_reason == "the migration failed: out of luck"
    assert result.rollback_completed
    assert not result.said_before
    assert (await _state(dsn)).objects == before.objects


@asynchronous
async def test_a_plain_function_may_block(pg: TestServer) -> None:
    dsn = await _database(pg)

    def migrate() -> None:
        with psycopg.connect(dsn) as connection:
            connection.execute("alter table orders add column note text; select pg_sleep(0.5)")

    result = await ValidationCheckpointManager(lambda: psycopg.connect(dsn)).execute_with_validation(
        migrate, [{"stage": "during_migration", "validators": ["connection_stability"]}]
    )
    assert result.all_checkpoints_passed
    assert result.checkpoint_results[0].samples > 1


@asynchronous
async def test_own_assertions_commands_and_functions(pg: TestServer) -> None:
    dsn = await _database(pg)

    async def few_orders(situation: Situation) -> Verdict:
        ((count,),) = await situation.queries.rows("select count(*) from orders")
        return Verdict(count < 10, f"there are {count} orders")

    async def outcome(*validators: Any, required: bool = True) -> ValidationResult:
        return await ValidationCheckpointManager(dsn).execute_with_validation(
            _migration(dsn), [{"stage": "post_migration", "validators": validators, "required": required}]
        )

    assert (await outcome({"sql": "select count(*) = 2000 from orders"})).all_checkpoints_passed
    assert (await outcome({"command": ["true"]})).all_checkpoints_passed
    failed = await outcome({"sql": "select count(*) = 1 from orders", "name": "one order"})
    assert failed.failed_checkpoint == "post_migration:one order"
    assert (await outcome({"command": ["false"]})).failure_reason == "false exited with 1"
    assert (await outcome(few_orders)).failure_reason == "there are 2000 orders"
    lenient = await outcome(few_orders, required=False)
    assert lenient.all_checkpoints_passed
    assert lenient.warnings == ("post_migration:few_orders: there are 2000 orders",)


_POST = [{"stage": "post_migration", "validators": ["constraint_validation"]}]
_CHANGES = """
alter table orders add column note text;
create index concurrently orders_amount on orders (amount);
"""
_UNCHECKED = "alter table orders add constraint small check (amount < 10) not valid;"


@pytest.mark.majors(14, 18)
@asynchronous
async def test_sql_is_run_step_by_step_and_undone_step_by_step(pg: TestServer) -> None:
    dsn = await _database(pg)
    before = await _state(dsn)
    manager = ValidationCheckpointManager(dsn)
    result = await manager.execute_with_validation(_CHANGES + _UNCHECKED, _POST, tables=["orders"])
    assert result.failed_checkpoint == "post_migration:constraint_validation", result
    assert (await _state(dsn)).objects == before.objects, result.not_covered
    assert result.rollback_completed
    again = await manager.execute_with_validation(_CHANGES, _POST)
    assert again.all_checkpoints_passed, again
    assert "index:public.orders_amount" in (await _state(dsn)).objects


@asynchronous
async def test_a_file_is_run_by_its_runners_rules(pg: TestServer, tmp_path: Path) -> None:
    dsn = await _database(pg)
    before = await _state(dsn)
    path = tmp_path / "001_change.sql"
    path.write_text("begin;\nalter table orders add column note text;\n" + _UNCHECKED + "\ncommit;\n")
    result = await ValidationCheckpointManager(dsn).execute_with_validation(path, _POST)
    assert result.failed_checkpoint == "post_migration:constraint_validation", result
    assert (await _state(dsn)).objects == before.objects, result.not_covered
    assert result.rollback_completed


@asynchronous
async def test_what_cannot_be_taken_back_is_said_before(pg: TestServer) -> None:
    dsn = await _database(pg)
    result = await ValidationCheckpointManager(dsn).execute_with_validation(
        "alter table orders drop column amount cascade;",
        [{"stage": "post_migration", "validators": [{"sql": "select false"}]}],
    )
    assert len(result.said_before) == 1
    assert result.said_before[0].startswith("step 1 cannot be taken back:")
    assert not result.rollback_completed
    assert any(text.startswith("it was not taken back:") for text in result.not_covered), result.not_covered


@asynchronous
async def test_a_migration_inside_the_lock_joins_it(pg: TestServer) -> None:
    dsn = await _database(pg)
    async with MigrationLockManager(dsn).acquire_migration_lock(
        lock_scope="schema_modification", timeout_seconds=5, operation_description="both"
    ):
        manager = ValidationCheckpointManager(dsn)
        first = await manager.execute_with_validation("alter table orders add column note text;", _POST)
        second = await manager.execute_with_validation(_UNCHECKED, _POST)
    assert first.all_checkpoints_passed, first
    assert second.rollback_completed, second
    assert "note" in str((await _state(dsn)).objects["table:public.orders"])


@pytest.mark.parametrize(
    ("checkpoint", "says"),
    [
        ({"stage": "post_migration", "validators": ["data_integrety"]}, "did you mean 'data_integrity'?"),
        ({"stage": "afterwards", "validators": []}, "stages: pre_migration, during_migration, post_migration"),
        ({"stage": "post_migration", "validator": []}, "keys: stage, validators, required"),
        ({"stage": "post_migration", "validators": [{"command": "pytest"}]}, "list of words"),
    ],
)
@asynchronous
async def test_what_is_not_understood_is_refused_before_anything_runs(checkpoint: dict[str, Any], says: str) -> None:
    async def never() -> None:
        raise AssertionError

    with pytest.raises(InputError, match=says.replace("?", r"\?")):
        await ValidationCheckpointManager("host=/nowhere").execute_with_validation(never, [checkpoint])


@pytest.mark.majors(14, 18)
@asynchronous
async def test_section_7_as_written(pg: TestServer, capsys: pytest.CaptureFixture[str]) -> None:
    dsn = await _database(pg)
    names = await run(
        "section_7",
        connection_manager=dsn,
        your_migration_function=_migration(dsn, "alter table orders add column note text"),
    )
    assert names["validation_result"].all_checkpoints_passed, names["validation_result"]
    assert capsys.readouterr().out.splitlines() == [
        "Migration completed - all validation checkpoints passed",
        "Total checkpoints: 11",
    ]


@asynchronous
async def test_section_7_says_what_failed(pg: TestServer, capsys: pytest.CaptureFixture[str]) -> None:
    dsn = await _database(pg)
    before = await _state(dsn)
    await run(
        "section_7",
        connection_manager=dsn,
        your_migration_function=_migration(dsn, "alter table orders add check (amount < 10) not valid"),
    )
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("Migration failed at: post_migration:")
    assert out[2] == "Rollback executed: True"
    assert (await _state(dsn)).objects == before.objects


@asynchronous
async def test_a_lost_lock_is_said_loudly(pg: TestServer) -> None:
    dsn = await _database(pg)
    with pytest.raises(Fenced, match="not held any more"):
        await ValidationCheckpointManager(dsn).execute_with_validation(
            _migration(
                dsn,
                "alter table orders add column note text",
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where datname = current_database() and application_name like 'dflint%'",
            ),
            [{"stage": "post_migration", "validators": [{"sql": "select false"}]}],
        )


@pytest.mark.parametrize("how", ["sql", "guarded", "own session", "thread"])
@asynchronous
async def test_cancelled_it_leaves_nothing_behind(pg: TestServer, how: str) -> None:
    """What ran is taken back, the lock is free, and no session of ours is left."""
    dsn = await _database(pg)
    before = await _state(dsn)
    slow = "alter table orders add column more text; select pg_sleep(1.0)"

    async def guarded(connection: psycopg.AsyncConnection[Any]) -> None:
        await connection.execute(slow.encode())

    def thread() -> None:
        with psycopg.connect(dsn) as connection:
            connection.execute(slow.encode())

    migrations: dict[str, Any] = {
        "sql": "alter table orders add column note text; alter table orders add column more text; select pg_sleep(60);",
        "guarded": guarded,
        "own session": _migration(dsn, "alter table orders add column note text", "select pg_sleep(60)"),
        "thread": thread,
    }
    checkpoints = [{"stage": "during_migration", "validators": ["connection_stability"]}]
    running = asyncio.create_task(
        ValidationCheckpointManager(dsn).execute_with_validation(migrations[how], checkpoints)
    )
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as look:
        asleep = "select count(*) from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'"
        while await (await look.execute(asleep)).fetchone() == (0,):
            assert not running.done()
            await asyncio.sleep(0.02)
        running.cancel()
        with pytest.raises(asyncio.CancelledError) as raised:
            await running
        assert getattr(raised.value, "__notes__", []) == []
        ours = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        for _ in range(100):
            if await (await look.execute(ours)).fetchone() == (0,):
                break
            await asyncio.sleep(0.02)
        else:
            pytest.fail("sessions are left")
    assert (await _state(dsn)).objects == before.objects
    async with MigrationLockManager(dsn).acquire_migration_lock(timeout_seconds=0):
        pass


@asynchronous
async def test_privileges_comments_and_owners_are_verified_after_an_opaque_migration(pg: TestServer) -> None:
    """They are brought back, or it is not called rolled back."""
    dsn = await _database(pg)
    before = await _state(dsn)
    for statement in (
        "comment on table orders is 'changed'",
        "comment on column orders.amount is 'changed'",
        "grant select on orders to public",
        "grant update (amount) on orders to public",
        "revoke execute on function spent(int) from public",
        "alter table orders owner to pg_monitor",
    ):
        result = await _all(dsn, statement, "select no_such_column")
        same = (await _state(dsn)).objects == before.objects
        assert result.rollback_completed == same, statement
        assert same or "public.orders" in str(result.not_covered) or "spent" in str(result.not_covered), statement
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
            await connection.execute(
                b"comment on table orders is null; comment on column orders.amount is null;"
                b"alter table orders owner to postgres; revoke select on orders from public;"
                b"revoke update (amount) on orders from public; grant execute on function spent(int) to public"
            )
        before = await _state(dsn)
