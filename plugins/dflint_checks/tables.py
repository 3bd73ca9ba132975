"""Checks about tables and the other objects of a schema: what a drop takes along, what a new name breaks."""

from __future__ import annotations

from collections.abc import Iterator

from dflint.model.catalog import UNKNOWN, Index, Sequence, Table, View
from dflint.model.context import Context, Hit
from dflint.model.names import Name
from dflint.model.operations.base import Operation
from dflint.model.operations.data import Truncate
from dflint.model.operations.indexes import Cluster
from dflint.model.operations.objects import CreateTrigger, DropObject, RefreshMaterializedView, RenameObject
from dflint.model.operations.tables import AttachPartition, DetachPartition, DropColumn, DropConstraint
from dflint_checks.presence import EXCLUSIVE, existing, listed, shown

#: How many statements away from a drop or rename one is looked for that makes up for it: time must not grow with the
#: square of a file's length.
_NEAR = 1000

_ROUTINES = frozenset({"function", "procedure", "routine", "aggregate"})
_VIEWS = frozenset({"view", "materialized_view"})


# --- drops ----------------------------------------------------------------------------------------------------------


def table_dropped(operation: Operation, context: Context) -> Hit | None:
    """DROP TABLE; names the tables that its foreign keys lock too."""
    if not isinstance(operation, DropObject) or operation.target is None:
        return None
    target, found = context.resolve(operation.target), context.relation(operation.target)
    if found is None:
        return None  # IF EXISTS, and there is none
    others = [
        shown(name) for name, mode in context.locks if name != target and _locked_too(name, mode, target, context)
    ]
    also = f" {listed(others)} {'is' if len(others) == 1 else 'are'} locked against reads meanwhile." if others else ""
    sure = found is not UNKNOWN or not operation.if_exists
    return Hit(values={"also": also}, certain=sure, because=f"whether {operation.target} exists")


def _locked_too(name: Name, mode: str, target: Name, context: Context) -> bool:
    found = context.relation(name)
    if mode != EXCLUSIVE or not isinstance(found, Table) or existing(name, context) is False:
        return False
    return target not in found.parents  # partitions are dropped with it


def object_dropped(operation: Operation, context: Context) -> Hit | None:
    """DROP of a view, routine or type that others use, and that the same migration does not create anew."""
    if not isinstance(operation, DropObject) or operation.target is None:
        return None
    there = _there_before(operation.target, operation.object_kind, context)
    if there is False or _created_later(operation, context) or _renamed_here(operation, context):
        return None
    sure = there is True or not operation.if_exists
    return Hit(certain=sure, because=f"whether {operation.target} exists")


def _there_before(name: Name, kind: str, context: Context) -> bool | None:
    """Whether an object was there before this change; None: not known."""
    before, now, path = context.change_start, context.catalog, context.session.search_path
    if kind in _ROUTINES:
        schemas = (name.schema,) if name.schema else path
        if any(before.routines.get(Name(schema, name.name)) for schema in schemas):
            return True
        made = any(Name(schema, name.name) in now.routines for schema in schemas)
        return False if made or before.closed else None
    resolved = now.resolve_type(name, path) if kind in ("type", "domain") else now.resolve(name, path)
    if resolved in context.created:
        return False
    found = now.relation(resolved)
    if kind in ("type", "domain"):
        found_type = now.types.get(resolved, UNKNOWN)
        if found_type is not UNKNOWN:
            return found_type is not None
    if found is None:
        return False
    return None if found is UNKNOWN or resolved in context.maybe_created else True


#: Kind of object -> kinds of operation that make one which can take its place.
_REPLACING = {
    **dict.fromkeys(
        (*_VIEWS, "table", "foreign_table"),
        ("create_view", "create_materialized_view", "create_table", "create_table_as"),
    ),
    **dict.fromkeys(_ROUTINES, ("create_function", "create_procedure", "create_aggregate")),
    **dict.fromkeys(
        ("type", "domain"), ("create_enum", "create_composite_type", "create_range", "create_domain", "create_type")
    ),
}


def _soon(context: Context) -> Iterator[Operation]:
    """The operations of the statements that come next in the same file."""
    first = context.statement.index + 1
    for statement in context.statements[first : first + _NEAR]:
        yield from statement.operations


