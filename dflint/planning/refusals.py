"""What cannot be executed as it is written, said when the plan is made: with the line, and what to do instead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from dflint.model.catalog import Table
from dflint.model.context import Context
from dflint.model.effect import StatementEffects
from dflint.model.errors import InputError
from dflint.model.names import Name
from dflint.model.operations.base import Opaque, Operation
from dflint.model.operations.data import Copy
from dflint.model.operations.indexes import CreateIndex
from dflint.model.operations.session import (
    Begin,
    Discard,
    PrepareTransaction,
    PsqlCommand,
    ResetVariable,
    Rollback,
    SetTransaction,
)
from dflint.model.quoting import quote_identifier
from dflint.model.schema import Query
from dflint.planning.statements import parser, refused_in_transaction
from dflint.sql.libpg_query import GrammarError, TooDeep

#: psql's commands that change nothing of what is executed.
_HARMLESS: Final = frozenset(
    """echo qecho warn timing pset x a t set unset restrict unrestrict encoding conninfo errverbose if elif else endif
    q""".split()
) - {"if", "elif", "else", "endif", "q"}
_PARTITIONS_SHOWN: Final = 3


class Problem(NamedTuple):
    """Why a statement is refused, and what to do."""

    message: str
    remedy: str

    def error(self, path: str, line: int) -> InputError:
        """As an error."""
        return InputError(self.message, file=path, line=line, remedy=self.remedy)


def problem(
    contexts: Sequence[Context], called: Sequence[Context], effects: StatementEffects, sql: str
) -> Problem | None:
    """Why a statement cannot become part of a plan; None where it can.

    Args:
        contexts: of its operations, without those of what it calls.
        called: those too.
        effects: of the whole statement.
        sql: its text.
    """
    for context in contexts:
        found = _of_operation(context) or gives_lock_away(context.operation)
        if found is not None:
            return found
    for context in called:
        found = gives_lock_away(context.operation)
        if found is not None:
            return found
    first = contexts[0]
    if isinstance(first.operation, PsqlCommand):
        return None
    try:
        parser().library.parse(sql.encode())
    except TooDeep:
        pass
    except GrammarError as error:
        return Problem(
            f"PostgreSQL cannot read this: {error.message}",
            "write out templates and psql variables: a plan is executed as it stands",
        )
    if not first.transaction.open:
        return None
    own = [context.operation for context in contexts]
    if effects.transaction == "refused" or refused_in_transaction(own):
        return _not_in_transaction(first)
    return None


def template_directive() -> Problem:
    """A template decides what is executed: the rest of the file is not all of it, or not all of it is meant."""
    return Problem("a template directive is no SQL", "write out the template: a plan is executed as it stands")


def _of_operation(context: Context) -> Problem | None:
    operation = context.operation
    match operation:
        case Opaque(rejected=True):
            return Problem(f"PostgreSQL's grammar rejects this: {operation.reason}", "correct the statement")
        case Opaque(node="psql"):
            return Problem(operation.reason, "put the statements into this file")
        case PsqlCommand() if operation.command not in _HARMLESS:
            return Problem(f"only psql knows \\{operation.command}", "write SQL in its place, or run this file by psql")
        case Copy(where="stdin"):
            return Problem("the rows of COPY FROM stdin are no SQL", "load them by psql, or write INSERT")
        case Rollback() if context.transaction.kind != "none" and context.section.own_transactions:
            return Problem(
                "the transaction is rolled back: nothing of it would be done",
                "end it with COMMIT, or take the statements out",
            )
        case PrepareTransaction():
            return Problem(
                "a prepared transaction keeps its locks for as long as nobody ends it", "write COMMIT instead"
            )
        case ResetVariable(name=None) if context.transaction.open:
            return Problem(
                "RESET ALL in a transaction also takes away what the executor has set for its own session",
                "reset each setting by its name",
            )
        case Begin(isolation=str(level)) if level.lower() != "read committed":
            return _isolation()
        case SetTransaction(what="transaction" | "session"):
            return _isolation()
        case CreateIndex(concurrently=True):
            return _on_partitioned(context, operation)
    return None


def gives_lock_away(operation: Operation) -> Problem | None:
    """Why an operation would leave the executing session without the migration lock; None where it would not."""
    if isinstance(operation, Discard) and operation.what.lower() == "all":
        return Problem(
            "DISCARD ALL gives the migration lock back, and others could begin meanwhile",
            "take it out; RESET ALL, DEALLOCATE ALL and DISCARD TEMP do the rest of it",
        )
    query = getattr(operation, "query", None)
    functions = query.functions if isinstance(query, Query) else ()
    if any(function.name == "pg_advisory_unlock_all" for function in functions):
        return Problem(
            "pg_advisory_unlock_all() gives the migration lock back, and others could begin meanwhile",
            "give back the migration's own locks one by one with pg_advisory_unlock(key)",
        )
    return None


def _isolation() -> Problem:
    return Problem(
        "the isolation level of the transaction cannot be chosen: the executor has looked at its lock before",
        "leave it at read committed",
    )


def _not_in_transaction(context: Context) -> Problem:
    transaction, statement = context.transaction, context.operation.kind
    words = f"{_spelled(context)} cannot run in a transaction: {transaction.reason}"
    if transaction.kind == "explicit":
        return Problem(words, "take it out of BEGIN … COMMIT; it then is a step of its own")
    if transaction.kind == "implicit":
        return Problem(words, f"give {statement.replace('_', ' ')} a file of its own")
    return Problem(
        words,
        f"tell {context.runner.name} to run this file without a transaction, by its own marker, or give the statement"
        " a file of its own",
    )


def _spelled(context: Context) -> str:
    words = context.operation.kind.replace("_", " ").upper()
    return f"{words} CONCURRENTLY" if getattr(context.operation, "concurrently", False) else words


def _on_partitioned(context: Context, operation: CreateIndex) -> Problem | None:
    """CREATE INDEX CONCURRENTLY on a partitioned table, with what to write instead."""
    table = context.table(operation.target)
    if not isinstance(table, Table) or table.partition_by is None or operation.only:
        return None
    name = operation.name or "new_index"
    parent = _sql(table.name)
    partitions = context.catalog.children_of.get(table.name, ())
    shown = partitions[:_PARTITIONS_SHOWN] or (Name(table.name.schema, "partition"),)
    index = _sql(Name(table.name.schema, name))
    steps = [f"CREATE INDEX {quote_identifier(name)} ON ONLY {parent} (…)"]
    for partition in shown:
        own = Name(partition.schema, f"{partition.name}_{name}"[:63])
        steps.append(f"CREATE INDEX CONCURRENTLY {quote_identifier(own.name)} ON {_sql(partition)} (…)")
        steps.append(f"ALTER INDEX {index} ATTACH PARTITION {_sql(own)}")
    more = len(partitions) - len(shown)
    if more > 0:
        steps.append(f"and so on for {more} more partitions")
    return Problem(
        f"PostgreSQL builds no index concurrently on the partitioned table {table.name}",
        f"build it on each partition, outside a transaction: {'; '.join(steps)}",
    )


def _sql(name: Name) -> str:
    own = quote_identifier(name.name)
    return own if name.schema is None else f"{quote_identifier(name.schema)}.{own}"
