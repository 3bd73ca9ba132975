"""The use case of ``dflint impact --queries`` and ``--statements``: who still uses what is to be changed."""

from __future__ import annotations

from typing import Final

from dflint.analysis.query_use import query_uses
from dflint.app.databases import database
from dflint.model.catalog import Catalog
from dflint.model.errors import InputError
from dflint.model.impact import Impact
from dflint.model.migration import Section, Span
from dflint.model.uses import QueryUses, SeenStatement, SeenStatements
from dflint.sql.libpg_query import load_library
from dflint.sql.parse import Parser, text_start
from dflint.sql.source_text import SourceText

#: Changes after which statements that name the target fail or mean something else; after the others they just run.
NAMES_GO: Final = frozenset(
    {
        "drop-table",
        "drop-column",
        "drop-view",
        "drop-function",
        "drop-type",
        "drop-sequence",
        "rename-table",
        "rename-column",
        "rename-view",
        "rename-function",
        "rename-type",
        "rename-sequence",
        "rename-constraint",
        "set-function-schema",
        "set-type-schema",
        "set-schema",
    }
)


async def counted_statements(db: str) -> SeenStatements:
    """The statements that a server has counted.

    Raises:
        DflintError: there is no connection.
    """
    from dflint.catalog.statements import read_statements
    from dflint.postgres import connect

    async with await connect(database(db), autocommit=True) as connection:
        return await read_statements(connection)


def statements_of_file(path: str) -> SeenStatements:
    """The statements of a file of SQL, each with the line where it begins.

    Raises:
        DflintError: it cannot be read.
    """
    try:
        with open(path, "rb") as stream:
            content = stream.read()
    except OSError as error:
        raise InputError(f"it cannot be read: {error.strerror}", file=path) from error
    text = SourceText(path, content)
    (statements,) = Parser(load_library()).parse(text.text, [Section("up", Span(0, len(text.text)))])
    found = list[SeenStatement]()
    for statement in statements:
        start = text_start(text.text, statement)
        own = text.text[start : statement.end].decode().rstrip().removesuffix(";").rstrip()
        if own:
            found.append(SeenStatement(own, f"{path}:{text.position(start)[0]}"))
    return SeenStatements(tuple(found))


def together(*several: SeenStatements) -> SeenStatements:
    """The statements of several origins."""
    return SeenStatements(
        tuple(statement for each in several for statement in each.statements),
        tuple(reason for each in several for reason in each.incomplete_because),
    )


def uses(impact: Impact, seen: SeenStatements, catalog: Catalog, search_path: tuple[str, ...]) -> QueryUses:
    """Which of the statements use what the change touches."""
    return query_uses(impact, seen, catalog, Parser(load_library()), search_path)


def breaks_statements(impact: Impact, found: QueryUses) -> bool:
    """Whether statements that ran before fail, or mean something else, after the change."""
    return bool(found.statements) and impact.operation in NAMES_GO