def _created_later(operation: DropObject, context: Context) -> bool:
    """Whether a later statement of the same file creates an object that takes its place."""
    kind, target = operation.object_kind, operation.target
    kinds = _REPLACING.get(kind, (f"create_{kind}",))
    return target is not None and any(
        other.kind in kinds and other.target is not None and other.target.name == target.name
        for other in _soon(context)
    )


def _renamed_here(operation: DropObject, context: Context) -> bool:
    """Whether an earlier statement of the same file gave it its present name, which nobody uses then."""
    return any(
        isinstance(other, RenameObject) and operation.target is not None and other.new_name == operation.target.name
        for statement in context.statements[max(0, context.statement.index - _NEAR) : context.statement.index]
        for other in statement.operations
    )


def trigger_dropped(operation: Operation, context: Context) -> Hit | None:
    """DROP TRIGGER or RULE that the same migration does not create anew."""
    if not isinstance(operation, DropObject) or operation.target is None:
        return None
    name = operation.target.name
    for other in _soon(context):
        if other.kind == f"create_{operation.object_kind}" and getattr(other, "name", None) == name:
            return None
    if operation.on is None:
        return Hit()
    found = context.relation(operation.on)
    if found is None:
        return None
    if isinstance(found, (Table, View)):
        names = {trigger.name for trigger in found.triggers} | set(found.rules)
        if operation.if_exists and isinstance(found, Table) and found.complete and name not in names:
            return None
    sure = found is not UNKNOWN or not operation.if_exists
    return Hit(certain=sure, because=f"whether {operation.on} has that {operation.object_kind}")


def trigger_created(operation: Operation, context: Context) -> Hit | None:
    """CREATE TRIGGER on a table; one on a view keeps nobody waiting for long."""
    if not isinstance(operation, CreateTrigger):
        return None
    return None if isinstance(context.relation(operation.target), View) else Hit()


def rule_created(operation: Operation, context: Context) -> Hit | None:
    """CREATE RULE on a table; one on a view is how views were made writable."""
    if operation.target is None or isinstance(context.relation(operation.target), View):
        return None
    return Hit()


def schema_dropped(operation: Operation, context: Context) -> Hit | None:
    """DROP SCHEMA; with CASCADE it names what goes."""
    if not isinstance(operation, DropObject) or operation.target is None:
        return None
    schema = operation.target.name
    if _schema_is_new(schema, context) or context.catalog.schemas.get(schema, UNKNOWN) is None:
        return None
    sure = not operation.if_exists or bool(context.catalog.schemas.get(schema))
    because = f"whether the schema {schema} exists"
    if not operation.cascade:
        text = "it fails (2BP01) as long as anything is in it"
        return Hit(values={"what": text}, level="warning", certain=sure, because=because)
    inside = sorted(
        name.name
        for name, relation in context.catalog.relations.items()
        if name.schema == schema and isinstance(relation, (Table, View))
    )
    what = f"everything in it is lost: {listed(inside)} among others" if inside else "everything in it is lost"
    return Hit(values={"what": what}, certain=sure, because=because)


def _schema_is_new(schema: str, context: Context) -> bool:
    return bool(context.catalog.schemas.get(schema)) and not context.change_start.schemas.get(schema)


def extension_dropped(operation: Operation, context: Context) -> Hit | None:
    """DROP EXTENSION; with CASCADE, columns of its types and indexes on its operators go along."""
    if not isinstance(operation, DropObject) or operation.target is None:
        return None
    name = operation.target.name
    known = context.catalog.extensions.get(name, UNKNOWN)
    if known is None or (known is not UNKNOWN and context.change_start.extensions.get(name) is None):
        return None
    sure = known is not UNKNOWN or not operation.if_exists
    because = f"whether the extension {name} is installed"
    if operation.cascade:
        what = "CASCADE drops every column, index and function that uses it, rows included"
        return Hit(values={"what": what}, certain=sure, because=because)
    what = "queries that call its functions or operators fail from then on"
    return Hit(values={"what": what}, level="warning", certain=sure, because=because)


# --- CASCADE --------------------------------------------------------------------------------------------------------


