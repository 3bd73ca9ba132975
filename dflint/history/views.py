"""Views and materialized views, and the columns a query gives."""

from __future__ import annotations

from msgspec.structs import replace

from dflint.history.draft import Draft, Refused
from dflint.model.catalog import UNKNOWN, Table, View
from dflint.model.expressions import Expr, Type
from dflint.model.names import Name
from dflint.model.operations.objects import CreateMaterializedView, CreateView, RefreshMaterializedView
from dflint.model.schema import Column, Query


def create_view(draft: Draft, operation: CreateView) -> None:
    """CREATE [OR REPLACE] VIEW; a replaced view keeps its triggers, rules and owner."""
    query, columns = stored_query(draft, operation.query, operation.column_names)
    temporary = operation.temporary or any(read.schema == "pg_temp" for read in query.reads)
    name = draft.creation_name(operation.target, temporary)
    options = operation.options
    if operation.check_option and all(key != "check_option" for key, _value in options):
        options = (*options, ("check_option", operation.check_option))
    old = draft.known(name)
    if isinstance(old, View) and operation.or_replace and not old.materialized:
        draft.put(replace(old, query=query, columns=columns, options=options))
    else:
        draft.create(View(name, query=query, columns=columns, options=options))


def create_materialized_view(draft: Draft, operation: CreateMaterializedView) -> None:
    """CREATE MATERIALIZED VIEW."""
    name = draft.creation_name(operation.target)
    query, columns = stored_query(draft, operation.query, operation.column_names)
    if operation.if_not_exists and draft.get(name) is UNKNOWN:
        # It may exist already, with another query.
        columns = None
    draft.create(
        View(
            name,
            query=query,
            columns=columns,
            materialized=True,
            populated=operation.with_data,
            options=operation.options,
        )
    )


def refresh_materialized_view(draft: Draft, operation: RefreshMaterializedView) -> None:
    """REFRESH MATERIALIZED VIEW, which fills or empties it."""
    view = draft.altered(operation.target)
    if not isinstance(view, View) or not view.materialized:
        raise Refused
    if view.populated != operation.with_data:
        draft.put(replace(view, populated=operation.with_data))


def stored_query(
    draft: Draft, query: Query, column_names: tuple[str, ...] = ()
) -> tuple[Query, tuple[Column, ...] | None]:
    """The query with the relations it reads resolved, and its output columns, None when they cannot be told."""
    reads = tuple(dict.fromkeys([draft.resolve(read) for read in query.reads]))
    stored = replace(query, reads=reads, writes=tuple([draft.resolve(name) for name in query.writes]))
    found = _expanded(draft, query, reads)
    if found is None:
        return stored, None
    columns: list[Column] = []
    for place, (name, source) in enumerate(found):
        if place < len(column_names):
            name = column_names[place]
        if name is None:
            return stored, None
        columns.append(Column(name, type=source.type if source is not None else None))
    if len(column_names) > len(columns):
        raise Refused
    return stored, tuple(columns)


def _expanded(
    draft: Draft, query: Query, reads: tuple[Name, ...]
) -> list[tuple[str | None, Column | None]] | None:
    """Every output column with its name and the column it comes from; None when a ``*`` cannot be expanded."""
    if not query.columns:
        return None
    found: list[tuple[str | None, Column | None]] = []
    for name, source in query.columns:
        if name != "*":
            found.append((name, _source_column(draft, source, query, reads)))
            continue
        relation = _read(source, query, reads)
        columns = _relation_columns(draft, relation) if relation is not None else None
        if columns is None:
            return None
        found.extend((column.name, column) for column in columns)
    return found


def _read(written: Name | None, query: Query, reads: tuple[Name, ...]) -> Name | None:
    """The relation that ``written.*`` (None: ``*``) means; None when that cannot be told."""
    if written is None:
        return reads[0] if len(reads) == 1 and len(query.reads) == 1 and not query.functions else None
    meant = [
        resolved
        for read, resolved in zip(query.reads, reads, strict=False)
        if read.name == written.name and (written.schema is None or written.schema in (read.schema, resolved.schema))
    ]
    return meant[0] if len(meant) == 1 and len(query.reads) == len(reads) else None


def _source_column(draft: Draft, source: Name | None, query: Query, reads: tuple[Name, ...]) -> Column | None:
    if source is None:
        return None
    relation = _read(Name(None, source.schema) if source.schema is not None else None, query, reads)
    for column in (_relation_columns(draft, relation) if relation is not None else None) or ():
        if column.name == source.name:
            return column
    return None


def _relation_columns(draft: Draft, name: Name) -> tuple[Column, ...] | None:
    relation = draft.known(name)
    if isinstance(relation, Table):
        return relation.columns if relation.complete else None
    return relation.columns if isinstance(relation, View) else None


def shows_column(view: View, relation: Name, column: str) -> bool | None:
    """Whether a view that reads ``relation`` uses that column of it; None when that cannot be told."""
    for name, source in view.query.columns:
        if source is None or name == "*" or source.name != column:
            continue
        if source.schema == relation.name or (source.schema is None and len(view.query.reads) == 1):
            return True
    return None


