"""Statements that fail when an edited routine does, and leave nothing behind.

Each is a block with a handler, which is a savepoint: whatever the routine does is rolled back. SQL functions are
planned by the server when they are created. What is declared STABLE or IMMUTABLE is called, with nulls: only an
error that says that something is not there counts. Where plpgsql_check is installed, it looks at PL/pgSQL routines.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from dflint.analysis.rename.edits import BodyEdit
from dflint.analysis.rename.impact import RenameImpact
from dflint.facts.type_names import in_identity
from dflint.model.catalog import Routine, Table, View
from dflint.model.expressions import Type
from dflint.model.names import Name
from dflint.model.plan import Check
from dflint.model.quoting import quote_identifier, quote_literal
from dflint.planning.undo.spelling import quoted

_MISSING: Final = (
    "undefined_table OR undefined_column OR undefined_function OR undefined_object OR undefined_parameter"
    " OR ambiguous_column OR ambiguous_alias OR duplicate_alias OR invalid_column_reference OR syntax_error"
)
#: Parameters that a routine is called with, and told apart by.
_TAKEN: Final = ("in", "inout", "variadic")


def verifications(edits: Iterable[BodyEdit], impact: RenameImpact, *, call: bool) -> Iterator[str]:
    """The statements, for the transaction of the rename after everything else."""
    checker = impact.catalog.extensions.get("plpgsql_check")
    for edit in edits:
        routine = edit.routine
        if checker is not None and routine.language == "plpgsql":
            yield from _checked(routine, impact, checker.schema or "public")
        if call and is_callable(routine):
            yield _called(routine, impact)


def unchanged(edit: BodyEdit) -> Check:
    """That a routine is still the one that was edited: another's change of it is not overwritten."""
    given = ", ".join(in_identity(each.type) for each in edit.routine.parameters if each.mode in _TAKEN)
    function = quote_literal(f"{quoted(edit.routine.name)}({given})")
    body = quote_literal(edit.routine.body or "")
    query = f"SELECT prosrc = {body} FROM pg_catalog.pg_proc"  # noqa: S608  # it is quoted
    return Check(
        f"{edit.identity} is as it was when the plan was made",
        f"SELECT coalesce(({query} WHERE oid = pg_catalog.to_regprocedure({function})), false)",
    )


def is_callable(routine: Routine) -> bool:
    """Whether it may be called to see whether it works: it says itself that it changes nothing."""
    returns = routine.returns.name.name if routine.returns is not None else ""
    return (
        routine.kind == "function"
        and routine.volatility in ("stable", "immutable")
        and returns not in ("trigger", "event_trigger")
    )


def is_verified(routine: Routine, impact: RenameImpact, *, call: bool) -> bool:
    """Whether the server looks at the routine before the rename is committed."""
    checked = impact.catalog.extensions.get("plpgsql_check") is not None and routine.language == "plpgsql"
    return routine.language == "sql" or checked or (call and is_callable(routine) and not routine.strict)


def _called(routine: Routine, impact: RenameImpact) -> str:
    nulls = ", ".join(f"NULL::{each}" for each in _inputs(routine, impact))
    return (
        "DO $dflint$\nBEGIN\n"
        f"  PERFORM {quoted(routine.name)}({nulls});\n"
        f"  RAISE EXCEPTION 'it works, and is rolled back';\n"
        f"EXCEPTION\n  WHEN {_MISSING} THEN RAISE;\n  WHEN OTHERS THEN NULL;\nEND\n$dflint$"
    )


def _checked(routine: Routine, impact: RenameImpact, schema: str) -> Iterator[str]:
    function = f"{quoted(routine.name)}({', '.join(_inputs(routine, impact))})"
    tables = ["0"]
    if routine.returns is not None and routine.returns.name.name == "trigger":
        users = impact.catalog.users_of_routine.get(routine.name, ())
        tables = [f"{quote_literal(quoted(_now(user, impact)))}::regclass" for user in users if _fires(user, impact)]
    checker = f"{quote_identifier(schema)}.plpgsql_check_function_tb"
    for table in tables:
        found = f"{checker}({quote_literal(function)}::regprocedure, {table}) WHERE level = 'error'"
        messages = f"SELECT pg_catalog.string_agg(message, '; ') FROM {found}"  # noqa: S608  # all names are quoted
        yield (
            f"DO $dflint$\nDECLARE\n  said text := ({messages});\nBEGIN\n"
            "  IF said IS NOT NULL THEN\n    RAISE EXCEPTION '%', said;\n  END IF;\nEND\n$dflint$"
        )


def _fires(user: Name, impact: RenameImpact) -> bool:
    relation = impact.catalog.relations.get(user)
    return isinstance(relation, Table | View) and bool(relation.triggers)


def _now(name: Name, impact: RenameImpact) -> Name:
    return Name(name.schema, impact.new_name) if name == impact.table else name


def _inputs(routine: Routine, impact: RenameImpact) -> list[str]:
    """The types of what it takes, as they are called after the rename."""
    given = [each.type for each in routine.parameters if each.mode in _TAKEN]
    return [_spelled(each, impact) for each in given]


def _spelled(type_: Type, impact: RenameImpact) -> str:
    if type_.name != impact.table:
        return in_identity(type_)
    return quoted(_now(type_.name, impact)) + "[]" * bool(type_.dimensions)