def cascade_drops(operation: Operation, context: Context) -> Hit | None:
    """DROP … CASCADE; names what goes with it, as far as it is known."""
    target = operation.target
    if target is None or not isinstance(operation, (DropObject, DropColumn, DropConstraint)):
        return None
    kind = operation.object_kind if isinstance(operation, DropObject) else "table"
    if _there_before(target, kind, context) is False:
        return None
    named = set(_named(context))
    victims = [victim for victim in dict.fromkeys(_victims(operation, context)) if victim not in named]
    if victims:
        loses = any(victim.startswith(("column ", "table ")) for victim in victims)
        return Hit(values={"what": f": {listed(victims, 5)}"}, level="error" if loses else None)
    return Hit(
        values={"what": ", whatever it is: nothing in this history does, but the statement would not say so"},
        level="info",
    )


def _named(context: Context) -> Iterator[str]:
    """What the same statement drops by name."""
    for other in context.statement.operations:
        if isinstance(other, DropObject) and other.target is not None:
            yield f"{other.target_kind.replace('_', ' ')} {shown(context.resolve(other.target))}"


def _victims(operation: DropObject | DropColumn | DropConstraint, context: Context) -> Iterator[str]:
    assert operation.target is not None
    if isinstance(operation, DropConstraint):
        yield from _keys_referencing(context.resolve(operation.target), None, context)
        return
    if isinstance(operation, DropColumn):
        table = context.resolve(operation.target)
        yield from _keys_referencing(table, operation.column, context)
        yield from _views_on(table, operation.column, context)
        return
    kind = operation.object_kind
    if kind in ("type", "domain"):
        yield from _columns_of(operation.target, context)
    elif kind in _ROUTINES:
        yield from _triggers_of(operation.target, context)
    elif kind == "sequence":
        name = context.resolve(operation.target)
        for user in context.catalog.dependents_of.get(name, ()):
            if isinstance(context.catalog.relation(user), Table):
                yield f"the default of {shown(user)}"
    else:
        name = context.resolve(operation.target)
        yield from _keys_referencing(name, None, context)
        yield from _views_on(name, None, context)
        yield from _children(name, context)


def _children(table: Name, context: Context) -> Iterator[str]:
    """Inheritance children; partitions go with their table also without CASCADE."""
    for child in context.catalog.children_of.get(table, ()):
        found = context.catalog.table(child)
        if isinstance(found, Table) and found.bound is None and existing(child, context) is not False:
            yield f"table {shown(child)}"


def _keys_referencing(table: Name, column: str | None, context: Context) -> Iterator[str]:
    for name in context.catalog.dependents_of.get(table, ()):
        found = context.catalog.table(name)
        if not isinstance(found, Table) or name == table or existing(name, context) is False:
            continue
        for key in found.constraints:
            if key.references == table and (column is None or column in key.referenced_columns):
                yield f"foreign key {key.name or 'unnamed'} of {shown(name)}"


def _views_on(relation: Name, column: str | None, context: Context) -> Iterator[str]:
    """Views on the relation, and views on those."""
    pending, seen = [relation], {relation}
    while pending:
        current = pending.pop(0)
        for name in context.catalog.dependents_of.get(current, ()):
            found = context.catalog.relation(name)
            if name in seen or not isinstance(found, View) or existing(name, context) is False:
                continue
            if column is not None and current == relation and not _mentions(found, column):
                continue
            seen.add(name)
            pending.append(name)
            yield f"{'materialized ' if found.materialized else ''}view {shown(name)}"


def _mentions(view: View, column: str) -> bool:
    mentions = view.query.mentions
    shown_columns = {source.name for _, source in view.query.columns if source is not None}
    return mentions is None or column in mentions or "*" in mentions or column in shown_columns


def _columns_of(target: Name, context: Context) -> Iterator[str]:
    """Columns of a type, also by way of domains over it."""
    start = context.catalog.resolve_type(target, context.session.search_path)
    pending, seen = [start], {start}
    while pending:
        kind = pending.pop()
        for user in context.catalog.users_of_type.get(kind, ()):
            found = context.catalog.relation(user)
            if isinstance(found, Table):
                if existing(user, context) is not False:
                    for column in found.columns:
                        if column.type is not None and column.type.name == kind:
                            yield f"column {shown(user)}.{column.name} with its values"
            elif user in context.catalog.types and user not in seen:
                seen.add(user)
                pending.append(user)
                yield f"domain {shown(user)}"


def _triggers_of(target: Name, context: Context) -> Iterator[str]:
    schemas = (target.schema,) if target.schema else context.session.search_path
    for schema in schemas:
        name = Name(schema, target.name)
        for user in context.catalog.users_of_routine.get(name, ()):
            found = context.catalog.relation(user)
            if isinstance(found, (Table, View)) and existing(user, context) is not False:
                yield from (
                    f"trigger {trigger.name} of {shown(user)}" for trigger in found.triggers if trigger.function == name
                )


