"""Schemas, extensions, publications, and the objects without a type of their own."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from dflint.history.draft import Draft, Refused
from dflint.history.drops import drop_relations, drop_type_users
from dflint.history.routines import drop_routine, find
from dflint.model.catalog import Extension, Other, Publication, Routine
from dflint.model.expressions import Expr, Type
from dflint.model.names import Identity, Name
from dflint.model.operations.objects import (
    AlterOther,
    AlterPublication,
    CreateExtension,
    CreateOther,
    CreatePublication,
    CreateSchema,
)
from dflint.model.schema import Parameter


def create_schema(draft: Draft, operation: CreateSchema) -> None:
    """CREATE SCHEMA."""
    name = operation.target.name
    if draft.schemas.get(name):
        raise Refused
    draft.put_schema(name, True)


def drop_schema(draft: Draft, name: str, *, cascade: bool) -> None:
    """DROP SCHEMA; with CASCADE everything known in it goes, and what depends on that."""
    if draft.schemas.get(name, True) is None or (draft.closed and name not in draft.schemas):
        raise Refused
    members = draft.members(name)
    if members and not cascade:
        raise Refused
    drop_relations(draft, [member for where, member in members if where == "relations"], cascade=True)
    for where, member in members:
        if where == "types":
            drop_type_users(draft, member, cascade=True)
            draft.remove_type(member)
        elif where == "routines":
            for routine in draft.routines.get(member) or ():
                types = tuple([p.type for p in routine.parameters if p.mode in ("in", "inout", "variadic")])
                drop_routine(draft, member, types, cascade=True)
            draft.remove_routines(member)
    draft.put_schema(name, None)
    for key, extension in list(draft.extensions.items()):
        if extension is not None and extension.schema == name:
            draft.put_extension(key, None)
    for key, publication in list(draft.publications.items()):
        if publication is not None and name in publication.schemas:
            kept = tuple([schema for schema in publication.schemas if schema != name])
            draft.put_publication(key, replace(publication, schemas=kept))


def create_extension(draft: Draft, operation: CreateExtension) -> None:
    """CREATE EXTENSION; what it brings is not known."""
    name = operation.target.name
    if draft.extensions.get(name) is not None:
        raise Refused
    # With IF NOT EXISTS it may have been there before, in another schema.
    absent = name in draft.extensions or draft.closed or not operation.if_not_exists
    schema = operation.schema or (draft.creation_schema() if absent else None)
    draft.put_extension(name, Extension(name, schema, operation.version))


def create_publication(draft: Draft, operation: CreatePublication) -> None:
    """CREATE PUBLICATION."""
    name = operation.target.name
    if draft.publications.get(name) is not None:
        raise Refused
    schemas = tuple(sorted(set(operation.schemas)))
    tables, columns, filters = _published(draft, operation)
    draft.put_publication(
        name,
        Publication(
            name,
            tuple(sorted(tables)),
            schemas,
            operation.all_tables,
            tuple(sorted(columns.items())),
            tuple(sorted(filters.items(), key=lambda each: each[0])),
        ),
    )


def _published(
    draft: Draft, operation: CreatePublication | AlterPublication
) -> tuple[set[Name], dict[Name, tuple[str, ...]], dict[Name, Expr]]:
    """The tables, with inheritance children unless ONLY is written, and column lists and row filters by table."""
    families = {table: _family(draft, table, table in operation.only) for table in operation.tables}
    return (
        {member for family in families.values() for member in family},
        {member: listed for table, listed in operation.columns for member in families.get(table, ())},
        {member: condition for table, condition in operation.filters for member in families.get(table, ())},
    )


def _family(draft: Draft, table: Name, only: bool) -> list[Name]:
    name = draft.resolve(table)
    known = draft.known_table(name)
    # Partitions are published with their partitioned table, and are not listed.
    return draft.family(name, only or (known is not None and known.partition_by is not None))


def alter_publication(draft: Draft, operation: AlterPublication) -> None:
    """ALTER PUBLICATION ADD, DROP and SET."""
    publication = draft.publications.get(operation.target.name)
    if publication is None:
        raise Refused
    if operation.action == "options":
        return
    tables, columns, filters = _published(draft, operation)
    schemas = set(operation.schemas)
    if operation.action == "add":
        tables |= set(publication.tables)
        schemas |= set(publication.schemas)
    elif operation.action == "drop":
        if not (tables <= set(publication.tables) and schemas <= set(publication.schemas)):
            raise Refused
        tables = set(publication.tables) - tables
        schemas = set(publication.schemas) - schemas
    if operation.action != "set":
        columns = {**dict(publication.columns), **columns}
        filters = {**dict(publication.filters), **filters}
    changed = replace(
        publication,
        tables=tuple(sorted(tables)),
        schemas=tuple(sorted(schemas)),
        columns=tuple(sorted((table, listed) for table, listed in columns.items() if table in tables)),
        filters=tuple(sorted(((t, found) for t, found in filters.items() if t in tables), key=lambda each: each[0])),
    )
    draft.put_publication(publication.name, changed)


# --- objects without a type of their own ----------------------------------------------------------------------------

#: Kinds whose names stand in no schema.
_GLOBAL: Final = frozenset(
    {
        "access_method",
        "cast",
        "database",
        "event_trigger",
        "fdw",
        "foreign_data_wrapper",
        "language",
        "role",
        "server",
        "subscription",
        "tablespace",
        "transform",
        "user_mapping",
    }
)


_EVENT_TRIGGER: Final = "event_trigger"
#: The states of event triggers as the server writes them; what is enabled as usual is not listed.
_STATES: Final = {"disable": "D", "replica": "R", "always": "A"}

#: Kinds whose names do not tell their objects apart; of the others the detail says more than which one is meant.
_TOLD_APART: Final = frozenset({"operator_class", "operator_family", "user_mapping"})


def other_identity(
    draft: Draft, kind: str, target: Name | None, arguments: tuple[Type, ...] | None = None, detail: str = ""
) -> str | None:
    """The key of ``Catalog.others``: the printed identity; None without a name."""
    if target is None:
        if not detail:
            return None
        return str(Identity(kind, (detail,)))
    if kind in _GLOBAL:
        parts: tuple[str, ...] = (target.name,)
    else:
        schema = target.schema if target.schema is not None else draft.creation_schema()
        parts = (schema, target.name)
    if detail and kind in _TOLD_APART:
        parts = (*parts, detail)
    if arguments is not None:
        parts = (*parts, *[str(argument.name) for argument in arguments])
    return str(Identity(kind, parts))


def create_other(draft: Draft, operation: CreateOther) -> None:
    """CREATE of an object without a type of its own: that it exists, and of an event trigger when it fires."""
    kind = operation.object_kind
    if kind == "aggregate" and operation.target is not None and operation.arguments is not None:
        _create_aggregate(draft, operation, operation.target, operation.arguments)
        return
    identity = other_identity(draft, kind, operation.target, operation.arguments, operation.detail)
    if identity is None or (draft.others.get(identity) and not operation.or_replace):
        raise Refused
    if kind == _EVENT_TRIGGER:
        told = {name: value for name, value in operation.options if name in ("event", "tag")}
        if told.get("tag"):
            told["tag"] = (told["tag"] or "").upper()
        draft.put_other(identity, Other(kind, tuple(sorted(told.items()))))
    else:
        draft.put_other(identity, True)


def alter_other(draft: Draft, operation: AlterOther) -> None:
    """ALTER EVENT TRIGGER … ENABLE or DISABLE. What else is altered, nobody asks the catalog for."""
    if operation.object_kind != _EVENT_TRIGGER:
        return
    identity = other_identity(draft, _EVENT_TRIGGER, operation.target)
    if identity is None:
        return
    known = draft.others.get(identity, None if draft.closed else True)
    if known is None:
        raise Refused
    told = dict(known.attributes) if isinstance(known, Other) else {}
    told.pop("enabled", None)
    if operation.action in _STATES:
        told["enabled"] = _STATES[operation.action]
    draft.put_other(identity, Other(_EVENT_TRIGGER, tuple(sorted(told.items()))))


def _create_aggregate(draft: Draft, operation: CreateOther, target: Name, arguments: tuple[Type, ...]) -> None:
    """An aggregate is a routine: it shares their names."""
    name = draft.creation_name(target)
    known = draft.routines.get(name) or ()
    aggregate = Routine(
        name,
        kind="aggregate",
        parameters=tuple([Parameter(None, draft.resolve_type(argument) or argument) for argument in arguments]),
    )
    same = find(known, arguments)
    if same is not None and not operation.or_replace:
        raise Refused
    draft.put_routines(name, (*[old for old in known if old is not same], aggregate))


def drop_other(draft: Draft, kind: str, target: Name | None, arguments: tuple[Type, ...] | None, detail: str) -> None:
    """DROP of such an object."""
    identity = other_identity(draft, kind, target, arguments, detail)
    if identity is None:
        raise Refused
    if draft.others.get(identity, True) is None or (draft.closed and identity not in draft.others):
        raise Refused
    draft.put_other(identity, None)
