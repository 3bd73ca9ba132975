from __future__ import annotations

from typing import Any

import pytest

from dflint.model.expressions import Expr
from dflint.model.names import Name
from dflint.model.operations.base import Operation
from dflint.model.operations.indexes import CreateIndex
from dflint.model.operations.objects import (
    AlterDefaultPrivileges,
    AlterOther,
    AlterPublication,
    CreateExtension,
    CreateOther,
    CreatePublication,
    CreateSchema,
    CreateSequence,
    CreateView,
    GrantPrivileges,
    GrantRole,
)
from dflint.model.operations.tables import CreateTable
from dflint.sql.build.nodes import Node, Unread
from dflint.sql.build.registry import builder
from tests.sql.building import INT4, build, build_one, library, name, tree

#: a > 1
AT_LEAST_TWO = Expr(
    "operator",
    name=Name(None, ">"),
    args=(Expr("column", name=Name(None, "a")), Expr("constant", name=Name(None, "number"), value="1")),
)


def granted(kind: str, target: str | None, *privileges: str, **values: Any) -> GrantPrivileges:
    values.setdefault("grantees", ("x",))
    return GrantPrivileges(object_kind=kind, target=name(target) if target else None, privileges=privileges, **values)


def other(kind: str, target: str | None, **values: Any) -> CreateOther:
    return CreateOther(object_kind=kind, target=name(target) if target else None, **values)


def altered(kind: str, target: str | None, action: str, **values: Any) -> AlterOther:
    return AlterOther(object_kind=kind, target=name(target) if target else None, action=action, **values)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("CREATE SCHEMA s", CreateSchema(target=name("s"))),
        (
            "CREATE SCHEMA IF NOT EXISTS s AUTHORIZATION CURRENT_USER",
            CreateSchema(target=name("s"), if_not_exists=True, owner="current_user"),
        ),
        ("CREATE SCHEMA AUTHORIZATION u", CreateSchema(target=name("u"), owner="u")),
        ("CREATE EXTENSION e", CreateExtension(target=name("e"))),
        (
            "CREATE EXTENSION IF NOT EXISTS e WITH SCHEMA s VERSION '1.2' CASCADE",
            CreateExtension(target=name("e"), schema="s", version="1.2", if_not_exists=True, cascade=True),
        ),
        ("ALTER EXTENSION e UPDATE", altered("extension", "e", "update")),
        ("ALTER EXTENSION e UPDATE TO '2'", altered("extension", "e", "update", options=(("new_version", "2"),))),
        ("ALTER EXTENSION e ADD TABLE s.t", altered("extension", "e", "add", detail="table s.t")),
        (
            "ALTER EXTENSION e DROP FUNCTION f(int, text)",
            altered("extension", "e", "drop", detail="function f(pg_catalog.int4, pg_catalog.text)"),
        ),
        (
            "ALTER EXTENSION e ADD OPERATOR CLASS c USING gin",
            altered("extension", "e", "add", detail="operator_class c gin"),
        ),
    ],
)
def test_schemas_and_extensions(sql: str, expected: Operation) -> None:
    assert build_one(sql) == expected


def test_what_a_schema_is_created_with_is_in_that_schema() -> None:
    sql = (
        "CREATE SCHEMA s CREATE TABLE a (i int PRIMARY KEY) CREATE TABLE b (i int REFERENCES a, j int REFERENCES o) "
        "CREATE VIEW v AS SELECT b.i FROM b JOIN public.a ON true JOIN o ON true "
        "CREATE SEQUENCE q CREATE INDEX ON b (i) GRANT SELECT ON a, o TO u"
    )
    schema, a, b, view, sequence, index, grant_a, grant_o = build(sql)
    assert schema == CreateSchema(target=name("s"))
    assert [type(op) for op in (a, b, view, sequence, index)] == [
        CreateTable,
        CreateTable,
        CreateView,
        CreateSequence,
        CreateIndex,
    ]
    assert [str(op.target) for op in (a, b, view, sequence, index)] == ["s.a", "s.b", "s.v", "s.q", "s.b"]
    assert isinstance(b, CreateTable)
    # Only what is created here is surely found here.
    assert [column.constraints[0].references for column in b.columns] == [name("s.a"), name("o")]
    assert isinstance(view, CreateView)
    assert view.query.reads == (name("s.b"), name("public.a"), name("o"))
    assert (grant_a.target, grant_o.target) == (name("s.a"), name("o"))
    assert [sql[op.at] for op in (a, b, view, sequence, index, grant_a, grant_o)] == list("abvqbao")