def truncate_cascades(operation: Operation, context: Context) -> Hit | None:
    """TRUNCATE … CASCADE; names the tables that are emptied too."""
    if not isinstance(operation, Truncate):
        return None
    start = context.resolve(operation.target)
    pending, seen = [start], {start}
    while pending:
        for name in context.catalog.dependents_of.get(pending.pop(), ()):
            found = context.catalog.table(name)
            if isinstance(found, Table) and name not in seen and any(k.references in seen for k in found.constraints):
                seen.add(name)
                pending.append(name)
    others = sorted(shown(name) for name in seen - {start})
    if others:
        return Hit(values={"what": f": {listed(others, 5)}"})
    return Hit(values={"what": ", which this history does not name"})


# --- new names ------------------------------------------------------------------------------------------------------


def relation_renamed(operation: Operation, context: Context) -> Hit | None:
    """RENAME of something whose old name is not taken over by anything in the same migration."""
    if not isinstance(operation, RenameObject):
        return None
    old, kinds = operation.target.name, _REPLACING.get(operation.object_kind, (f"create_{operation.object_kind}",))
    for other in _soon(context):
        if other.kind in kinds and other.target is not None and other.target.name == old:
            return None
        if isinstance(other, RenameObject) and other.new_name == old:
            return None
    return _there(operation, context)


def object_renamed(operation: Operation, context: Context) -> Hit | None:
    """RENAME, or SET SCHEMA, of anything that was there before."""
    return _there(operation, context)


def _there(operation: Operation, context: Context) -> Hit | None:
    if operation.target is None:
        return None
    kind = getattr(operation, "object_kind", operation.target_kind)
    if kind == "schema":
        return None if _schema_is_new(operation.target.name, context) else Hit()
    there = _there_before(operation.target, kind, context)
    if there is False:
        return None
    sure = there is True or not getattr(operation, "if_exists", False)
    return Hit(certain=sure, because=f"whether {operation.target} exists")


# --- storage and partitions -----------------------------------------------------------------------------------------


def storage_moved(operation: Operation, context: Context) -> Hit | None:
    """What rewrites or copies a relation's file; a partitioned table has none."""
    if operation.target is None:
        scope = "every table ever clustered" if isinstance(operation, Cluster) else "every table of the database"
        return Hit(values={"relation": scope})
    found = context.relation(operation.target)
    if isinstance(found, Sequence) or found is None:
        return None
    if isinstance(found, Table) and found.partition_by is not None and operation.kind != "cluster":
        return None
    if isinstance(found, Index) and existing(found.table, context) is False:
        return None
    return Hit(values={"relation": str(operation.target)})


def partition_detached(operation: Operation, context: Context) -> Hit | None:
    """DETACH PARTITION; where there is a default partition, CONCURRENTLY is refused."""
    if not isinstance(operation, DetachPartition):
        return None
    parent = context.resolve(operation.target)
    for name in context.catalog.children_of.get(parent, ()):
        child = context.catalog.table(name)
        if isinstance(child, Table) and child.bound is not None and child.bound.kind == "default":
            why = f"CONCURRENTLY is no way out, for {shown(name)} is the default partition."
            return Hit(values={"way": why})
    return Hit(values={"way": "With CONCURRENTLY they need not wait."})


def default_partition_scanned(operation: Operation, context: Context) -> Hit | None:
    """A new partition beside a default partition, which is searched for rows that belong to the new one."""
    parent = operation.target if isinstance(operation, AttachPartition) else getattr(operation, "partition_of", None)
    bound = getattr(operation, "bound", None)
    if parent is None or bound is None or bound.kind == "default":
        return None
    for name in context.catalog.children_of.get(context.resolve(parent), ()):
        child = context.catalog.table(name)
        if isinstance(child, Table) and child.bound is not None and child.bound.kind == "default":
            return Hit(values={"default": shown(name)}) if existing(name, context) is not False else None
    return None


def view_refreshed(operation: Operation, context: Context) -> Hit | None:
    """REFRESH without CONCURRENTLY of a materialized view that people can read."""
    if not isinstance(operation, RefreshMaterializedView):
        return None
    found = context.relation(operation.target)
    return None if isinstance(found, View) and not found.populated else Hit()
