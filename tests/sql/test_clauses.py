"""Parts of statements as text."""

from __future__ import annotations

import pytest

from dflint.sql.clauses import Clauses, clauses_of


@pytest.mark.parametrize(
    ("sql", "clause", "expected"),
    [
        (
            "ALTER TABLE a.t ADD CONSTRAINT c CHECK (x > 1 AND y ~ 'a''b') NOT VALID, ADD FOREIGN KEY (a) REFERENCES o",
            0,
            Clauses(constraint="CHECK (x > 1 AND y ~ 'a''b')", expression="x > 1 AND y ~ 'a''b'"),
        ),
        (
            'ALTER TABLE t ADD UNIQUE (z), ADD CONSTRAINT "C" FOREIGN KEY (a, b) REFERENCES o (c, d) DEFERRABLE NOT VALID',
            1,
            Clauses(constraint="FOREIGN KEY (a, b) REFERENCES o (c, d) DEFERRABLE"),
        ),
        (
            'ALTER TABLE t ALTER COLUMN c TYPE numeric(10,2) USING c::numeric, ALTER d TYPE "My Type"[]',
            0,
            Clauses(type="numeric(10, 2)", expression="c::numeric"),
        ),
        ('ALTER TABLE t ALTER c TYPE int, ALTER d TYPE s."My Type"[]', 1, Clauses(type='s."My Type"[]')),
        (
            "ALTER TABLE t ADD COLUMN c varchar(9) COLLATE \"C\" NOT NULL DEFAULT 'O''Brien' CHECK (c <> '')",
            0,
            Clauses(
                type="varchar(9)",
                collation='"C"',
                expression="'O''Brien'",
                column="varchar(9) CHECK (c <> '') COLLATE \"C\"",
            ),
        ),
        (
            "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON ONLY s.t (lower(a) DESC, b) INCLUDE (c) WHERE a > 'x'",
            -1,
            Clauses(index="USING btree (lower(a) DESC, b) INCLUDE (c) WHERE a > 'x'", where="a > 'x'"),
        ),
        (
            "UPDATE t x SET a = 1, b = lower(c) WHERE x.q IS NULL",
            -1,
            Clauses(where="x.q IS NULL", assignments="a = 1, b = lower(c)"),
        ),
        ("DELETE FROM t", -1, Clauses()),
        ("ALTER TABLE t ALTER c SET DEFAULT now()", 0, Clauses(expression="now()")),
        ("DROP TABLE t", -1, Clauses()),
    ],
)
def test_texts(sql: str, clause: int, expected: Clauses) -> None:
    assert clauses_of(sql, clause) == expected


def test_one_statement() -> None:
    with pytest.raises(ValueError, match="not one statement"):
        clauses_of("SELECT 1; SELECT 2")
