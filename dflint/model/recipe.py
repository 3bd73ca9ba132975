"""Recipes: how a change is made without its harm, as data; and what one of them comes to for one operation."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from dflint.model.plan import Backfill, Check

#: ``run``: statements; whether they go into a transaction is told by facts. The others as in a Plan.
RecipeStepKind = Literal["run", "backfill", "check", "manual"]


class RecipeStep(Struct, frozen=True, kw_only=True):
    """One step of a recipe, its holes filled: SQL that parses, or, for ``manual``, what a person has to do.

    Attributes:
        sql: one statement, or several that go into one transaction, with ``;`` between them.
        kind: see `RecipeStepKind`.
        why: one sentence for whoever reads the plan.
        undo: statements that take it back, in order; None where `undo(operation, catalog)` knows them.
        irreversible: why it cannot be taken back; None where it can.
        release: 1 for what goes out before the application changes, 2 for what has to wait until no running version
            of it uses what goes, and so on.
        backfill: for steps of that kind.
        pre, post: what must hold before and after.
        settings: run-time parameters, in force for the step alone.
    """

    sql: str
    kind: RecipeStepKind = "run"
    why: str = ""
    undo: tuple[str, ...] | None = None
    irreversible: str | None = None
    release: int = 1
    backfill: Backfill | None = None
    pre: tuple[Check, ...] = ()
    post: tuple[Check, ...] = ()
    settings: dict[str, str] = {}


class Consequences(Struct, frozen=True, kw_only=True):
    """What a recipe does to those who are using the database meanwhile; one or more sentences each.

    Attributes:
        running_code: which statements of the old and of the new version of the application work at each step.
        prepared_statements: what becomes of them.
        logical_replication: in which order subscriber and publisher are changed, and replica identity.
        row_level_security: what views and policies need.
    """

    running_code: str
    prepared_statements: str
    logical_replication: str
    row_level_security: str


class Recipe(Struct, frozen=True, kw_only=True):
    """A way to make a change, as its file says.

    Attributes:
        id: in kebab-case, the file's name.
        title: one line, no full stop.
        applies_to: kinds of operations.
        after: the kind of an operation that comes before, drops what this one adds otherwise, and is replaced with it:
            ``drop_constraint`` or ``drop_index``; "" for a recipe that replaces one operation alone.
        since, until: majors of the server.
        when: conditions, in the vocabulary of rules.
        trade_offs: what it costs beside the naive statement, one sentence each.
        steps: as written, with holes; empty where ``build`` makes them.
        build: reference ``module:function`` of the function that makes the steps, "" where the file has them.
        fallback: only where no other recipe fits.
        differs: in what the end may differ from the naive statement's: ``object_names``, ``column_order``,
            ``a_check_more``.
        file, line: where it stands.
    """

    id: str
    title: str
    applies_to: tuple[str, ...]
    consequences: Consequences
    after: str = ""
    since: int | None = None
    until: int | None = None
    when: dict[str, Any] = {}
    trade_offs: tuple[str, ...] = ()
    steps: tuple[dict[str, Any], ...] = ()
    build: str = ""
    fallback: bool = False
    differs: tuple[str, ...] = ()
    file: str = ""
    line: int = 0
