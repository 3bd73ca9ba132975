"""Views and materialized views, and the columns a query gives."""

from __future__ import annotations

from msgspec.structs import replace

from dflint.history.draft import Draft, Refused
from dflint.model.catalog import UNKNOWN, Table, View
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
    if operation.if_not_exists and draft.get(name) is UNKNOWN and not draft.absent(name):
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
    """The query with its names resolved and ``*`` expanded, and its output columns, None when they cannot be told.

    Raises:
        Refused: ``column_names`` are more than the columns.
    """
    reads = {read: draft.resolve(read) for read in query.reads}
    by_text = {str(read): resolved for read, resolved in reads.items()}
    output: list[tuple[str | None, Name | None]] = []
    columns: list[Column] | None = [] if query.columns else None
    for written, source in query.columns:
        if written == "*":
            relation = draft.resolve(source) if source is not None else None
            found = _relation_columns(draft, relation)
            if relation is None or found is None:
                output.append((written, relation))
                columns = None
                continue
        else:
            relation = by_text.get(source.schema or "") if source is not None else None
            found = (_source_column(draft, relation, source, written),)
        for column in found:
            name = column_names[len(output)] if columns is not None and len(output) < len(column_names) else column.name
            origin = column.name if source is None or written == "*" else source.name
            output.append((name or None, Name(str(relation), origin) if relation is not None else None))
            if columns is not None:
                columns.append(Column(name, type=column.type))
    if columns is not None and len(column_names) > len(columns):
        raise Refused
    stored = replace(
        query,
        reads=tuple(dict.fromkeys(reads.values())),
        columns=tuple(output),
        writes=tuple([draft.resolve(name) for name in query.writes]),
        only=tuple([draft.resolve(name) for name in query.only]),
    )
    # A column without a name: PostgreSQL has one for it, which is not known.
    return stored, None if columns is None or any(not column.name for column in columns) else tuple(columns)


def _source_column(draft: Draft, relation: Name | None, source: Name | None, name: str | None) -> Column:
    """An output column, with the type of the column it comes from where that is known."""
    for column in _relation_columns(draft, relation) or ():
        if source is not None and column.name == source.name:
            return Column(name or "", type=column.type)
    return Column(name or "")


def _relation_columns(draft: Draft, name: Name | None) -> tuple[Column, ...] | None:
    relation = draft.known(name) if name is not None else None
    if isinstance(relation, Table):
        return relation.columns if relation.complete else None
    return relation.columns if isinstance(relation, View) else None


def uses_column(view: View, relation: Name, column: str) -> bool | None:
    """Whether a view that reads ``relation`` uses that column of it; None when that cannot be told."""
    query, shown = view.query, Name(str(relation), column)
    for name, source in query.columns:
        if source == (relation if name == "*" else shown):
            return True
        if name == "*" and source is None:
            return None
    mentions = query.mentions
    # A relation's name where a column may stand is its whole row.
    if mentions is None or "*" in mentions or not {read.name for read in query.reads}.isdisjoint(mentions):
        return None
    if column not in mentions:
        return False
    return True if len(query.reads) == 1 else None