def test_a_schema_with_a_name_that_nothing_tells_is_not_read() -> None:
    with pytest.raises(Unread):
        build("CREATE SCHEMA AUTHORIZATION CURRENT_USER")


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("GRANT SELECT ON t TO x", granted("table", "t", "select", at=16)),
        (
            "GRANT SELECT, UPDATE ON s.t TO x, PUBLIC WITH GRANT OPTION GRANTED BY CURRENT_USER",
            granted("table", "s.t", "select", "update", at=24, grantees=("x", "public"), grant_option=True),
        ),
        ("REVOKE ALL ON t FROM x CASCADE", granted("table", "t", "all", at=14, revoke=True, cascade=True)),
        (
            "REVOKE GRANT OPTION FOR EXECUTE ON FUNCTION f(int) FROM x",
            granted("function", "f", "execute", arguments=(INT4,), revoke=True, grant_option=True),
        ),
        ("GRANT ALL (a, b) ON t TO x", granted("table", "t", "all", columns=("a", "b"), at=20)),
        ("GRANT USAGE ON SEQUENCE s TO x", granted("sequence", "s", "usage", at=24)),
        ("GRANT ALL ON ALL TABLES IN SCHEMA s TO x", granted("table", None, "all", all_in_schema="s")),
        ("GRANT EXECUTE ON ALL ROUTINES IN SCHEMA s TO x", granted("routine", None, "execute", all_in_schema="s")),
        ("GRANT USAGE ON SCHEMA s TO x", granted("schema", "s", "usage")),
        ("GRANT USAGE ON TYPE s.t TO x", granted("type", "s.t", "usage")),
        ("GRANT USAGE ON DOMAIN d TO x", granted("domain", "d", "usage")),
        ("GRANT USAGE ON LANGUAGE l TO x", granted("language", "l", "usage")),
        ("GRANT SELECT ON LARGE OBJECT 1 TO x", granted("large_object", "1", "select")),
        (
            "GRANT SET ON PARAMETER a.b TO x",
            GrantPrivileges(object_kind="parameter", target=Name(None, "a.b"), privileges=("set",), grantees=("x",)),
        ),
        ("GRANT USAGE ON FOREIGN SERVER s TO x", granted("server", "s", "usage")),
        ("GRANT USAGE ON FOREIGN DATA WRAPPER f TO x", granted("fdw", "f", "usage")),
        ("GRANT CONNECT, TEMP ON DATABASE d TO x", granted("database", "d", "connect", "temp")),
        ("GRANT CREATE ON TABLESPACE t TO x", granted("tablespace", "t", "create")),
        ("GRANT a, b TO c", GrantRole(roles=("a", "b"), grantees=("c",))),
        (
            "GRANT a TO c WITH ADMIN OPTION GRANTED BY d",
            GrantRole(roles=("a",), grantees=("c",), options=(("admin", "true"),)),
        ),
        (
            "GRANT a TO c WITH INHERIT FALSE, SET TRUE",
            GrantRole(roles=("a",), grantees=("c",), options=(("inherit", "false"), ("set", "true"))),
        ),
        ("REVOKE a FROM b CASCADE", GrantRole(revoke=True, roles=("a",), grantees=("b",))),
        (
            "REVOKE ADMIN OPTION FOR a FROM b",
            GrantRole(revoke=True, roles=("a",), grantees=("b",), options=(("admin", "false"),)),
        ),
        (
            "ALTER DEFAULT PRIVILEGES FOR ROLE a, b IN SCHEMA s, t GRANT SELECT ON TABLES TO x WITH GRANT OPTION",
            AlterDefaultPrivileges(privileges=("select",), grantees=("x",), roles=("a", "b"), schemas=("s", "t")),
        ),
        (
            "ALTER DEFAULT PRIVILEGES REVOKE ALL ON FUNCTIONS FROM x",
            AlterDefaultPrivileges(revoke=True, object_kind="function", privileges=("all",), grantees=("x",)),
        ),
        (
            "ALTER DEFAULT PRIVILEGES GRANT ALL ON LARGE OBJECTS TO x",
            AlterDefaultPrivileges(object_kind="large_object", privileges=("all",), grantees=("x",)),
        ),
    ],
)
def test_privileges(sql: str, expected: Operation) -> None:
    assert build_one(sql) == expected


