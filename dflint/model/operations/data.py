"""Statements that read or write rows, and explicit locks."""

from __future__ import annotations

from typing import ClassVar, Literal

from dflint.model.expressions import Expr
from dflint.model.names import Name
from dflint.model.operations.base import Operation
from dflint.model.schema import Query
from dflint.model.values import Part


class Invocation(Part, frozen=True):
    """A call of a function or procedure.

    Attributes:
        arguments: their values as text, None for what is not constant.
        once: it is called exactly once.
    """

    name: Name
    arguments: tuple[str | None, ...] = ()
    once: bool = True


class Select(Operation, frozen=True, kw_only=True):
    """A query whose result is thrown away or shown: SELECT, VALUES, TABLE, PERFORM.

    ``calls`` are the functions whose results it gives.
    """

    query: Query = Query()
    calls: tuple[Invocation, ...] = ()


class Insert(Operation, frozen=True, kw_only=True):
    """INSERT. ``rows`` counts VALUES rows, ``width`` the values in one; 0 for a query or DEFAULT VALUES."""

    TARGET_KIND: ClassVar[str] = "table"
    target: Name
    columns: tuple[str, ...] = ()
    source: Literal["values", "query", "default"] = "values"
    rows: int = 0
    width: int = 0
    query: Query | None = None
    on_conflict: Literal["", "nothing", "update"] = ""


class Update(Operation, frozen=True, kw_only=True):
    """UPDATE. ``where`` None: every row. ``assigned`` are the columns set, ``defaulted`` those set to DEFAULT."""

    TARGET_KIND: ClassVar[str] = "table"
    target: Name
    assigned: tuple[str, ...] = ()
    where: Expr | None = None
    reads: tuple[Name, ...] = ()
    alias: str | None = None
    current_of: bool = False
    only: bool = False
    defaulted: tuple[str, ...] = ()


class Delete(Operation, frozen=True, kw_only=True):
    """DELETE. ``where`` None: every row."""

    TARGET_KIND: ClassVar[str] = "table"
    target: Name
    where: Expr | None = None
    reads: tuple[Name, ...] = ()
    alias: str | None = None
    current_of: bool = False
    only: bool = False


class Merge(Operation, frozen=True, kw_only=True):
    """MERGE (PostgreSQL 15)."""

    TARGET_KIND: ClassVar[str] = "table"
    target: Name
    actions: tuple[str, ...] = ()
    reads: tuple[Name, ...] = ()


class Truncate(Operation, frozen=True, kw_only=True):
    """TRUNCATE, one operation for each table."""

    TARGET_KIND: ClassVar[str] = "table"
    target: Name
    cascade: bool = False
    restart_identity: bool = False
    only: bool = False


class Copy(Operation, frozen=True, kw_only=True):
    """COPY of a table or query. ``where`` is stdin, stdout, file or program."""

    TARGET_KIND: ClassVar[str] = "table"
    direction: Literal["from", "to"]
    where: Literal["stdin", "stdout", "file", "program"]
    columns: tuple[str, ...] = ()
    query: Query | None = None


class LockTable(Operation, frozen=True, kw_only=True):
    """LOCK TABLE, one operation for each table; ``mode`` in SQL spelling."""

    TARGET_KIND: ClassVar[str] = "table"
    target: Name
    mode: str
    nowait: bool = False
    only: bool = False


class Call(Operation, frozen=True, kw_only=True):
    """CALL procedure."""

    TARGET_KIND: ClassVar[str] = "procedure"
    target: Name
    calls: tuple[Invocation, ...] = ()


class DoBlock(Operation, frozen=True, kw_only=True):
    """DO; the statements inside follow as operations with ``inside="do"``.

    ``understood`` is False where the body could not be read completely; ``DynamicSql`` says where else.
    """

    language: str = "plpgsql"
    understood: bool = True
    reason: str = ""


class DynamicSql(Operation, frozen=True, kw_only=True):
    """EXECUTE of a string that is not constant: what it does is not known."""

    text: str = ""
