"""The use case of ``dflint impact``: what a change does to everything else."""

from __future__ import annotations

from typing import Final, NamedTuple

from dflint.analysis.graph import Graph
from dflint.analysis.impact import command_of, impact
from dflint.analysis.lineage import with_lineage
from dflint.analysis.targets import ROUTINES, Target, target_of
from dflint.analysis.texts import Texts
from dflint.app.effects import predict
from dflint.app.request import NEWEST_VERSION
from dflint.app.snapshot import read_live
from dflint.app.snapshot_files import open_snapshot
from dflint.facts.type_names import in_identity
from dflint.model.catalog import Catalog
from dflint.model.errors import InputError
from dflint.model.impact import Impact
from dflint.model.migration import Section, Span
from dflint.model.names import Identity
from dflint.model.operations.base import Opaque, Operation
from dflint.model.operations.tables import AlterColumnType
from dflint.model.quoting import quote_identifier
from dflint.sql.libpg_query import load_library
from dflint.sql.parse import Parser


class Form(NamedTuple):
    """One sub-command.

    Attributes:
        words: what it takes, as they are called in its usage.
        statement: the statement that it stands for.
    """

    words: tuple[str, ...]
    statement: str


FORMS: Final = {
    "drop-table": Form(("TABLE",), "DROP TABLE {}"),
    "drop-column": Form(("TABLE", "COLUMN"), "ALTER TABLE {} DROP COLUMN {}"),
    "drop-view": Form(("VIEW",), "DROP VIEW {}"),
    "drop-function": Form(("FUNCTION",), "DROP ROUTINE {}"),
    "drop-type": Form(("TYPE",), "DROP TYPE {}"),
    "drop-sequence": Form(("SEQUENCE",), "DROP SEQUENCE {}"),
    "drop-constraint": Form(("TABLE", "NAME"), "ALTER TABLE {} DROP CONSTRAINT {}"),
    "drop-index": Form(("INDEX",), "DROP INDEX {}"),
    "rename-table": Form(("TABLE", "NEW_NAME"), "ALTER TABLE {} RENAME TO {}"),
    "rename-view": Form(("VIEW", "NEW_NAME"), "ALTER VIEW {} RENAME TO {}"),
    "rename-function": Form(("FUNCTION", "NEW_NAME"), "ALTER ROUTINE {} RENAME TO {}"),
    "rename-type": Form(("TYPE", "NEW_NAME"), "ALTER TYPE {} RENAME TO {}"),
    "rename-sequence": Form(("SEQUENCE", "NEW_NAME"), "ALTER SEQUENCE {} RENAME TO {}"),
    "rename-constraint": Form(("TABLE", "NAME", "NEW_NAME"), "ALTER TABLE {} RENAME CONSTRAINT {} TO {}"),
    "rename-index": Form(("INDEX", "NEW_NAME"), "ALTER INDEX {} RENAME TO {}"),
    "rename-column": Form(("TABLE", "COLUMN", "NEW_NAME"), "ALTER TABLE {} RENAME COLUMN {} TO {}"),
    "alter-type": Form(("TABLE", "COLUMN", "TYPE"), "ALTER TABLE {} ALTER COLUMN {} TYPE {}"),
    "set-schema": Form(("TABLE", "SCHEMA"), "ALTER TABLE {} SET SCHEMA {}"),
    "set-function-schema": Form(("FUNCTION", "SCHEMA"), "ALTER ROUTINE {} SET SCHEMA {}"),
    "set-type-schema": Form(("TYPE", "SCHEMA"), "ALTER TYPE {} SET SCHEMA {}"),
    "drop-default": Form(("TABLE", "COLUMN"), "ALTER TABLE {} ALTER COLUMN {} DROP DEFAULT"),
    "drop-not-null": Form(("TABLE", "COLUMN"), "ALTER TABLE {} ALTER COLUMN {} DROP NOT NULL"),
}


