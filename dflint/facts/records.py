"""Fact records: one statement form each, with its effect, as ``rules/facts/*.yaml`` has them."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from dflint.model.effect import Confidence

#: The version of the format that this dflint reads.
SCHEMA = 1

#: What a fact says of rewrites, scans and rebuilt indexes: the roles of the relations that it happens to. ``true`` is
#: short for the natural ones: the relation itself and its children, and all their indexes. null: it is not known.
Extent = bool | None | tuple[str, ...]

#: The natural roles of rewrites and scans, and of index rebuilds.
HEAPS = ("family",)
INDEXES = ("family.indexes",)


#: When the server comes to look at what a refusal is about, first to last. `text`: the statement alone. `lookup`: what
#: it names, and of what kind that is. `preparation`: each part of an ALTER TABLE, in the order of the text, before any
#: is carried out. `execution`: when the part's turn comes. `constraints`: when the constraints are added that were
#: written with a column. `end`: when all parts are done.
Phase = Literal["text", "lookup", "preparation", "execution", "constraints", "end"]


class FactEffect(Struct, frozen=True, omit_defaults=True):
    """The effect of one statement form; see `dflint.model.effect.Effect`.

    Attributes:
        emptied: roles of relations that get a new, empty file, and so do their indexes: no row is written.
    """

    locks: dict[str, str] = {}
    rewrite: Extent = False
    scan: Extent = False
    index_rebuild: Extent = False
    emptied: tuple[str, ...] = ()
    transaction: Literal["allowed", "refused", "unknown"] = "allowed"
    refused: str = ""
    waits_for: tuple[str, ...] = ()
    leftover_on_timeout: str = ""
    invalidates_prepared: bool = False


class Fact(Struct, frozen=True, omit_defaults=True):
    """What PostgreSQL does with one form of statement.

    Attributes:
        operations: kinds, patterns expanded.
        since, until: server majors; ``until`` None means up to the newest.
        when: verified conditions, None for always.
        adds: comes on top of the alternative taken, instead of being one.
        phase: of a refusal: when the server looks. Within a phase the order of the facts is the server's.
        note: the reason, or where it was seen.
        place: file and line.
        code: ``when``, compiled, if it was kept.
    """

    id: str
    operations: tuple[str, ...]
    effect: FactEffect
    since: int | None = None
    until: int | None = None
    when: dict[str, Any] | None = None
    adds: bool = False
    confidence: Confidence = "high"
    phase: Phase = "execution"
    note: str = ""
    place: str = ""
    code: bytes = b""

    @property
    def refuses(self) -> bool:
        """Whether it says that the server refuses the statement: it is then no alternative to other facts."""
        return bool(self.effect.refused)

    def covers(self, version: int) -> bool:
        """Whether it is about that server major."""
        return (self.since is None or version >= self.since) and (self.until is None or version <= self.until)
