"""The steps of roles: from some relations to others that stand in a relation to them.

A step is a function of qualified names and catalog; its docstring is its documentation. What the catalog does not show
is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from dflint.model.catalog import Catalog, Index, Relation, Sequence, Table, View
from dflint.model.names import Name

Names = Iterable[Name]
Step = Callable[[Names, Catalog], Names]


def indexes(names: Names, catalog: Catalog) -> Names:
    """Their indexes"""
    for name in names:
        yield from catalog.indexes_of.get(name, ())


def attached_indexes(names: Names, catalog: Catalog) -> Names:
    """Their indexes that are attached to indexes of a partitioned table"""
    for name in indexes(names, catalog):
        index = catalog.relations.get(name)
        if isinstance(index, Index) and index.parents:
            yield name


def children(names: Names, catalog: Catalog) -> Names:
    """Their partitions and inheritance children at every depth; of indexes, those attached to them"""
    pending, seen = list(names), dict[Name, None]()
    while pending:
        for child in catalog.children_of.get(pending.pop(), ()):
            if child not in seen:
                seen[child] = None
                pending.append(child)
    return tuple(seen)


def direct_children(names: Names, catalog: Catalog) -> Names:
    """Their own partitions and inheritance children, not those of these"""
    for name in names:
        yield from catalog.children_of.get(name, ())


def partitions(names: Names, catalog: Catalog) -> Names:
    """The partitions of those that are partitioned, at every depth"""
    return children((name for name in names if _is_partitioned(catalog.relations.get(name))), catalog)


def _is_partitioned(relation: Relation | None) -> bool:
    return isinstance(relation, Index) or (isinstance(relation, Table) and relation.partition_by is not None)


def tree(names: Names, catalog: Catalog) -> Names:
    """They and their children at every depth"""
    own = tuple(names)
    return dict.fromkeys((*own, *children(own, catalog)))


def parents(names: Names, catalog: Catalog) -> Names:
    """The relations they inherit from or are partitions of"""
    for name in names:
        relation = catalog.relations.get(name)
        if isinstance(relation, (Table, Index)):
            yield from relation.parents


def ancestors(names: Names, catalog: Catalog) -> Names:
    """Their parents at every depth"""
    pending, seen = list(names), dict[Name, None]()
    while pending:
        for parent in parents((pending.pop(),), catalog):
            if parent not in seen:
                seen[parent] = None
                pending.append(parent)
    return tuple(seen)


def partition_ancestors(names: Names, catalog: Catalog) -> Names:
    """What they are partitions of, at every depth"""
    return ancestors([name for name in names if _is_partition(catalog.relations.get(name))], catalog)


def default(names: Names, catalog: Catalog) -> Names:
    """Their default partitions"""
    for name in names:
        for child in catalog.children_of.get(name, ()):
            relation = catalog.relations.get(child)
            if isinstance(relation, Table) and relation.bound is not None and relation.bound.kind == "default":
                yield child


def table(names: Names, catalog: Catalog) -> Names:
    """The tables that they, indexes or owned sequences, belong to"""
    for name in names:
        relation = catalog.relations.get(name)
        if isinstance(relation, Index):
            yield relation.table
        elif isinstance(relation, Sequence) and relation.owner_table is not None:
            yield relation.owner_table


def sequences(names: Names, catalog: Catalog) -> Names:
    """The sequences that their columns own"""
    for name in names:
        for other, relation in dependents(name, catalog):
            if isinstance(relation, Sequence) and relation.owner_table == name:
                yield other


def referenced(names: Names, catalog: Catalog) -> Names:
    """The tables that their foreign keys refer to"""
    for name in names:
        relation = catalog.relations.get(name)
        for constraint in relation.constraints if isinstance(relation, Table) else ():
            if constraint.references is not None:
                yield constraint.references


def own_referenced(names: Names, catalog: Catalog) -> Names:
    """The tables that their foreign keys refer to; those that come from a parent or are NOT ENFORCED are left out"""
    for name in names:
        relation = catalog.relations.get(name)
        for constraint in relation.constraints if isinstance(relation, Table) else ():
            if constraint.references is not None and not constraint.inherited and constraint.enforced:
                yield constraint.references


def key_owners(names: Names, catalog: Catalog) -> Names:
    """The tables whose own foreign keys, not those from a parent, refer to them, or to what they are partitions of"""
    own = tuple(names)
    for name in (*own, *partition_ancestors(own, catalog)):
        for other, relation in dependents(name, catalog):
            if isinstance(relation, Table) and any(
                key.references == name and not key.inherited for key in relation.constraints
            ):
                yield other


def referencing(names: Names, catalog: Catalog) -> Names:
    """The tables with foreign keys to them, or to what they are partitions of"""
    own = tuple(names)
    for name in (*own, *ancestors([each for each in own if _is_partition(catalog.relations.get(each))], catalog)):
        for other, relation in dependents(name, catalog):
            if isinstance(relation, Table) and any(key.references == name for key in relation.constraints):
                yield other


def _is_partition(relation: Relation | None) -> bool:
    return isinstance(relation, Table) and relation.bound is not None


def views(names: Names, catalog: Catalog) -> Names:
    """The views and materialized views that read them, at every depth"""
    pending, seen = list(names), dict[Name, None]()
    while pending:
        for other, relation in dependents(pending.pop(), catalog):
            if isinstance(relation, View) and other not in seen:
                seen[other] = None
                pending.append(other)
    return tuple(seen)


def behind(names: Names, catalog: Catalog) -> Names:
    """they, what views among them read at every depth, and all children"""
    return _behind(((name, False) for name in names), catalog)


def viewed(names: Names, catalog: Catalog) -> Names:
    """What the queries of views and materialized views read, views at every depth, and all children"""
    return _behind(_reading(catalog.relations.get(name) for name in names), catalog)


def _behind(named: Iterable[tuple[Name, bool]], catalog: Catalog) -> dict[Name, bool]:
    """The same for names that are read with ONLY or not; whether each was read with ONLY anywhere."""
    pending, seen, whole = list(named), dict[Name, bool](), set[Name]()
    while pending:
        name, only = pending.pop()
        seen[name] = only or seen.get(name, False)
        if only or name in whole:
            continue
        whole.add(name)
        relation = catalog.relations.get(name)
        if isinstance(relation, View) and not relation.materialized:
            pending.extend(_reading((relation,)))
        else:
            pending.extend((child, False) for child in catalog.children_of.get(name, ()))
    return seen


def _reading(views: Iterable[Relation | None]) -> Iterator[tuple[Name, bool]]:
    for view in views:
        if isinstance(view, View):
            yield from ((name, name in view.query.only) for name in view.query.reads)


def planned(names: Names, catalog: Catalog, version: int) -> Names:
    """All that planning a query over them locks: what is behind them, and the indexes of all that (those of
    partitioned tables from PostgreSQL 16 on)
    """
    return _opened(_behind(((name, False) for name in names), catalog), catalog, version)


def viewing(names: Names, catalog: Catalog, version: int) -> Names:
    """All that planning the queries of views and materialized views locks, as for `planned`"""
    return _opened(_behind(_reading(catalog.relations.get(name) for name in names), catalog), catalog, version)


def _opened(read: Mapping[Name, bool], catalog: Catalog, version: int) -> Names:
    """The relations, told whether with ONLY, and the indexes that planning with them opens."""
    alone = [name for name, only in read.items() if only]
    # Before PostgreSQL 16 the indexes of a partitioned table are opened where it is read without its partitions.
    return dict.fromkeys((*with_indexes(read, catalog, version), *indexes(alone, catalog)))


def checked(names: Names, catalog: Catalog, version: int) -> Names:
    """What the check of a foreign key plans with: they, partitions of partitioned ones, and indexes as for `planned`"""
    own = tuple(names)
    return with_indexes((*own, *partitions(own, catalog)), catalog, version)


def with_indexes(names: Names, catalog: Catalog, version: int) -> Names:
    """The relations and the indexes that planning with them opens."""
    own = tuple(names)
    opened = indexes(own, catalog)
    return dict.fromkeys((*own, *(opened if version >= 16 else stored(opened, catalog))))


def reads(names: Names, catalog: Catalog) -> Names:
    """The relations that the queries of views and materialized views name"""
    for name in names:
        relation = catalog.relations.get(name)
        if isinstance(relation, View):
            yield from relation.query.reads


def stored(names: Names, catalog: Catalog) -> Names:
    """Those of them that have a file: no partitioned tables and indexes, no foreign tables, no views"""
    return (name for name in names if has_file(catalog.relations.get(name), catalog))


def has_file(relation: Relation | None, catalog: Catalog) -> bool:
    """Whether the relation has a file of its own; one that is not known is taken to."""
    if isinstance(relation, Table):
        return relation.partition_by is None and relation.foreign_server is None
    if isinstance(relation, Index):
        return has_file(catalog.relations.get(relation.table), catalog)
    return not isinstance(relation, View) or relation.materialized


def dependents(name: Name, catalog: Catalog) -> Iterator[tuple[Name, Relation]]:
    """The relations that name ``name``, as far as they are known."""
    for other in catalog.dependents_of.get(name, ()):
        relation = catalog.relations.get(other)
        if relation is not None:
            yield other, relation


STEPS: Mapping[str, Step] = {
    step.__name__: step
    for step in (
        indexes,
        attached_indexes,
        children,
        direct_children,
        partitions,
        tree,
        parents,
        ancestors,
        partition_ancestors,
        default,
        table,
        sequences,
        referenced,
        referencing,
        key_owners,
        views,
        reads,
        own_referenced,
        behind,
        viewed,
        stored,
    )
}

#: Steps that are not the same in every version.
PLANNING: Mapping[str, Callable[[Names, Catalog, int], Names]] = {
    "planned": planned,
    "viewing": viewing,
    "checked": checked,
}
