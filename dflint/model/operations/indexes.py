"""Indexes and the maintenance commands about them."""

from __future__ import annotations

from typing import ClassVar, Literal

from dflint.model.expressions import Expr
from dflint.model.names import Name
from dflint.model.operations.base import Operation
from dflint.model.schema import IndexElement, Options


class CreateIndex(Operation, frozen=True, kw_only=True):
    """CREATE INDEX; ``target`` is the table, ``name`` the index (None: PostgreSQL chooses)."""

    TARGET_KIND: ClassVar[str] = "table"
    target: Name
    name: str | None = None
    unique: bool = False
    concurrently: bool = False
    if_not_exists: bool = False
    only: bool = False
    method: str = "btree"
    elements: tuple[IndexElement, ...] = ()
    include: tuple[str, ...] = ()
    where: Expr | None = None
    nulls_not_distinct: bool = False
    options: Options = ()
    tablespace: str | None = None


class Reindex(Operation, frozen=True, kw_only=True):
    """REINDEX; ``target`` is the index or table, or None with ``scope`` schema, database or system."""

    scope: Literal["index", "table", "schema", "database", "system"]
    concurrently: bool = False
    schema: str | None = None
    tablespace: str | None = None

    @property
    def target_kind(self) -> str:
        return self.scope


class Cluster(Operation, frozen=True, kw_only=True):
    """CLUSTER; ``target`` None means every table ever clustered."""

    TARGET_KIND: ClassVar[str] = "table"
    index: str | None = None


class Vacuum(Operation, frozen=True, kw_only=True):
    """VACUUM, one operation for each named table; ``target`` None means the whole database."""

    TARGET_KIND: ClassVar[str] = "table"
    full: bool = False
    analyze: bool = False
    freeze: bool = False
    columns: tuple[str, ...] = ()
    only: bool = False
    options: Options = ()


class Analyze(Operation, frozen=True, kw_only=True):
    """ANALYZE, one operation for each named table; ``target`` None means the whole database."""

    TARGET_KIND: ClassVar[str] = "table"
    columns: tuple[str, ...] = ()
    only: bool = False
    options: Options = ()


class Checkpoint(Operation, frozen=True, kw_only=True):
    """CHECKPOINT."""
