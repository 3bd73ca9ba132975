"""Roles in statements that do not name the relations they touch: by schema, owner, tablespace, type or trigger."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from dflint.facts import subjects
from dflint.facts.dependents import extension_members
from dflint.facts.role_steps import children, has_file
from dflint.model.catalog import Index, Relation, Sequence, Table, View
from dflint.model.context import Context
from dflint.model.names import Identity, Name
from dflint.model.schema import Query


def built(context: Context) -> Iterable[Name]:
    """The tables on which the statement builds indexes, partitions without a fitting one included"""
    if _left_empty(context):
        return ()
    return dict.fromkeys(new.table for old, new in _changed_indexes(context) if old is None)


def _left_empty(context: Context) -> bool:
    """Whether the new indexes are entered without being built, in the belief that the tables are rewritten anyway.

    SET LOGGED and SET UNLOGGED do nothing to a partitioned table before PostgreSQL 18, but ALTER TABLE believes that.
    """
    target = context.target
    table = None if target is None else context.catalog.relations.get(target)
    return (
        context.version < 18
        and isinstance(table, Table)
        and table.partition_by is not None
        and any(each.kind in ("set_logged", "set_unlogged") for each in context.statement.operations)
    )


def attached(context: Context) -> Iterable[Name]:
    """Existing indexes of partitions that become part of the new index of a partitioned table"""
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


def reindexed(context: Context) -> Iterable[Name]:
    """REINDEX TABLE CONCURRENTLY: the indexes that it builds anew, those of exclusion constraints left out"""
    name, catalog = subjects.relation_name(context), context.catalog
    for table in () if name is None else (name, *children((name,), catalog)):
        owner = catalog.relations.get(table)
        excluding = {each.index for each in getattr(owner, "constraints", ()) if each.kind == "exclusion"}
        partitioned = table == name or (isinstance(owner, Table) and owner.bound is not None)
        if partitioned and has_file(owner, catalog):
            yield from (index for index in catalog.indexes_of.get(table, ()) if index not in excluding)


def scope(context: Context) -> Iterable[Name]:
    """Tables and materialized views with a file, of the schema or database that REINDEX, or VACUUM and the like without
    a name, work off
    """
    schema = getattr(context.operation, "schema", None)
    return _where(context, lambda name, relation: _has_rows(context, relation) and schema in (None, name.schema))


def marked(context: Context) -> Iterable[Name]:
    """Tables marked for CLUSTER"""
    return _where(context, lambda _name, relation: isinstance(relation, Table) and relation.clustered_on is not None)


def _has_rows(context: Context, relation: Relation) -> bool:
    return isinstance(relation, (Table, View)) and has_file(relation, context.catalog)


def in_tablespace(context: Context) -> Iterable[Name]:
    """Relations of the kind in the tablespace that ALL IN TABLESPACE names"""
    source, kind = getattr(context.operation, "source", None), getattr(context.operation, "object_kind", None)
    source = None if source == "pg_default" else source

    def chosen(_name: Name, relation: Relation) -> bool:
        if isinstance(relation, View):
            return kind == "materialized_view" and relation.materialized and source is None
        wanted = Table if kind == "table" else Index if kind == "index" else None
        return wanted is not None and isinstance(relation, wanted) and relation.tablespace == source

    return _where(context, chosen)


def owned(context: Context) -> Iterable[Name]:
    """Relations that belong to the roles of DROP OWNED or REASSIGN OWNED"""
    roles, owners = getattr(context.operation, "roles", ()), context.catalog.details.owners

    def chosen(name: Name, relation: Relation) -> bool:
        if isinstance(relation, Index):
            return False
        owner = getattr(relation, "owner", None)
        if owner is None and isinstance(relation, Sequence):
            owner = owners.get(str(Identity("sequence", (name.schema or "", name.name))))
        return owner in roles

    return _where(context, chosen)


def _where(context: Context, chosen: Callable[[Name, Relation], bool]) -> Iterable[Name]:
    relations = context.catalog.relations
    return sorted(name for name, each in relations.items() if each is not None and chosen(name, each))


def domain_users(context: Context) -> Iterable[Name]:
    """Tables and materialized views with a column of the domain, also by way of domains over it"""
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
    """The table that FROM names in CREATE CONSTRAINT TRIGGER"""
    name = getattr(context.operation, "referenced", None)
    return () if name is None else (context.resolve(name),)


def rule_writes(context: Context) -> Iterable[Name]:
    """Relations that the actions of a rewrite rule write to"""
    return tuple(context.resolve(name) for name in getattr(context.operation, "writes", ()))


def trigger_copies(context: Context) -> Iterable[Name]:
    """Partitions that have a copy of the trigger"""
    target, trigger = subjects.relation_name(context), _trigger_name(context)
    if target is None:
        return ()
    found = context.catalog.relations.get(target)
    if not isinstance(found, Table) or found.partition_by is None:
        return ()
    if not any(each.name == trigger and each.for_each_row for each in found.triggers):
        return ()
    return tuple(children((target,), context.catalog))


def _trigger_name(context: Context) -> str | None:
    target = context.operation.target
    return None if target is None else target.name


def extension_users(context: Context) -> Iterable[Name]:
    """Tables with a column of a type that the extension has brought"""
    found = dict[Name, None]()
    for text in extension_members(context) if context.operation.target_kind == "extension" else ():
        kind, parts = Identity.parse(text)
        for user in context.catalog.users_of_type.get(Name(*parts), ()) if kind in ("type", "domain") else ():
            if isinstance(context.catalog.relations.get(user), Table):
                found[user] = None
    return found


def statistics_table(context: Context) -> Iterable[Name]:
    """The table that extended statistics are about"""
    text = context.identity()
    found = context.catalog.details.dependencies.get(text or "", ())
    parts = (Identity.parse(each.referenced) for each in found)
    return dict.fromkeys(Name(*each.parts[:2]) for each in parts if each.kind in ("column", "table"))


def published(context: Context) -> Iterable[Name]:
    """The tables that the publication names so far"""
    target = context.operation.target
    found = None if target is None else context.catalog.publications.get(target.name)
    return () if found is None else found.tables


def member(context: Context) -> Iterable[Name]:
    """The relation that ALTER EXTENSION … ADD or DROP names"""
    kind, _, name = getattr(context.operation, "detail", "").partition(" ")
    if kind not in subjects.RELATIONS or not name:
        return ()
    schema, dot, last = name.rpartition(".")
    return (context.resolve(Name(schema if dot else None, last)),)


def body(context: Context) -> Iterable[Name]:
    """The relations that the body of an SQL function reads"""
    return _in_body(context, "reads")


def body_writes(context: Context) -> Iterable[Name]:
    """The relations that the body of an SQL function writes to"""
    return _in_body(context, "writes")


def _in_body(context: Context, how: str) -> Iterable[Name]:
    operation = context.operation
    if getattr(operation, "language", None) != "sql" and not getattr(operation, "sql_body", False):
        return ()
    found = dict[Name, None]()
    for inner in getattr(operation, "references", ()):
        query = getattr(inner, "query", None)
        names = list(getattr(query, how, ()))
        if how == "writes" and inner.kind in ("insert", "update", "delete", "merge") and inner.target is not None:
            names.append(inner.target)
        found.update(dict.fromkeys(context.resolve(name) for name in names))
    return found


def commented(context: Context) -> Iterable[Name]:
    """The relation whose trigger, rule, policy or constraint gets a comment"""
    operation = context.operation
    if operation.target is None or getattr(operation, "detail", "") == "domain":
        return ()
    return (context.resolve(operation.target),)


def published_children(context: Context) -> Iterable[Name]:
    """Inheritance children of the tables that a publication lists without ONLY"""
    alone = getattr(context.operation, "only", ())
    listed = [context.resolve(name) for name in getattr(context.operation, "tables", ()) if name not in alone]
    tables = ((name, context.catalog.relations.get(name)) for name in listed)
    parents = [name for name, table in tables if isinstance(table, Table) and table.partition_by is None]
    return children(parents, context.catalog)


def query_sequences(context: Context) -> Iterable[Name]:
    """The sequences that the query hands to nextval(), setval() or currval()"""
    query = getattr(context.operation, "query", None)
    return tuple(context.resolve(name) for name in query.sequences) if isinstance(query, Query) else ()


BASES: Mapping[str, Callable[[Context], Iterable[Name]]] = {
    role.__name__: role
    for role in (
        built,
        attached,
        reindexed,
        scope,
        marked,
        in_tablespace,
        owned,
        domain_users,
        trigger_from,
        rule_writes,
        trigger_copies,
        extension_users,
        statistics_table,
        published,
        member,
        body,
        commented,
        published_children,
        query_sequences,
        body_writes,
    )
}
