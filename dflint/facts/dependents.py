"""What depends on what, by the server's own records where the catalog has them (live catalogs and snapshots)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from immutables import Map
from msgspec import Struct
from msgspec.structs import replace

from dflint.facts import subjects
from dflint.facts.base_roles import type_name, typed_table
from dflint.facts.role_steps import has_file, indexes, partitions, sequences
from dflint.facts.type_names import in_identity
from dflint.model.catalog import Catalog, Dependency, Index, Sequence, Table, View
from dflint.model.context import Context
from dflint.model.expressions import Type
from dflint.model.inheritance import losing_column
from dflint.model.names import Identity, Name

#: Parts of a relation: their identity begins with the relation's name.
_PARTS = frozenset({"column", "default", "constraint", "fk", "trigger", "rule", "policy"})
_RELATIONS = frozenset({"table", "view", "materialized_view", "foreign_table", "index", "sequence"})


class _Reverse:
    """The records the other way round, made once for each catalog that was read."""

    def __init__(self) -> None:
        self._records: Map[str, tuple[Dependency, ...]] | None = None
        self._dependents: Mapping[str, list[Dependency]] = {}

    def of(self, catalog: Catalog) -> Mapping[str, list[Dependency]]:
        """Referenced identity -> records. Replay leaves the records alone: the same ones come again and again."""
        records = catalog.details.dependencies
        if records is not self._records:
            found: dict[str, list[Dependency]] = {}
            for each in records.values():
                for record in each:
                    found.setdefault(record.referenced, []).append(record)
            self._records, self._dependents = records, found
        return self._dependents


_REVERSE = _Reverse()


class Removed(Struct):
    """What goes with something that is dropped with CASCADE: whole relations, and relations that lose a part."""

    dropped: set[Name]
    losing: set[Name]


def removed_with(context: Context, start: Iterable[str]) -> Removed:
    """What goes when the objects of the identities ``start`` do."""
    catalog, reverse = context.catalog, _REVERSE.of(context.catalog)
    found = Removed(set(), set())
    pending, seen = list(start), set[str]()
    own = {_relation_of(text) for text in pending if text.partition(":")[0] in _RELATIONS}
    while pending:
        text = pending.pop()
        if text in seen:
            continue
        seen.add(text)
        for record in reverse.get(text, ()):
            relation = _relation_of(record.dependent)
            if relation is not None and catalog.relations.get(relation) is None:
                continue  # it has gone since the records were made
            kind = record.dependent.partition(":")[0]
            if kind in _RELATIONS and relation is not None:
                found.dropped.add(relation)
                index = catalog.relations.get(relation)
                if isinstance(index, Index):
                    found.losing.add(index.table)
                pending.extend(_and_columns(record.dependent, catalog, relation))
            else:
                if kind in _PARTS and relation is not None and _still_has(record.dependent, catalog, relation):
                    found.losing.add(relation)
                    if kind == "fk" and relation not in own:
                        found.losing.update(_beside_key(record.dependent, relation, context))
                    if kind == "column":
                        found.dropped.update(_owned_by_column(record.dependent, relation, catalog))
                    if kind == "trigger":
                        found.losing.update(_with_copies(record.dependent, relation, catalog))
                pending.append(record.dependent)
    found.losing -= found.dropped
    return found


def _owned_by_column(text: str, table: Name, catalog: Catalog) -> Iterator[Name]:
    """The sequences that a column owns."""
    column = Identity.parse(text).parts[2]
    for name in sequences((table,), catalog):
        sequence = catalog.relations.get(name)
        if isinstance(sequence, Sequence) and sequence.owner_column == column:
            yield name


def _with_copies(text: str, table: Name, catalog: Catalog) -> Iterable[Name]:
    """The partitions with copies of a trigger: of one that runs for each row all have one."""
    found, name = catalog.relations.get(table), Identity.parse(text).parts[2]
    triggers = found.triggers if isinstance(found, Table) else ()
    copied = any(each.name == name and each.for_each_row for each in triggers)
    return partitions((table,), catalog) if copied else ()


def _beside_key(text: str, table: Name, context: Context) -> Iterator[Name]:
    """What has triggers of a foreign key, or its copies, beside its table: partitions, and the other side."""
    catalog, name = context.catalog, Identity.parse(text).parts[2]
    yield from partitions((table,), catalog)
    found = catalog.relations.get(table)
    for key in found.constraints if isinstance(found, Table) else ():
        if key.name == name and key.references is not None:
            yield from partitions((key.references,), catalog)
            # Partitioned tables have such triggers from PostgreSQL 15 on.
            if context.version >= 15 or has_file(catalog.relations.get(key.references), catalog):
                yield key.references


def going_together(context: Context) -> frozenset[Name]:
    """What a DROP takes without CASCADE: the relations it lists, their partitions, indexes and owned sequences."""
    catalog, own = context.catalog, context.operation
    listed = [each.target for each in context.statement.operations if each.kind == own.kind and each.target is not None]
    tables = [context.resolve(name) for name in listed]
    tables += partitions(tables, catalog)
    return frozenset((*tables, *indexes(tables, catalog), *sequences(tables, catalog)))


def dependents_beside(context: Context, start: Iterable[str], going: frozenset[Name]) -> bool:
    """Whether anything depends on one of ``start`` that is not part of the relations ``going``."""
    reverse, own = _REVERSE.of(context.catalog), frozenset(start)
    return any(
        record.type == "n" and record.dependent not in own and _stays(record.dependent, context.catalog, going)
        for text in own
        for record in reverse.get(text, ())
    )


def _stays(text: str, catalog: Catalog, going: frozenset[Name]) -> bool:
    relation = _relation_of(text)
    if relation is None:
        return True
    return relation not in going and catalog.relations.get(relation) is not None and _still_has(text, catalog, relation)


def identities_of(catalog: Catalog, name: Name) -> list[str]:
    """The identities under which something may depend on a relation: its own and its columns'."""
    relation = catalog.relations.get(name)
    kind = "table"
    if isinstance(relation, View):
        kind = "materialized_view" if relation.materialized else "view"
    elif isinstance(relation, Index):
        kind = "index"
    elif isinstance(relation, Table):
        kind = "table" if relation.foreign_server is None else "foreign_table"
    elif relation is not None:
        kind = "sequence"
    text = str(Identity(kind, (name.schema or "public", name.name)))
    return list(_and_columns(text, catalog, name))


