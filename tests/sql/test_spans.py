from __future__ import annotations

import pytest

from dflint.model.migration import Section, Span
from dflint.sql.libpg_query import load_library
from dflint.sql.parse import Parser
from dflint.sql.spans import operation_span

PARSER = Parser(load_library())


def spans(sql: str) -> list[str]:
    """The text of each operation's span."""
    text = sql.encode()
    (statements,) = PARSER.parse(text, [Section("up", Span(0, len(text)))])
    return [
        text[slice(*operation_span(PARSER.library, text, statement, operation))].decode()
        for statement in statements
        for operation in statement.operations
    ]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("-- note\n  drop table a ;\n", ["drop table a"]),
        ("drop table a -- why\n;", ["drop table a"]),
        ('alter table only s."T x" drop column c;', ["drop column c"]),
        ("alter table /* odd */ t drop column c;", ["drop column c"]),
        ("alter table t * drop column c", ["drop column c"]),
        (
            "alter table t add column a numeric(1, 2),\n  drop column b, -- the last\n  alter c set not null;",
            ["a numeric(1, 2)", "drop column b", "alter c set not null"],
        ),
        ("drop table a, s.b, c cascade", ["drop table a, s.b, c cascade", "s.b", "c cascade"]),
        ("create index i on t (a)", ["create index i on t (a)"]),
        ("selec 1; select 'ä', 2", ["selec 1", "select 'ä', 2"]),
    ],
)
def test_operations_point_at_their_clause(sql: str, expected: list[str]) -> None:
    assert spans(sql) == expected


def test_operations_of_a_do_block_point_at_their_line() -> None:
    sql = "select 1;\nDO $x$\nBEGIN\n  IF true THEN\n    DROP TABLE a;\n  END IF;\n  EXECUTE 'drop table b';\nEND $x$;"
    assert spans(sql)[2:] == ["DROP TABLE a;", "EXECUTE 'drop table b';"]
