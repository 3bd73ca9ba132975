"""The use case of ``dflint effects``: what each statement of a text will do to the server."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from functools import cache, partial
from itertools import groupby

import msgspec
from msgspec.structs import replace

from dflint.app.called import with_called
from dflint.app.discovery import discover, load_sources
from dflint.app.loading import load_file
from dflint.app.request import NEWEST_VERSION
from dflint.app.snapshot_files import open_snapshot
from dflint.facts.effects import Facts
from dflint.facts.passes import in_passes
from dflint.facts.statement import statement_effects
from dflint.history.fold import Fold
from dflint.history.foresight import foresee
from dflint.model.catalog import Catalog
from dflint.model.context import Context
from dflint.model.effect import EffectsDocument, SqlSpan, StatementEffects
from dflint.model.errors import InputError
from dflint.model.migration import Runner, Section, Span, Statement
from dflint.model.session import Session
from dflint.plugin.manager import Plugins
from dflint.plugin.sources import MigrationFile
from dflint.rulebook.compile import Rulebook
from dflint.sql.libpg_query import load_library
from dflint.sql.parse import Parser, text_start
from dflint.sql.source_text import SourceText
from dflint.trace.trace_file import is_trace


def predict(
    source: str | bytes, catalog: Catalog, *, version: int, session: Session | None = None, path: str = "<sql>"
) -> list[StatementEffects]:
    """What each statement of a plain SQL text will do.

    Statement n is judged against the catalog and session that statements 1 to n-1 leave.

    Args:
        source: the text.
        catalog: what exists before.
        version: major version of the server.
        session: settings in force before; None: none is known.
        path: how the text is called in answers.

    Raises:
        SourceError: the text is no UTF-8, or holds a NUL byte.
    """
    text = SourceText(path, source.encode() if isinstance(source, str) else source)
    section = Section("up", Span(0, len(text.text)))
    fold = Fold(runner=Runner("psql"), version=version, knowledge=known_facts(), catalog=catalog)
    return list(_effects(fold, text, [section], session))


def predict_file(path: str, snapshot: str | None, *, version: int | None) -> EffectsDocument:
    """What each statement of a file that run forward will do, as its runner sends them.

    Args:
        path: of the file; ``-`` is standard input.
        snapshot: path of the snapshot of what exists before; None: what the earlier files of the same folder make,
            and nothing is known of the rest.
        version: major version of the server; None: that of the snapshot, else the newest known.

    Raises:
        DflintError: a file cannot be read or is no snapshot.
    """
    source = sys.stdin.buffer.read() if path == "-" else _content(path)
    catalog = Catalog() if snapshot is None else open_snapshot(snapshot).load()
    major = version or catalog.version or NEWEST_VERSION
    if is_trace(source):
        recorded_effects = tuple(_recorded(source, path, catalog, major))
        return EffectsDocument(schema_version=1, pg_version=major, statements=recorded_effects)
    if path == "-":
        statements = predict(source, catalog, version=major, path="<stdin>")
    else:
        statements = list(_in_history(path, source, None if snapshot is None else catalog, major))
    return EffectsDocument(schema_version=1, pg_version=major, statements=tuple(statements))


def _in_history(path: str, source: bytes, catalog: Catalog | None, version: int) -> Iterator[StatementEffects]:
    """What the statements of a migration do; without a catalog, after the earlier files of its history."""
    (history,) = discover((path,), load_sources(Plugins().sources()))
    (name,) = history.selected
    earlier = history.files[: history.last_selected] if catalog is None else ()
    fold = Fold(
        runner=history.runner,
        version=version,
        knowledge=known_facts(),
        catalog=Catalog(basis="replay") if catalog is None else catalog,
        from_the_start=catalog is None and len(history.files) > 1,
        library=_parser().library,
    )
    for other in earlier:
        loaded = load_file(history, other)
        if loaded.source is None:
            raise InputError(f"an earlier file of its history cannot be read: {history.path(other)}", file=path)
        fold.begin_change()
        parsed = _parser().parse(loaded.source.text, loaded.cut.sections)
        for _ in fold.file(loaded.source.text, loaded.cut.sections, parsed):
            pass
    fold.begin_change()
    text = SourceText(path, source)
    migration = MigrationFile(name, text.text, history.place(name), history.runner, text.had_bom)
    yield from _effects(fold, text, history.source.sections(migration).sections)


def _recorded(source: bytes, path: str, catalog: Catalog, version: int) -> Iterator[StatementEffects]:
    """What the statements of a trace do, each in the transaction it ran in."""
    from dflint.app.recorded import recorded

    text, cut = recorded(path, source)
    fold = Fold(runner=Runner("trace"), version=version, knowledge=known_facts(), catalog=catalog)
    yield from _effects(fold, text, cut.sections)


def _content(path: str) -> bytes:
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except OSError as error:
        raise InputError(f"it cannot be read: {error.strerror}", file=path) from error


def encode(found: EffectsDocument) -> bytes:
    """The document as JSON: keys sorted, but for ``schema_version``, which comes first."""
    rest = msgspec.json.encode({"pg_version": found.pg_version, "statements": found.statements}, order="sorted")
    return b'{"schema_version":%d,%b\n' % (found.schema_version, rest[1:])


def schema() -> bytes:
    """The document's JSON Schema (2020-12), as it is kept in ``docs/schemas``."""
    described = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The JSON document of dflint effects, version 1",
        **msgspec.json.schema(EffectsDocument),
    }
    return msgspec.json.format(msgspec.json.encode(described), indent=2) + b"\n"


def _effects(
    fold: Fold, text: SourceText, sections: Sequence[Section], session: Session | None = None
) -> Iterator[StatementEffects]:
    parsed = [
        [replace(statement, operations=in_passes(statement.operations)) for statement in statements]
        for statements in _parser().parse(text.text, sections)
    ]
    contexts = fold.file(text.text, sections, parsed, session=session)
    for _, group in groupby(map(_foreseeing, contexts), key=lambda context: id(context.statement)):
        # The effects of an operation are worked out while the catalog is as it finds it; contexts keep theirs.
        own, unread = with_called(group, _parser())
        statement = own[0].statement
        if statement.operations:
            yield statement_effects(own, text.path, span_of(text, statement), unread)


def _foreseeing(context: Context) -> Context:
    context.foresee = cache(partial(foresee, context))
    return context


def span_of(text: SourceText, statement: Statement) -> SqlSpan:
    """Where a statement stands, without the blanks and comments before it."""
    start = text_start(text.text, statement)
    body = text.text[start : statement.end].rstrip()
    return SqlSpan(*text.position(start), *text.position(start + len(body)))


@cache
def known_facts() -> Facts:
    """The facts that come with dflint."""
    return Rulebook.load(checks=Plugins().checks()).facts


@cache
def _parser() -> Parser:
    return Parser(load_library())