def _and_columns(text: str, catalog: Catalog, name: Name) -> Iterator[str]:
    yield text
    relation = catalog.relations.get(name)
    if isinstance(relation, (Table, View)):
        for column in relation.columns or ():
            yield column_identity(name, column.name)


def column_identity(table: Name, column: str) -> str:
    """The printed identity of a column."""
    return str(Identity("column", (table.schema or "public", table.name, column)))


def routine_identities(context: Context) -> list[str]:
    """The identities of the routines that a DROP names, every overload where it gives no arguments."""
    target, reverse = context.operation.target, _REVERSE.of(context.catalog)
    if target is None:
        return []
    schemas = (target.schema,) if target.schema else context.session.search_path
    wanted = {(schema, target.name) for schema in schemas}
    found = [text for text in reverse if _routine_name(text) in wanted]
    arguments = getattr(context.operation, "arguments", None)
    if arguments is None:
        return found
    signature = f"{target.name}({', '.join(_resolved(each, context) for each in arguments)})"
    return [text for text in found if Identity.parse(text).parts[1] == signature]


def _resolved(written: Type, context: Context) -> str:
    name = context.catalog.resolve_type(written.name, context.session.search_path)
    known = context.catalog.types.get(name) or context.catalog.relations.get(name)
    return in_identity(written if known is None else replace(written, name=name))


def _routine_name(text: str) -> tuple[str, str] | None:
    if text.partition(":")[0] not in ("function", "procedure", "aggregate", "routine"):
        return None
    schema, name = Identity.parse(text).parts
    return schema, name.partition("(")[0]


def users_of_column(context: Context, table: Name, column: str) -> Iterator[str]:
    """Kinds of what uses a column: view, rule, policy, trigger, generated, function, publication.

    Indexes, constraints, defaults and statistics are not among them: they follow a change of type.
    """
    catalog = context.catalog
    for record in _REVERSE.of(catalog).get(column_identity(table, column), ()):
        kind, relation = record.dependent.partition(":")[0], _relation_of(record.dependent)
        if relation is not None and not (
            catalog.relations.get(relation) is not None and _still_has(record.dependent, catalog, relation)
        ):
            continue
        yield {"materialized_view": "view"}.get(kind, kind)
    found = catalog.table(table)
    if isinstance(found, Table):
        yield from _own_users(found, column)
    for name in catalog.dependents_of.get(table, ()):
        view = catalog.relations.get(name)
        if isinstance(view, View) and not _is_recorded(view, catalog) and _reads_column(view, table, column):
            yield "view"


def _is_recorded(view: View, catalog: Catalog) -> bool:
    """Whether the server has told what the view depends on."""
    kind = "materialized_view" if view.materialized else "view"
    return str(Identity(kind, (view.name.schema or "public", view.name.name))) in catalog.details.dependencies


def _own_users(table: Table, column: str) -> Iterator[str]:
    for policy in table.policies:
        if any(part is not None and column in part.columns() for part in (policy.using, policy.check)):
            yield "policy"
    for trigger in table.triggers:
        if column in trigger.columns or (trigger.when is not None and column in trigger.when.columns()):
            yield "trigger"
    for other in table.columns:
        if other.name != column and other.generated is not None and column in other.generated.columns():
            yield "generated"


def _reads_column(view: View, table: Name, column: str) -> bool:
    query = view.query
    if any(source in (table, Name(str(table), column)) for _, source in query.columns):
        return True
    return query.mentions is None or column in query.mentions


def _relation_of(text: str) -> Name | None:
    """The relation that an identity is, or is a part of."""
    kind, parts = Identity.parse(text)
    if kind in _RELATIONS and len(parts) == 2:
        return Name(*parts)
    return Name(*parts[:2]) if kind in _PARTS and len(parts) == 3 else None