def test_a_grant_is_split_by_object_and_by_columns() -> None:
    assert build("GRANT SELECT, INSERT (a), UPDATE ON t, u TO x") == [
        granted("table", "t", "select", "update", at=36),
        granted("table", "t", "insert", columns=("a",), at=36),
        granted("table", "u", "select", "update", at=39),
        granted("table", "u", "insert", columns=("a",), at=39),
    ]
    assert build("GRANT USAGE ON SCHEMA s, t TO x") == [
        granted("schema", "s", "usage", clause=0),
        granted("schema", "t", "usage", clause=1),
    ]
    # With several privileges a comma no longer tells which object it is about.
    assert build("GRANT USAGE, CREATE ON SCHEMA s, t TO x") == [
        granted("schema", "s", "usage", "create"),
        granted("schema", "t", "usage", "create"),
    ]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("CREATE USER r", other("role", "r", detail="user")),
        (
            "CREATE ROLE r LOGIN PASSWORD 'secret' IN ROLE a, b",
            other(
                "role", "r", detail="role", options=(("canlogin", "true"), ("password", "***"), ("addroleto", "a, b"))
            ),
        ),
        ("CREATE GROUP r USER a", other("role", "r", detail="group", options=(("rolemembers", "a"),))),
        (
            "ALTER ROLE r NOLOGIN PASSWORD NULL",
            altered("role", "r", "set_options", options=(("canlogin", "false"), ("password", None))),
        ),
        ("ALTER GROUP r ADD USER a", altered("role", "r", "add_members", options=(("rolemembers", "a"),))),
        ("ALTER GROUP r DROP USER a", altered("role", "r", "drop_members", options=(("rolemembers", "a"),))),
        ("ALTER ROLE r SET search_path = a, b", altered("role", "r", "set", options=(("search_path", "a, b"),))),
        ("ALTER USER r SET x TO DEFAULT", altered("role", "r", "set", options=(("x", None),))),
        ("ALTER USER r SET x FROM CURRENT", altered("role", "r", "set_from_current", options=(("x", None),))),
        ("ALTER ROLE ALL IN DATABASE d RESET x", altered("role", None, "reset", options=(("x", None),), detail="d")),
        ("ALTER ROLE r RESET ALL", altered("role", "r", "reset_all")),
    ],
)
def test_roles(sql: str, expected: Operation) -> None:
    assert build_one(sql) == expected


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("CREATE PUBLICATION p", CreatePublication(target=name("p"))),
        (
            "CREATE PUBLICATION p FOR ALL TABLES WITH (publish = 'insert')",
            CreatePublication(target=name("p"), all_tables=True, options=(("publish", "insert"),)),
        ),
        (
            "CREATE PUBLICATION p FOR TABLE ONLY s.t (a, b) WHERE (a > 1), u, TABLES IN SCHEMA x, CURRENT_SCHEMA",
            CreatePublication(
                target=name("p"),
                tables=(name("s.t"), name("u")),
                only=(name("s.t"),),
                schemas=("x", "CURRENT_SCHEMA"),
                columns=((name("s.t"), ("a", "b")),),
                filters=((name("s.t"), AT_LEAST_TWO),),
            ),
        ),
        (
            "ALTER PUBLICATION p ADD TABLE t, u",
            AlterPublication(target=name("p"), action="add", tables=(name("t"), name("u"))),
        ),
        (
            "ALTER PUBLICATION p DROP TABLES IN SCHEMA x",
            AlterPublication(target=name("p"), action="drop", schemas=("x",)),
        ),
        ("ALTER PUBLICATION p SET TABLE t", AlterPublication(target=name("p"), action="set", tables=(name("t"),))),
        (
            "ALTER PUBLICATION p SET (publish = 'insert')",
            AlterPublication(target=name("p"), action="options", options=(("publish", "insert"),)),
        ),
        (
            "CREATE SUBSCRIPTION s CONNECTION 'password=secret' PUBLICATION p, q WITH (enabled = false)",
            other("subscription", "s", options=(("enabled", "false"),), detail="p, q"),
        ),
        ("ALTER SUBSCRIPTION s CONNECTION 'password=secret'", altered("subscription", "s", "set_connection")),
        (
            "ALTER SUBSCRIPTION s SET PUBLICATION p WITH (refresh = false)",
            altered("subscription", "s", "set_publication", options=(("refresh", "false"),), detail="p"),
        ),
        ("ALTER SUBSCRIPTION s ADD PUBLICATION p", altered("subscription", "s", "add_publication", detail="p")),
        ("ALTER SUBSCRIPTION s DROP PUBLICATION p", altered("subscription", "s", "drop_publication", detail="p")),
        ("ALTER SUBSCRIPTION s REFRESH PUBLICATION", altered("subscription", "s", "refresh")),
        ("ALTER SUBSCRIPTION s DISABLE", altered("subscription", "s", "set_enabled", options=(("enabled", "false"),))),
        (
            "ALTER SUBSCRIPTION s SET (slot_name = NONE)",
            altered("subscription", "s", "set_options", options=(("slot_name", "none"),)),
        ),
        ("ALTER SUBSCRIPTION s SKIP (lsn = NONE)", altered("subscription", "s", "skip", options=(("lsn", "none"),))),
    ],
)
def test_publications_and_subscriptions(sql: str, expected: Operation) -> None:
    assert build_one(sql) == expected


