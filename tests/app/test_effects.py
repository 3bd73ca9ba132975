"""Predictions for whole texts; that they are what a server does is proven by the probes."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from msgspec.structs import replace

from dflint.app.effects import encode, known_facts, predict, predict_file, schema
from dflint.history.fold import Fold
from dflint.model.catalog import Catalog
from dflint.model.effect import EffectsDocument, StatementEffects
from dflint.model.errors import InputError
from dflint.model.migration import Runner, Section, Span
from dflint.model.session import Session, Setting
from dflint.sql.libpg_query import load_library
from dflint.sql.parse import Parser

AX, SRX, SUE, AS = "ACCESS EXCLUSIVE", "SHARE ROW EXCLUSIVE", "SHARE UPDATE EXCLUSIVE", "ACCESS SHARE"

SHOP = """
create table customers (id int primary key, name varchar(50));
create index customers_lower on customers (lower(name));
create table orders (id bigserial primary key, customer int references customers, total numeric);
create view totals as select customer, sum(total) from orders group by customer;
create table events (at timestamp not null, what text) partition by range (at);
create table events_1 partition of events for values from ('2024-01-01') to ('2024-02-01');
create index events_what on events (what);
"""


@cache
def catalog(setup: str = SHOP, version: int = 18) -> Catalog:
    """What exists after ``setup`` on an empty database, of which everything is known."""
    text = setup.encode()
    section = Section("up", Span(0, len(text)))
    statements = Parser(load_library()).parse(text, [section])
    empty = Catalog(basis="snapshot", closed=True)
    fold = Fold(runner=Runner("psql"), version=version, knowledge=known_facts(), catalog=empty)
    for _ in fold.file(text, [section], statements):
        pass
    return fold.catalog


def one(sql: str, setup: str = SHOP, version: int = 18, **settings: str) -> StatementEffects:
    session = Session(tuple((name, Setting(value)) for name, value in settings.items())) if settings else None
    found = predict(sql, catalog(setup, version), version=version, session=session)
    assert len(found) == 1
    return found[0]


def test_a_rewrite_takes_the_indexes_along() -> None:
    found = one("alter table customers add column score float8 default random()")
    assert found.locks == {
        "index:public.customers_lower": AX,
        "index:public.customers_pkey": AX,
        "table:public.customers": AX,
    }
    assert found.rewrites == found.scans == ("table:public.customers",)
    assert found.index_rebuilds == ("index:public.customers_lower", "index:public.customers_pkey")
    assert (found.transaction, found.unknown, found.refused_by_server) == ("allowed", (), None)
    assert found.conflicts_with.reads
    assert found.conflicts_with.writes
    assert found.invalidates_prepared
    assert found.lock_count == 3


def test_sub_commands_are_one_statement() -> None:
    found = one("alter table orders alter total type float8, add column note text, add check (id > 0)")
    assert found.operations == ("alter_column_type", "add_column", "add_check")
    assert found.refused_by_server is not None
    assert found.refused_by_server.sqlstate == "0A000"
    found = one("alter table customers add column email text, alter name type varchar(80)")
    assert found.rewrites == ()
    assert found.index_rebuilds == ("index:public.customers_lower",)
    assert found.scans == ("table:public.customers",)


def test_drops_come_before_what_the_text_says_first() -> None:
    setup = "create table t (a int, constraint c check (a is not null))"
    assert one("alter table t alter a set not null", setup).scans == ()
    assert one("alter table t alter a set not null, drop constraint c", setup).scans == ("table:public.t",)


def test_each_statement_sees_what_the_ones_before_it_left() -> None:
    found = predict(
        """
        alter table customers rename to clients;
        create table log (id int, client int references clients);
        set timezone = 'UTC';
        alter table events alter at type timestamptz;
        drop view totals;
        drop table orders;
        """,
        catalog(),
        version=18,
    )
    assert found[0].locks == {"table:public.customers": AX}
    assert found[1].locks["table:public.clients"] == SRX
    assert found[3].refused_by_server is not None  # the partition key
    assert found[4].locks == {"view:public.totals": AX}
    assert found[5].locks == {
        "index:public.orders_pkey": AX,
        "sequence:public.orders_id_seq": AX,
        "table:public.clients": AX,
        "table:public.orders": AX,
    }
    assert [each.line for each in found] == [2, 3, 4, 5, 6, 7]


def test_cascade_reaches_what_depends() -> None:
    assert one("drop table orders").refused_by_server is not None
    found = one("drop table orders cascade")
    assert found.refused_by_server is None
    assert found.locks["view:public.totals"] == AX
    assert found.locks["table:public.customers"] == AX


def test_only_relations_that_existed_before_are_listed() -> None:
    found = one("create table a (id int primary key); create index on a (id)".partition(";")[0])
    assert found.locks == {}
    assert one("alter table customers add unique (name)").index_rebuilds == ()


def test_planning_takes_locks_on_indexes() -> None:
    assert one("select * from totals").locks == {
        "index:public.orders_pkey": AS,
        "table:public.orders": AS,
        "view:public.totals": AS,
    }
    assert "index:public.events_what" in one("select * from events", version=16).locks
    assert "index:public.events_what" not in one("select * from events", version=15).locks


def test_what_a_transaction_block_refuses() -> None:
    found = one("create index concurrently on customers (name)")
    assert found.transaction == "refused"
    assert found.refused_by_server is None
    assert found.waits_for == ("old_snapshots", "writers_of_target")
    assert found.leftover_on_timeout == "invalid_index"
    inside = predict("begin; create index concurrently on customers (name)", catalog(), version=18)[1]
    assert inside.refused_by_server is not None
    assert inside.refused_by_server.sqlstate == "25001"


def test_without_a_catalog_what_is_missing_is_named() -> None:
    found = predict("alter table t alter c type text; drop table u; select 1", Catalog(), version=18)
    assert found[0].locks == {"table:public.t": AX}
    assert "the present type of t.c" in found[0].unknown
    assert any("public.u" in what for what in found[1].unknown)
    assert found[2].unknown == ()


def test_an_incomplete_catalog_says_so_everywhere() -> None:
    doubted = replace(catalog(), incomplete=("a query failed",))
    found = predict("alter table customers add column a int", doubted, version=18)[0]
    assert found.unknown == ("a query failed",)


def test_routines_that_are_called_and_triggers_that_fire() -> None:
    setup = """
    create table t (a int); create table log (a int); create table other (a int);
    create function note() returns trigger language plpgsql as
    $$ begin insert into log values (new.a); return new; end $$;
    create trigger tr before insert on t for each row execute function note();
    create function reads() returns bigint language sql as 'select count(*) from other';
    create function dynamic(name text) returns int language plpgsql as $$
    begin execute format('drop table %I', name); return 1; end $$;
    """
    assert one("insert into t values (1)", setup).locks == {
        "table:public.log": "ROW EXCLUSIVE",
        "table:public.t": "ROW EXCLUSIVE",
    }
    found = one("select reads()", setup)
    assert (found.operations, found.locks, found.unknown) == (("select",), {"table:public.other": AS}, ())
    assert one("select dynamic('t')", setup).unknown[-1] == "what function public.dynamic does"


def test_the_time_zone_decides() -> None:
    setup = "create table t (at timestamp); create index on t (at)"
    sql = "alter table t alter at type timestamptz"
    assert one(sql, setup, timezone="UTC").rewrites == ()
    assert one(sql, setup, timezone="UTC").index_rebuilds == ("index:public.t_at_idx",)
    assert one(sql, setup, timezone="Europe/Paris").rewrites == ("table:public.t",)
    assert "the session's TimeZone" in one(sql, setup).unknown


def test_text_that_is_no_sql() -> None:
    found = predict("select 1; selec 2; select 3", catalog(), version=18)
    assert [each.refused_by_server and each.refused_by_server.sqlstate for each in found] == [None, "42601", None]


def test_a_prepared_statement_is_known_when_it_is_executed() -> None:
    found = predict("prepare q as delete from events; execute q", catalog(), version=18)
    assert found[0].locks == {"table:public.events": "ROW EXCLUSIVE"}
    assert found[1].locks["table:public.events_1"] == "ROW EXCLUSIVE"
    assert found[1].unknown == ()


# --- the document -----------------------------------------------------------------------------------------------------


def document(sql: str) -> dict[str, Any]:
    found = EffectsDocument(schema_version=1, pg_version=18, statements=tuple(predict(sql, catalog(), version=18)))
    parsed: dict[str, Any] = json.loads(encode(found))
    return parsed


def test_the_document_is_what_the_interface_promises() -> None:
    text = "alter table customers add column a int; vacuum customers; drop table missing"
    parsed = document(text)
    assert list(parsed) == ["schema_version", "pg_version", "statements"]
    first = parsed["statements"][0]
    assert list(first) == sorted(first)
    assert first == {
        "file": "<sql>",
        "line": 1,
        "sql_span": {"line": 1, "column": 1, "end_line": 1, "end_column": 39},
        "operations": ["add_column"],
        "locks": {"table:public.customers": AX},
        "rewrites": [],
        "scans": [],
        "index_rebuilds": [],
        "transaction": "allowed",
        "refused_by_server": None,
        "waits_for": [],
        "leftover_on_timeout": None,
        "conflicts_with": {"reads": True, "writes": True, "ddl": True},
        "rests_on": first["rests_on"],
        "unknown": [],
        "invalidates_prepared": True,
        "lock_count": 1,
    }
    assert first["rests_on"][0]["fact"] == "add-column"
    assert parsed["statements"][2]["refused_by_server"]["sqlstate"] == "42P01"
    described = json.loads(schema())
    jsonschema.Draft202012Validator.check_schema(described)
    jsonschema.Draft202012Validator(described).validate(parsed)


def test_the_schema_in_the_documentation_is_current() -> None:
    kept = Path(__file__).parents[2] / "docs" / "schemas" / "effects.schema.json"
    assert kept.read_bytes() == schema(), "run docs/schemas/generate.py"


def test_files(tmp_path: Path) -> None:
    file = tmp_path / "a.sql"
    file.write_text("create table t (a int);\nalter table t add b int;\n")
    found = predict_file(str(file), None, version=None)
    assert [each.file for each in found.statements] == [str(file)] * 2
    assert found.statements[1].locks == {"table:public.t": AX}
    with pytest.raises(InputError):
        predict_file(str(tmp_path / "none.sql"), None, version=None)