async def catalog_of(db: str | None, snapshot: str | None, history: str | None = None) -> Catalog:
    """The catalog of a live database, of a snapshot, or that a migration history makes.

    Args:
        history: folder of migrations that make the whole schema.

    Raises:
        InputError: none is given, or several are.
        DflintError: it cannot be read.
    """
    if sum(each is not None for each in (db, snapshot, history)) > 1:
        raise InputError("several schemas were named", remedy="give one of --db, --catalog and --history")
    if history:
        from dflint.app.history_catalog import history_catalog

        return history_catalog([history])
    if snapshot:
        return open_snapshot(snapshot).load()
    if not db:
        raise InputError(
            "no database was named", remedy="give --db DSN, --catalog FILE or --history DIR, or set DFLINT_DB"
        )
    return await read_live(db)


def requested(command: str, words: tuple[str, ...]) -> Operation:
    """The operation that a sub-command and its words mean.

    Args:
        command: one of `FORMS`.
        words: names and a type in SQL spelling.

    Raises:
        InputError: a word is no name, or no type.
    """
    form = FORMS[command]
    operation = single_operation(form.statement.format(*words))
    plain = single_operation(form.statement.format(*_plain(form)))
    if operation is None or plain is None or operation.kind != plain.kind:
        names = ", ".join(f"{name} {word}" for name, word in zip(form.words, words, strict=True))
        raise InputError(
            f"{names}: that cannot be read",
            remedy='names are as in SQL: users, public.users, "Order Items"; functions with their types: f(integer)',
        )
    return operation


def _plain(form: Form) -> tuple[str, ...]:
    """Words that can be read."""
    return tuple("integer" if word == "TYPE" and len(form.words) > 1 else "x" for word in form.words)


def single_operation(statement: str) -> Operation | None:
    """The one operation of a text; None where it is no statement, or several."""
    text = statement.encode()
    (statements,) = Parser(load_library()).parse(text, [Section("up", Span(0, len(text)))])
    operations = [operation for each in statements for operation in each.operations]
    if len(operations) != 1 or isinstance(operations[0], Opaque) or getattr(operations[0], "cascade", False):
        return None
    return operations[0]


class ImpactAnalysis:
    """Impacts of changes of one catalog; what they share is made once."""

    def __init__(self, catalog: Catalog, search_path: tuple[str, ...] = ("public",)) -> None:
        self.catalog = catalog
        self.search_path = search_path
        self.graph = Graph.of(catalog)
        self.texts = Texts(catalog, Parser(load_library()), search_path)

    def of(self, operation: Operation) -> Impact:
        """What an operation does to everything else.

        Raises:
            NotFound: what it names does not exist.
        """
        target = target_of(operation, self.catalog, self.search_path)
        return impact(
            operation,
            self.catalog,
            self.texts,
            graph=self.graph,
            search_path=self.search_path,
            refused=self._is_refused(operation, target),
        )

    def with_lineage(self, found: Impact) -> Impact:
        """An impact of this catalog, with evidence of which output columns of views a column feeds."""
        return with_lineage(found, self.catalog, Parser(load_library()))

    def _is_refused(self, operation: Operation, target: Target) -> bool:
        effects = predict(statement_of(operation, target), self.catalog, version=self.catalog.version or NEWEST_VERSION)
        return any(each.refused_by_server is not None for each in effects)


def statement_of(operation: Operation, target: Target) -> str:
    """The operation as a statement, with every name qualified and quoted."""
    command = command_of(operation)
    statement = FORMS[command].statement if command in FORMS else "DROP {} {}"
    kind, (schema, own, *_) = Identity.parse(target.identity)
    name, _, arguments = own.partition("(") if kind in ROUTINES else (own, "", "")
    words = f"{quote_identifier(schema)}.{quote_identifier(name)}" + (f"({arguments}" if arguments else "")
    if command.startswith("drop-") and target.part is None:
        return f"DROP {kind.replace('_', ' ').upper()} {words}"
    new = getattr(operation, "new_name", None) or getattr(operation, "schema", None)
    last = [quote_identifier(new)] if new else []
    if isinstance(operation, AlterColumnType):
        last = [in_identity(operation.type)]
    part = [] if target.part is None else [quote_identifier(target.part)]
    return statement.format(words, *part, *last)