def _still_has(text: str, catalog: Catalog, relation: Name) -> bool:
    """Whether a part of a relation, of which a record tells, has not been dropped since."""
    kind, parts = Identity.parse(text)
    found = catalog.relations.get(relation)
    if not isinstance(found, Table):
        return True
    fields = {"trigger": found.triggers, "policy": found.policies, "column": found.columns}
    if kind in fields:
        return any(each.name == parts[2] for each in fields[kind])  # type: ignore[attr-defined]
    if kind == "rule":
        return parts[2] in found.rules
    if kind in ("fk", "constraint"):
        return any(each.name == parts[2] for each in found.constraints) or _whole_still_there(text, catalog)
    return True


def _whole_still_there(text: str, catalog: Catalog) -> bool:
    """Whether it is one of the parts that a foreign key to a partitioned table has, and the key is still there."""
    wholes = [each.referenced for each in catalog.details.dependencies.get(text, ()) if each.referenced[:3] == "fk:"]
    return any(_still_has(whole, catalog, Name(*Identity.parse(whole).parts[:2])) for whole in wholes)


def subject_identities(context: Context) -> list[str]:
    """The identities of what a DROP (or DROP COLUMN) names, with its parts."""
    operation, table, column = context.operation, subjects.table_name(context), subjects.column_name(context)
    if operation.kind == "drop_column" and isinstance(table, Name) and column is not None:
        losing = _losing_column(context, table, column)
        return [text for each in losing for text in (column_identity(each, column), *_own_keys(context, each, column))]
    if operation.kind in ("drop_function", "drop_procedure", "drop_routine", "drop_aggregate"):
        return routine_identities(context)
    if operation.kind == "drop_owned":
        return list(_owned_identities(context))
    if operation.kind == "drop_attribute":
        return list(_attribute_identities(context, getattr(operation, "attribute", "")))
    target = subjects.relation_name(context)
    name = getattr(operation, "name", None)
    if operation.kind == "drop_constraint" and isinstance(table, Name) and isinstance(name, str):
        schema = table.schema or "public"
        constraints = [str(Identity(kind, (schema, table.name, name))) for kind in ("constraint", "fk")]
        return [*constraints, str(Identity("index", (schema, name)))]
    if operation.kind == f"drop_{operation.target_kind}" and target is not None and operation.target_kind in _RELATIONS:
        return identities_of(context.catalog, target)
    found = context.identity()
    if found is not None and context.operation.target_kind == "extension":
        return [found, *extension_members(context)]
    return [] if found is None else [found]


def _owned_identities(context: Context) -> Iterator[str]:
    """The identities of everything that belongs to the roles of DROP OWNED."""
    catalog, roles = context.catalog, getattr(context.operation, "roles", ())
    for name, relation in catalog.relations.items():
        if getattr(relation, "owner", None) in roles:
            yield from identities_of(catalog, name)
    yield from (identity for identity, owner in catalog.details.owners.items() if owner in roles)


def _own_keys(context: Context, name: Name, column: str) -> Iterator[str]:
    """The identities of the table's own foreign keys on the column: they go with it, whatever else they refer to."""
    table = context.catalog.table(name)
    for key in table.constraints if isinstance(table, Table) else ():
        if key.kind == "foreign_key" and column in key.columns and key.name is not None:
            yield str(Identity("fk", (name.schema or "public", name.name, key.name)))


def _losing_column(context: Context, table: Name, column: str) -> list[Name]:
    """The table and those descendants whose column goes with its own."""
    if getattr(context.operation, "only", False):
        return [table]
    return losing_column(context.catalog.relations, context.catalog.children_of, table, column)


def looked_at_below(context: Context) -> Iterator[Name]:
    """DROP COLUMN and DROP ATTRIBUTE: the children of the tables, and of those descendants that lose the column too"""
    if context.operation.kind == "drop_attribute":
        attribute = getattr(context.operation, "attribute", "")
        losing = [name for table in typed_table(context) for name in _losing_column(context, table, attribute)]
    else:
        table, column = subjects.table_name(context), subjects.column_name(context)
        if not isinstance(table, Name) or column is None or subjects.column(context) is None:
            return
        losing = _losing_column(context, table, column)
    for name in losing:
        yield from context.catalog.children_of.get(name, ())


def _attribute_identities(context: Context, attribute: str) -> Iterator[str]:
    """The identities of a composite type's attribute: in the type, and as a column of the tables that lose it."""
    for name in type_name(context):
        yield column_identity(name, attribute)
    for table in (name for typed in typed_table(context) for name in _losing_column(context, typed, attribute)):
        column = column_identity(table, attribute)
        yield column
        yield from _own_keys(context, table, attribute)
        for sequence in _owned_by_column(column, table, context.catalog):
            yield str(Identity("sequence", (sequence.schema or "public", sequence.name)))


def extension_members(context: Context) -> list[str]:
    """The identities of what the extension that the operation names has brought."""
    name = None if context.operation.target is None else context.operation.target.name
    return [text for text, extension in context.catalog.details.extension_members.items() if extension == name]
