"""Conditions of refusals that are about whole tables: their parents, row types, publications and owners."""

from __future__ import annotations

from collections.abc import Callable

from dflint.facts import base_roles, subjects
from dflint.facts.condition import BOOL, Condition
from dflint.model.catalog import UNKNOWN, CompositeType, Index, Relation, Table, Unknown
from dflint.model.context import Context
from dflint.model.expressions import Type
from dflint.model.names import Name
from dflint.model.schema import Column

Answer = bool | Unknown


def _resolved(type_: Type, context: Context) -> tuple[Name, bool]:
    return context.catalog.resolve_type(type_.name, context.session.search_path), bool(type_.dimensions)


def _parent_and_child(context: Context) -> tuple[Table, Table] | Unknown | None:
    parent = getattr(context.operation, "parent", None)
    above = None if parent is None else context.table(parent)
    own = subjects.table(context)
    if isinstance(above, Table) and isinstance(own, Table):
        return above, own
    return UNKNOWN if UNKNOWN in (above, own) else None


def _of_parent(test: Callable[[Context, Table, Table], Answer]) -> Callable[[Context], Answer]:
    def answer(context: Context) -> Answer:
        found = _parent_and_child(context)
        if found is UNKNOWN or found is None:
            return UNKNOWN if found is UNKNOWN else False
        return test(context, *found)

    return answer


def parent_already(context: Context) -> Answer:
    """INHERIT, NO INHERIT: the parent is one already."""
    return _of_parent(lambda _context, parent, child: parent.name in child.parents)(context)


def parent_descends(context: Context) -> Answer:
    """INHERIT: the new parent is a child, at any depth, of the table."""

    def answer(context: Context, parent: Table, child: Table) -> Answer:
        pending, seen = [child.name], set[Name]()
        while pending:
            name = pending.pop()
            if name not in seen:
                seen.add(name)
                pending.extend(context.catalog.children_of.get(name, ()))
        return parent.name in seen

    return _of_parent(answer)(context)


def parent_divided(context: Context) -> Answer:
    """INHERIT: the new parent is partitioned, or a partition."""
    return _of_parent(lambda _context, parent, _child: parent.partition_by is not None or parent.bound is not None)(
        context
    )


def parent_unmatched(context: Context) -> Answer:
    """INHERIT: the table lacks a column, a NOT NULL or a CHECK of the parent."""

    def answer(context: Context, parent: Table, child: Table) -> Answer:
        if not child.complete:
            return UNKNOWN
        for column in parent.columns:
            own = child.column(column.name)
            if not isinstance(own, Column) or (column.not_null and not own.not_null):
                return True
            if column.type and own.type and _resolved(column.type, context) != _resolved(own.type, context):
                return True
        checks = {each.name for each in child.constraints if each.kind == "check"}
        wanted = (each for each in parent.constraints if each.kind == "check" and not each.no_inherit)
        return any(each.name not in checks for each in wanted)

    return _of_parent(answer)(context)


def _ancestors_named(context: Context) -> list[Table | Unknown | None]:
    return [context.table(name) for name in getattr(context.operation, "inherits", ())]


def parents_exist(context: Context) -> Answer:
    """INHERITS: all parents exist."""
    found = _ancestors_named(context)
    return False if None in found else UNKNOWN if UNKNOWN in found else True


def parents_divided(context: Context) -> Answer:
    """INHERITS: a parent is partitioned, or a partition."""
    found = _ancestors_named(context)
    if any(isinstance(each, Table) and (each.partition_by or each.bound) is not None for each in found):
        return True
    return UNKNOWN if UNKNOWN in found else False


def type_unmatched(context: Context) -> Answer:
    """OF: the table's columns are not the type's attributes."""
    wanted, table = getattr(context.operation, "type", None), subjects.table(context)
    if wanted is None or not isinstance(table, Table):
        return UNKNOWN if table is UNKNOWN else False
    found = context.catalog.relation(context.catalog.resolve_type(wanted, context.session.search_path))
    if not isinstance(found, CompositeType):
        return UNKNOWN if found is UNKNOWN else False
    own, attributes = [[(each.name, each.type) for each in side] for side in (table.columns, found.attributes)]
    return own != attributes


def target_published(context: Context) -> Answer:
    """A publication lists the table by name."""
    name = subjects.table_name(context)
    publications = [each for each in context.catalog.publications.values() if each is not None]
    if any(name in publication.tables for publication in publications):
        return True
    return False if context.catalog.closed else UNKNOWN


