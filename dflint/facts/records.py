"""Fact records: one statement form each, with its effect, as ``rules/facts/*.yaml`` has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

from dflint.model.effect import Confidence

#: The version of the format that this dflint reads.
SCHEMA = 1

#: Roles that a relation can play, with what they mean.
ROLES: Mapping[str, str] = {
    "target": "the relation named by the statement",
    "table": "the table that the named index, trigger, rule, policy or sequence belongs to",
    "referenced": "tables that the operation's own or the dropped foreign keys refer to",
    "referencing": "tables with foreign keys to the target",
    "parent": "the partitioned or inheritance parent",
    "partition": "the partition that ATTACH or DETACH names",
    "default_partition": "the default partition of the parent",
    "children": "partitions and inheritance children, at every depth",
    "partitions": "partitions of a partitioned table, at every depth",
    "indexes": "all indexes of the target",
    "index": "the index the statement names beside its target",
    "sequence": "the sequence that the column owns",
    "view": "views on the target that CASCADE drops",
    "using_table": "tables with columns of the domain or type",
    "typed_table": "tables created OF the type",
    "reads": "relations that the statement reads",
    "writes": "relations that WITH or a query inside writes",
    "listed": "tables that a publication lists",
}


class FactEffect(Struct, frozen=True, omit_defaults=True):
    """The effect of one statement form; see `dflint.model.effect.Effect`."""

    locks: dict[str, str] = {}
    rewrite: bool | None = False
    scan: bool | None = False
    index_rebuild: bool | None = False
    transaction: Literal["allowed", "refused", "unknown"] = "allowed"
    refused: str = ""
    waits_for: tuple[str, ...] = ()
    leftover_on_timeout: str = ""


class Fact(Struct, frozen=True, omit_defaults=True):
    """What PostgreSQL does with one form of statement.

    Attributes:
        operations: kinds, patterns expanded.
        since, until: server majors; ``until`` None means up to the newest.
        when: verified conditions, None for always.
        adds: comes on top of the alternative taken, instead of being one.
        note: the reason, or where it was seen.
        place: file and line.
    """

    id: str
    operations: tuple[str, ...]
    effect: FactEffect
    since: int | None = None
    until: int | None = None
    when: dict[str, Any] | None = None
    adds: bool = False
    confidence: Confidence = "medium"
    note: str = ""
    place: str = ""

    def covers(self, version: int) -> bool:
        """Whether it is about that server major."""
        return (self.since is None or version >= self.since) and (self.until is None or version <= self.until)
