"""Roles in statements that do not name the relations they touch: by schema, owner, tablespace, type or trigger."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from dflint.facts import subjects
from dflint.facts.role_steps import children, has_file
from dflint.model.catalog import Index, Relation, Sequence, Table, View
from dflint.model.context import Context
from dflint.model.names import Identity, Name


def built(context: Context) -> Iterable[Name]:
    """the tables on which the statement builds indexes, partitions without a fitting one included"""
    return dict.fromkeys(new.table for old, new in _changed_indexes(context) if old is None)


def attached(context: Context) -> Iterable[Name]:
    """existing indexes of partitions that become part of the new index of a partitioned table"""
    return tuple(new.name for old, new in _changed_indexes(context) if old is not None and old.parents != new.parents)


def _changed_indexes(context: Context) -> Iterator[tuple[Index | None, Index]]:
    """Each index that the operation makes or changes, before and after."""
    if context.foresee is None:
        return
    change = context.foresee()
    for name in sorted(change.touched):
        old, new = context.catalog.relations.get(name), change.after.relations.get(name)
        if isinstance(new, Index) and (old is None or isinstance(old, Index)):
            yield old, new


def scope(context: Context) -> Iterable[Name]:
    """tables and materialized views with a file, of the schema or database that REINDEX, or VACUUM and the like without
    a name, work off"""
    schema = getattr(context.operation, "schema", None)
    return _where(context, lambda name, relation: _has_rows(context, relation) and schema in (None, name.schema))


def marked(context: Context) -> Iterable[Name]:
    """tables marked for CLUSTER"""
    return _where(context, lambda _name, relation: isinstance(relation, Table) and relation.clustered_on is not None)


def _has_rows(context: Context, relation: Relation) -> bool:
    return isinstance(relation, (Table, View)) and has_file(relation, context.catalog)


def in_tablespace(context: Context) -> Iterable[Name]:
    """relations of the kind in the tablespace that ALL IN TABLESPACE names"""
    source, kind = getattr(context.operation, "source", None), getattr(context.operation, "object_kind", None)
    source = None if source == "pg_default" else source

    def chosen(_name: Name, relation: Relation) -> bool:
        if isinstance(relation, View):
            return kind == "materialized_view" and relation.materialized and source is None
        wanted = Table if kind == "table" else Index if kind == "index" else None
        return wanted is not None and isinstance(relation, wanted) and relation.tablespace == source

    return _where(context, chosen)


def owned(context: Context) -> Iterable[Name]:
    """relations that belong to the roles of DROP OWNED or REASSIGN OWNED"""
    roles, owners = getattr(context.operation, "roles", ()), context.catalog.details.owners

    def chosen(name: Name, relation: Relation) -> bool:
        if isinstance(relation, Index):
            return False
        owner = getattr(relation, "owner", None)
        if owner is None and isinstance(relation, Sequence):
            owner = owners.get(str(Identity("sequence", (name.schema or "", name.name))))
        return owner in roles

    return _where(context, chosen)


def granted(context: Context) -> Iterable[Name]:
    """the relations of GRANT … ON ALL TABLES, or SEQUENCES, IN SCHEMA"""
    schema, kind = getattr(context.operation, "all_in_schema", None), getattr(context.operation, "object_kind", None)
    wanted = {"table": (Table, View), "sequence": (Sequence,)}.get(kind or "", ())
    if schema is None or not wanted:
        return ()
    return _where(context, lambda name, relation: name.schema == schema and isinstance(relation, wanted))


def _where(context: Context, chosen: Callable[[Name, Relation], bool]) -> Iterable[Name]:
    relations = context.catalog.relations
    return sorted(name for name, each in relations.items() if each is not None and chosen(name, each))


def domain_users(context: Context) -> Iterable[Name]:
    """tables and materialized views with a column of the domain, also by way of domains over it"""
    target = context.operation.target
    if target is None:
        return ()
    catalog = context.catalog
    pending, seen = [catalog.resolve_type(target, context.session.search_path)], dict[Name, None]()
    while pending:
        for user in catalog.users_of_type.get(pending.pop(), ()):
            if user not in seen:
                seen[user] = None
                pending.extend([user] if user in catalog.types else [])
    return tuple(name for name in seen if has_rows(catalog.relations.get(name), context))


def has_rows(relation: Relation | None, context: Context) -> bool:
    """Whether the relation keeps rows in a file of its own."""
    return relation is not None and _has_rows(context, relation)


def trigger_from(context: Context) -> Iterable[Name]:
    """the table that FROM names in CREATE CONSTRAINT TRIGGER"""
    name = getattr(context.operation, "referenced", None)
    return () if name is None else (context.resolve(name),)


def rule_writes(context: Context) -> Iterable[Name]:
    """relations that the actions of a rewrite rule write to"""
    return tuple(context.resolve(name) for name in getattr(context.operation, "writes", ()))


def trigger_copies(context: Context) -> Iterable[Name]:
    """partitions that have a copy of the trigger"""
    target, trigger = subjects.relation_name(context), _trigger_name(context)
    if target is None:
        return ()
    found = context.catalog.relations.get(target)
    if not isinstance(found, Table) or found.partition_by is None:
        return ()
    return tuple(name for name in children((target,), context.catalog) if _has_trigger(context, name, trigger))


def _trigger_name(context: Context) -> str | None:
    target = context.operation.target
    return None if target is None else target.name


def _has_trigger(context: Context, name: Name, trigger: str | None) -> bool:
    found = context.catalog.relations.get(name)
    return isinstance(found, Table) and any(each.name == trigger for each in found.triggers)


BASES: Mapping[str, Callable[[Context], Iterable[Name]]] = {
    role.__name__: role
    for role in (
        built,
        attached,
        scope,
        marked,
        in_tablespace,
        owned,
        granted,
        domain_users,
        trigger_from,
        rule_writes,
        trigger_copies,
    )
}
