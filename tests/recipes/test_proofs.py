"""Each recipe on a server, on a table of 200,000 rows, beside writers: it stops others for less time than the naive
statement, ends where that ends, loses no write, and can be taken back.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.guard.asynchronous import asynchronous
from tests.recipes.proving import Proof, Version, prove
from tests.servers import TestServer

_KEY = "ALTER TABLE t ADD PRIMARY KEY (id)"
_CARRYING = f"""{_KEY};
ALTER TABLE t ALTER COLUMN n SET NOT NULL, ALTER COLUMN n SET DEFAULT 7,
  ADD CONSTRAINT one UNIQUE (n, id), ADD CONSTRAINT positive CHECK (n > 0);
CREATE INDEX by_n ON t (n DESC, note);
COMMENT ON COLUMN t.n IS 'it''s'"""
_PARTED = """CREATE TABLE parted (LIKE t) PARTITION BY RANGE (id);
ALTER TABLE parted ATTACH PARTITION t FOR VALUES FROM (-5) TO (2000000)"""
#: Recipe (with a word after a colon where there are several): the naive statement, what has to be there before, and
#: what else the proof needs.
_CASES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "create-index-concurrently": ("CREATE INDEX by_note ON t (lower(note)) WHERE n > 0", "", {}),
    "create-index-concurrently:unique": ("CREATE UNIQUE INDEX ON t (id) INCLUDE (n)", "", {}),
    "drop-index-concurrently": ("DROP INDEX by_note", "CREATE INDEX by_note ON t (note)", {}),
    "add-check": ("ALTER TABLE t ADD CONSTRAINT positive CHECK (n > 0 AND note <> 'it''s')", "", {}),
    "add-foreign-key": ("ALTER TABLE t ADD FOREIGN KEY (other_id) REFERENCES other ON DELETE SET NULL", "", {}),
    "set-not-null": ("ALTER TABLE t ALTER COLUMN id SET NOT NULL", "ALTER TABLE t ALTER COLUMN id DROP NOT NULL", {}),
    "add-unique": ("ALTER TABLE t ADD CONSTRAINT one UNIQUE (id) DEFERRABLE", "", {}),
    "add-primary-key": ("ALTER TABLE t ADD PRIMARY KEY (id)", "ALTER TABLE t ALTER COLUMN id DROP NOT NULL", {}),
    "add-column-volatile-default": ("ALTER TABLE t ADD COLUMN token uuid NOT NULL DEFAULT gen_random_uuid()", _KEY, {}),
    "rename-table": (
        "ALTER TABLE t RENAME TO people",
        "GRANT SELECT, INSERT ON t TO PUBLIC",
        {
            "versions": (
                Version(),
                Version(
                    "INSERT INTO people (id, note) VALUES (%(key)s, %(note)s)",
                    "UPDATE people SET note = %(note)s WHERE id = %(key)s",
                ),
            ),
            "reads": ("people", "note"),
        },
    ),
    "drop-column": (
        "ALTER TABLE t DROP COLUMN n",
        "ALTER TABLE t ALTER COLUMN n SET NOT NULL",
        {"versions": (Version("INSERT INTO t (id, note, n) VALUES (%(key)s, %(note)s, 1)"), Version())},
    ),
    "change-column-type": (
        "ALTER TABLE t ALTER COLUMN n TYPE bigint",
        _CARRYING,
        {"kept": "SELECT id, n::text FROM t WHERE id <= 1000"},
    ),
    "change-column-type:using": (
        "ALTER TABLE t ALTER COLUMN n TYPE text USING 'x' || n || coalesce(other_id::text, '-')",
        f"{_KEY}; CREATE INDEX by_n ON t (n)",
        {"kept": "SELECT id, n FROM t WHERE id <= 1000"},
    ),
    "rename-column": (
        "ALTER TABLE t RENAME COLUMN note TO remark",
        f"{_KEY}; UPDATE t SET note = '' WHERE note IS NULL",
        {
            "versions": (
                Version(),
                Version(
                    "INSERT INTO t (id, remark) VALUES (%(key)s, %(note)s)",
                    "UPDATE t SET remark = %(note)s WHERE id = %(key)s",
                ),
            ),
            "reads": ("t", "remark"),
        },
    ),
    "attach-partition": (
        "ALTER TABLE parted ATTACH PARTITION t FOR VALUES FROM (-5) TO (2000000)",
        "CREATE TABLE parted (LIKE t) PARTITION BY RANGE (id)",
        {},
    ),
    "detach-partition": (
        "ALTER TABLE parted DETACH PARTITION t",
        _PARTED,
        {"table": "parted"},
    ),
    "create-index-on-partitions": (
        "CREATE UNIQUE INDEX by_id ON parted (id) INCLUDE (note)",
        f"{_PARTED}; CREATE TABLE more PARTITION OF parted FOR VALUES FROM (2000000) TO (3000000)",
        {},
    ),
    "reindex-concurrently": ("REINDEX TABLE t", f"{_KEY}; CREATE INDEX ON t (note)", {}),
    "refresh-concurrently": (
        "REFRESH MATERIALIZED VIEW counted",
        "CREATE MATERIALIZED VIEW counted AS SELECT id FROM t WHERE id <= 1000; CREATE UNIQUE INDEX ON counted (id)",
        {"table": "counted"},
    ),
    "lock-timeout": ("ALTER TABLE t ADD COLUMN more text", "", {}),
    "drop-table": ("DROP TABLE other", "", {"table": "other"}),
    "backfill": ("UPDATE t SET n = n + 1", _KEY, {"undoing": False}),
}
#: A stall that is longer than any that a busy machine makes of a moment, in seconds.
_LONG_S = 0.2
#: They lock something strongly that only their like would wait for: the old index at its end, the view against refreshes.
_OF_ITS_OWN = {"reindex-concurrently", "refresh-concurrently"}
#: Their naive statement is short too, and takes the same locks for a moment; what differs is what breaks meanwhile.
_SHORT = {
    "drop-index-concurrently",
    "rename-table",
    "drop-column",
    "drop-table",
    "backfill",
    "rename-column",
    "lock-timeout",
    "detach-partition",
}


@pytest.mark.majors(14, 18)
@pytest.mark.parametrize("name", list(_CASES))
@asynchronous
async def test_recipe(pg: TestServer, name: str) -> None:
    sql, before, more = _CASES[name]
    proof = await prove(pg.new_database, sql, before=before, **more)
    _verify(proof, name)
    if more.get("undoing", True):
        assert proof.undone == []


def _verify(proof: Proof, name: str) -> None:
    assert proof.outcome.exit_code == 0, proof.outcome.message
    assert [each.recipe.id for each in proof.plan.replaced] == [name.partition(":")[0]]
    assert proof.failures == []
    assert proof.lost == []
    assert [each for each in proof.differs if not _is_declared(each, proof)] == []
    assert proof.same_columns
    assert proof.same_data
    for step in proof.plan.plan.steps:
        if step.lock_class in ("reads", "writes", "unknown") and name not in _SHORT | _OF_ITS_OWN:
            # Nothing that grows with the table happens while others are stopped.
            assert step.estimate is not None, step.sql
            assert step.estimate.basis == "changes the catalogs only", step.sql
    if proof.naive.writes > _LONG_S:
        assert proof.safe.writes < proof.naive.writes
        assert proof.safe.reads < proof.naive.writes


def _is_declared(difference: str, proof: Proof) -> bool:
    declared = {"column_order": " changed columns", "a_check_more": " changed constraints"}
    ends = [declared[each] for each in proof.plan.replaced[0].recipe.differs if each in declared]
    return difference.endswith(tuple(ends))
