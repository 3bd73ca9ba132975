"""Foreign keys that take the place of others, and keys of partitioned tables, beside writers."""

from __future__ import annotations

import pytest

from dflint.app.safe_plan import safe_plan_sql
from tests.guard.asynchronous import asynchronous
from tests.recipes.proving import Proof, catalog_after, prove
from tests.servers import TestServer

#: A stall that is longer than any that a busy machine makes of a moment, in seconds.
_LONG_S = 0.2
_TO_OTHER = "ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (other_id) REFERENCES other"
_PARTED = """
CREATE TABLE parted (LIKE t) PARTITION BY RANGE (id);
ALTER TABLE parted ATTACH PARTITION t FOR VALUES FROM (-5) TO (2000000);
CREATE TABLE "mo re" PARTITION OF parted FOR VALUES FROM (2000000) TO (3000000)"""
_ON_PARTITIONS: dict[str, str] = {
    "add-foreign-key-on-partitions": "ALTER TABLE parted ADD FOREIGN KEY (other_id) REFERENCES other ON DELETE CASCADE",
    "add-key-on-partitions": "ALTER TABLE parted ADD CONSTRAINT one UNIQUE (id, n) INCLUDE (note)",
}


@pytest.mark.majors(14, 15, 18)
@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE t DROP CONSTRAINT f, ADD CONSTRAINT f FOREIGN KEY (other_id) REFERENCES other ON DELETE CASCADE",
        (
            "BEGIN; ALTER TABLE t DROP CONSTRAINT f; "
            "ALTER TABLE t ADD FOREIGN KEY (other_id) REFERENCES other (id) ON UPDATE CASCADE DEFERRABLE; COMMIT"
        ),
    ],
)
@asynchronous
async def test_another_action(pg: TestServer, sql: str) -> None:
    proof = await prove(pg.new_database, sql, before=f"{_TO_OTHER}; COMMENT ON CONSTRAINT f ON t IS 'x'")
    _verify_one(proof, "change-foreign-key")
    # Nothing that grows with the table happens while others are stopped.
    for step in proof.plan.plan.steps:
        if step.lock_class in ("reads", "writes", "unknown"):
            assert step.estimate is not None
            assert step.estimate.basis == "changes the catalogs only"


@pytest.mark.majors(14, 15, 18)
@pytest.mark.parametrize("recipe", list(_ON_PARTITIONS))
@asynchronous
async def test_keys_of_partitioned_tables(pg: TestServer, recipe: str) -> None:
    proof = await prove(pg.new_database, _ON_PARTITIONS[recipe], before=_PARTED)
    if pg.major == 18 and recipe == "add-foreign-key-on-partitions":
        recipe = "add-foreign-key"
    _verify_one(proof, recipe)


@pytest.mark.majors(14, 15)
@asynchronous
async def test_a_primary_key_of_a_partitioned_table(pg: TestServer) -> None:
    sql = "ALTER TABLE parted ADD PRIMARY KEY (id)"
    _verify_one(await prove(pg.new_database, sql, before=_PARTED), "add-key-on-partitions")


def _verify_one(proof: Proof, recipe: str) -> None:
    assert [each.recipe.id for each in proof.plan.rewritten] == [recipe]
    assert proof.outcome.exit_code == 0, proof.outcome.message
    assert (proof.failures, proof.lost, proof.differs, proof.undone) == ([], [], [], [])
    assert proof.same_columns
    if proof.naive.writes > _LONG_S:
        assert proof.safe.writes < proof.naive.writes


def test_foreign_keys_are_exchanged_in_pairs() -> None:
    before = (
        "CREATE TABLE u (id int PRIMARY KEY); "
        "CREATE TABLE t (a int CONSTRAINT x REFERENCES u, b int CONSTRAINT y REFERENCES u)"
    )
    dropped = ["ALTER TABLE t DROP CONSTRAINT x", "ALTER TABLE t DROP CONSTRAINT y"]
    added = [f"ALTER TABLE t ADD FOREIGN KEY ({each}) REFERENCES u ON DELETE CASCADE" for each in "ab"]
    found = safe_plan_sql("; ".join(dropped + added), catalog_after(before, 18), version=18)
    assert [(each.recipe.id, each.statement) for each in found.replaced] == [
        ("change-foreign-key", f"{drop};\n{add}") for drop, add in zip(dropped, added, strict=True)
    ]


@pytest.mark.parametrize(
    "added",
    [
        "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES v",
        "ALTER TABLE t ADD FOREIGN KEY (b) REFERENCES u",
        "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u MATCH FULL",
        "UPDATE t SET a = 1 WHERE b = 2; ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u",
    ],
)
def test_what_is_another_foreign_key_is_not_exchanged(added: str) -> None:
    before = (
        "CREATE TABLE u (id int PRIMARY KEY); CREATE TABLE v (id int PRIMARY KEY); "
        "CREATE TABLE t (id int PRIMARY KEY, a int CONSTRAINT x REFERENCES u, b int)"
    )
    found = safe_plan_sql(f"ALTER TABLE t DROP CONSTRAINT x; {added}", catalog_after(before, 18), version=18)
    assert "change-foreign-key" not in {each.recipe.id for each in found.replaced}
    assert "add-foreign-key" in {each.recipe.id for each in found.replaced}
