from __future__ import annotations

import pytest

from dflint.model.expressions import Type
from dflint.model.names import Name
from dflint.model.operations.base import Operation
from dflint.sql.build.nodes import Node, Unread
from dflint.sql.build.other_objects import alter_configuration, create_database, create_statistics
from dflint.sql.build.registry import Builder
from tests.sql.building import INT4, build_one, library, name, tree
from tests.sql.test_security import altered, other

NONE = Type(Name(None, "none"))


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("CREATE DATABASE d", other("database", "d")),
        (
            "CREATE DATABASE d OWNER = u CONNECTION LIMIT 3",
            other("database", "d", options=(("owner", "u"), ("connection_limit", "3"))),
        ),
        (
            "ALTER DATABASE d WITH ALLOW_CONNECTIONS false",
            altered("database", "d", "set_options", options=(("allow_connections", "false"),)),
        ),
        ("ALTER DATABASE d SET TABLESPACE t", altered("database", "d", "set_options", options=(("tablespace", "t"),))),
        ("ALTER DATABASE d SET x TO a, b", altered("database", "d", "set", options=(("x", "a, b"),))),
        ("ALTER DATABASE d RESET ALL", altered("database", "d", "reset_all")),
        ("ALTER DATABASE d REFRESH COLLATION VERSION", altered("database", "d", "refresh_collation_version")),
        ("ALTER SYSTEM SET x = 1", altered("system", None, "set", options=(("x", "1"),))),
        ("ALTER SYSTEM RESET x", altered("system", None, "reset", options=(("x", None),))),
        (
            "CREATE TABLESPACE t OWNER u LOCATION '/x' WITH (seq_page_cost = 1)",
            other("tablespace", "t", options=(("seq_page_cost", "1"),)),
        ),
        (
            "ALTER TABLESPACE t SET (seq_page_cost = 1)",
            altered("tablespace", "t", "set_options", options=(("seq_page_cost", "1"),)),
        ),
        (
            "ALTER TABLESPACE t RESET (seq_page_cost)",
            altered("tablespace", "t", "reset_options", options=(("seq_page_cost", None),)),
        ),
        (
            "CREATE CAST (int AS s.x) WITH FUNCTION f(int) AS IMPLICIT",
            other("cast", None, detail="pg_catalog.int4 AS s.x"),
        ),
        ("CREATE CAST (int AS x) WITHOUT FUNCTION", other("cast", None, detail="pg_catalog.int4 AS x")),
        ("CREATE CAST (x AS y) WITH INOUT AS ASSIGNMENT", other("cast", None, detail="x AS y")),
        ("CREATE DEFAULT CONVERSION s.c FOR 'UTF8' TO 'LATIN1' FROM f", other("conversion", "s.c")),
        (
            "CREATE OR REPLACE TRANSFORM FOR hstore LANGUAGE plperl (FROM SQL WITH FUNCTION f(internal))",
            other("transform", None, or_replace=True, detail="hstore LANGUAGE plperl"),
        ),
        (
            "CREATE OPERATOR CLASS s.c DEFAULT FOR TYPE int USING btree FAMILY f AS OPERATOR 1 <, STORAGE text",
            other("operator_class", "s.c", detail="btree"),
        ),
        ("CREATE OPERATOR FAMILY s.f USING gin", other("operator_family", "s.f", detail="gin")),
        (
            "ALTER OPERATOR FAMILY s.f USING gin ADD OPERATOR 1 < (int, int)",
            altered("operator_family", "s.f", "add", detail="gin"),
        ),
        (
            "ALTER OPERATOR FAMILY f USING gin DROP FUNCTION 1 (int, int)",
            altered("operator_family", "f", "drop", detail="gin"),
        ),
        (
            "ALTER OPERATOR s.+ (NONE, int) SET (restrict = NONE, join = f)",
            altered(
                "operator",
                "s.+",
                "set_options",
                arguments=(NONE, INT4),
                options=(("restrict", None), ("join", "f")),
            ),
        ),
        (
            "CREATE FOREIGN DATA WRAPPER f HANDLER s.h NO VALIDATOR OPTIONS (a 'b')",
            other("fdw", "f", options=(("handler", "s.h"), ("validator", None), ("a", "b"))),
        ),
        (
            "ALTER FOREIGN DATA WRAPPER f OPTIONS (ADD a 'b', SET c 'd', DROP e)",
            altered("fdw", "f", "set_options", options=(("a", "b"), ("c", "d"), ("e", None))),
        ),
        (
            "CREATE SERVER IF NOT EXISTS s TYPE 't' VERSION 'v' FOREIGN DATA WRAPPER f OPTIONS (host 'x')",
            other("server", "s", if_not_exists=True, options=(("host", "x"),), detail="f"),
        ),
        ("ALTER SERVER s VERSION '2'", altered("server", "s", "set_options")),
        (
            "CREATE USER MAPPING IF NOT EXISTS FOR CURRENT_USER SERVER s OPTIONS (user 'x', password 'secret')",
            other(
                "user_mapping",
                "current_user",
                if_not_exists=True,
                options=(("user", "x"), ("password", "***")),
                detail="s",
            ),
        ),
        (
            "ALTER USER MAPPING FOR x SERVER s OPTIONS (SET user 'y')",
            altered("user_mapping", "x", "set_options", options=(("user", "y"),), detail="s"),
        ),
        (
            "IMPORT FOREIGN SCHEMA r LIMIT TO (a, b) FROM SERVER s INTO l OPTIONS (x 'y')",
            altered("schema", "l", "import_foreign_schema", options=(("x", "y"),), detail="s.r"),
        ),
        ("CREATE ACCESS METHOD a TYPE INDEX HANDLER h", other("access_method", "a")),
        ("CREATE OR REPLACE TRUSTED LANGUAGE l HANDLER h INLINE i", other("language", "l", or_replace=True)),
        (
            "CREATE STATISTICS IF NOT EXISTS s.st (ndistinct) ON a, (b + 1) FROM s.t",
            other("statistics", "s.st", if_not_exists=True, on=name("s.t")),
        ),
        ("CREATE STATISTICS ON a, b FROM t", other("statistics", None, on=name("t"))),
        (
            "ALTER STATISTICS IF EXISTS st SET STATISTICS 100",
            altered("statistics", "st", "set_statistics", if_exists=True, options=(("statistics", "100"),)),
        ),
        (
            "ALTER STATISTICS st SET STATISTICS DEFAULT",
            altered("statistics", "st", "set_statistics", options=(("statistics", None),)),
        ),
        (
            "ALTER TEXT SEARCH DICTIONARY s.d (a = b, c)",
            altered("text_search_dictionary", "s.d", "set_options", options=(("a", "b"), ("c", None))),
        ),
        (
            "ALTER TEXT SEARCH CONFIGURATION s.c ADD MAPPING FOR word WITH simple",
            altered("text_search_configuration", "s.c", "add_mapping"),
        ),
        (
            "ALTER TEXT SEARCH CONFIGURATION c ALTER MAPPING FOR word WITH simple",
            altered("text_search_configuration", "c", "alter_mapping"),
        ),
        (
            "ALTER TEXT SEARCH CONFIGURATION c ALTER MAPPING REPLACE a WITH b",
            altered("text_search_configuration", "c", "replace_dictionary"),
        ),
        (
            "ALTER TEXT SEARCH CONFIGURATION c ALTER MAPPING FOR word REPLACE a WITH b",
            altered("text_search_configuration", "c", "replace_dictionary"),
        ),
        (
            "ALTER TEXT SEARCH CONFIGURATION c DROP MAPPING IF EXISTS FOR word",
            altered("text_search_configuration", "c", "drop_mapping"),
        ),
        ("ALTER COLLATION s.c REFRESH VERSION", altered("collation", "s.c", "refresh_version")),
    ],
)
def test_other_objects(sql: str, expected: Operation) -> None:
    assert build_one(sql) == expected


def test_kinds_name_the_object() -> None:
    assert build_one("CREATE SERVER s FOREIGN DATA WRAPPER f").kind == "create_server"
    assert build_one("ALTER SYSTEM RESET ALL").kind == "alter_system"


@pytest.mark.parametrize(
    ("sql", "change", "build"),
    [
        ("CREATE DATABASE d", {"missing_ok": True}, create_database),
        ("CREATE STATISTICS s ON a, b FROM t, u", {}, create_statistics),
        ("ALTER TEXT SEARCH CONFIGURATION c DROP MAPPING FOR w", {"kind": "ALTER_TSCONFIG_SWAP"}, alter_configuration),
    ],
)
def test_what_is_not_known_is_not_read(sql: str, change: Node, build: Builder) -> None:
    ((_, node),) = tree(sql).items()
    with pytest.raises(Unread):
        build({**node, **change}, library())