@pytest.mark.parametrize(
    ("sql", "change"),
    [
        ("GRANT SELECT ON t TO x", {"targtype": "ACL_TARGET_EVERYTHING"}),
        ("GRANT SELECT ON t TO x", {"objtype": "OBJECT_DEFACL"}),
        ("CREATE USER u", {"stmt_type": "ROLESTMT_ROBOT"}),
        ("CREATE EXTENSION e", {"options": [{"DefElem": {"defname": "old_version"}}]}),
        ("ALTER EXTENSION e ADD TABLE t", {"action": 2}),
        ("ALTER PUBLICATION p ADD TABLE t", {"action": "AP_Forget"}),
        ("ALTER PUBLICATION p ADD TABLE t", {"for_all_tables": True}),
        ("ALTER SUBSCRIPTION s ENABLE", {"kind": "ALTER_SUBSCRIPTION_PAUSE"}),
        ("CREATE SCHEMA s", {"schemaElts": [{"CreateEnumStmt": {}}]}),
        ("ALTER ROLE r SET x = 1", {"setstmt": {"kind": "VAR_SET_MULTI", "name": "TRANSACTION"}}),
        ("ALTER DEFAULT PRIVILEGES GRANT SELECT (a) ON TABLES TO x", {}),
    ],
)
def test_what_is_not_known_is_not_read(sql: str, change: Node) -> None:
    ((kind, node),) = tree(sql).items()
    build_changed = builder(kind)
    assert build_changed is not None
    with pytest.raises(Unread):
        build_changed({**node, **change}, library())