def family_published(context: Context) -> Answer:
    """A publication lists the table by name, or a child that the statement goes on to."""
    family = set(base_roles.family(context))
    if any(not family.isdisjoint(each.tables) for each in context.catalog.publications.values() if each is not None):
        return True
    return False if context.catalog.closed else UNKNOWN


def owner_exists(context: Context) -> Answer:
    """OWNER TO: there is such a role."""
    return _other_exists(context, "role", getattr(context.operation, "owner", None))


def tablespace_exists(context: Context) -> Answer:
    """SET TABLESPACE: there is such a tablespace."""
    return _other_exists(context, "tablespace", getattr(context.operation, "tablespace", None))


def _other_exists(context: Context, kind: str, name: str | None) -> Answer:
    """Whether an object of the whole cluster exists; only the live catalog lists them all."""
    catalog = context.catalog
    if name is None or not catalog.closed or name.lower().startswith(("pg_", "current_", "session_")):
        return UNKNOWN
    if catalog.others.get(f"{kind}:{name}"):
        return True
    return False if catalog.basis == "live" else UNKNOWN


def beside_index_exists(context: Context) -> Answer:
    """CLUSTER, CLUSTER ON, REPLICA IDENTITY USING INDEX: there is something of that name in the table's schema."""
    found = _beside(context)
    return UNKNOWN if found is UNKNOWN else found is not None


def beside_index_own(context: Context) -> Answer:
    """CLUSTER, CLUSTER ON, REPLICA IDENTITY USING INDEX: what they name is an index of the table."""
    found = _beside(context)
    return UNKNOWN if found is UNKNOWN else isinstance(found, Index) and found.table == subjects.table_name(context)


def beside_index_partial(context: Context) -> Answer:
    """CLUSTER ON, REPLICA IDENTITY USING INDEX: the index has a predicate."""
    found = _beside_index(context)
    return found.where is not None if isinstance(found, Index) else UNKNOWN if found is UNKNOWN else False


def beside_index_no_identity(context: Context) -> Answer:
    """REPLICA IDENTITY USING INDEX: the index is not unique on plain columns that are NOT NULL."""
    found, table = _beside_index(context), subjects.table(context)
    if not isinstance(found, Index) or not isinstance(table, Table):
        return UNKNOWN if UNKNOWN in (found, table) else False
    if not found.unique or found.where is not None:
        return True
    columns = [table.column(element.column) if element.column is not None else None for element in found.elements]
    return any(not isinstance(column, Column) or not column.not_null for column in columns)


def _beside_index(context: Context) -> Index | Unknown | None:
    found = _beside(context)
    return found if isinstance(found, Index) or found is UNKNOWN else None


def _beside(context: Context) -> Relation | Unknown | None:
    name, index = subjects.table_name(context), getattr(context.operation, "index", None)
    if not isinstance(name, Name) or not isinstance(index, str):
        return None
    return context.catalog.relation(Name(name.schema, index))


_PARENT = "what {parent} is"
_INDEX = "what the index {index} is"

CONDITIONS: tuple[Condition, ...] = (
    Condition("owner.exists", BOOL, owner_exists, "the roles of the server"),
    Condition("tablespace.exists", BOOL, tablespace_exists, "the tablespaces of the server"),
    Condition("parent.already", BOOL, parent_already, _PARENT),
    Condition("parent.descends", BOOL, parent_descends, _PARENT),
    Condition("parent.divided", BOOL, parent_divided, _PARENT),
    Condition("parent.unmatched", BOOL, parent_unmatched, _PARENT),
    Condition("parents.exist", BOOL, parents_exist, _PARENT),
    Condition("parents.divided", BOOL, parents_divided, _PARENT),
    Condition("type.unmatched", BOOL, type_unmatched, "what the type {type} is"),
    Condition("family.published", BOOL, family_published, "the publications of {table}"),
    Condition("target.published", BOOL, target_published, "the publications of {target}"),
    Condition("beside_index.exists", BOOL, beside_index_exists, _INDEX),
    Condition("beside_index.own", BOOL, beside_index_own, _INDEX),
    Condition("beside_index.partial", BOOL, beside_index_partial, _INDEX),
    Condition("beside_index.no_identity", BOOL, beside_index_no_identity, _INDEX),
)
