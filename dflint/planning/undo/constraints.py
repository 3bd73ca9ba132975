"""Constraints and indexes: dropping what was added, and making again what was dropped."""

from __future__ import annotations

from dflint.model.catalog import Index, Table, View
from dflint.model.foreign_keys import NOT_VALID_ON_PARTITIONED
from dflint.model.names import Name
from dflint.model.operations.indexes import CreateIndex
from dflint.model.operations.objects import DropObject, RenameConstraint
from dflint.model.operations.tables import (
    AddConstraintOperation,
    AddPrimaryKey,
    AlterConstraint,
    DropConstraint,
    ValidateConstraint,
)
from dflint.model.quoting import quote_identifier, quote_literal
from dflint.model.schema import Constraint
from dflint.planning.undo.before import Before, Irreversible, Nothing, identity
from dflint.planning.undo.columns import alter
from dflint.planning.undo.spelling import constraint_sql, index_sql, quoted
from dflint.planning.undo.tables import replica


def add_constraint(before: Before, operation: AddConstraintOperation) -> list[str]:
    """ADD CONSTRAINT in all its forms."""
    table = before.catalog.relations.get(before.resolve(operation.target))
    written = operation.constraint
    name = written.name or written.using_index or _chosen(before, operation)
    if isinstance(table, Table) and any(each.name == name for each in table.constraints):
        raise Nothing
    sql = [f"{alter(before, operation)} DROP CONSTRAINT {quote_identifier(name)}"]
    if written.using_index is not None:
        sql += _index_again(before, operation.target, written.using_index)
    if isinstance(operation, AddPrimaryKey):
        sql += _nullable_again(before, operation, written)
    return sql


def _chosen(before: Before, operation: AddConstraintOperation) -> str:
    """The name that PostgreSQL chooses."""
    name = before.resolve(operation.target)
    was, now = before.catalog.relations.get(name), before.after.relations.get(name)
    old = {each.name for each in was.constraints} if isinstance(was, Table) else set()
    new = [each for each in now.constraints if each.name not in old] if isinstance(now, Table) else []
    wanted = [each.name for each in new if each.kind == operation.constraint.kind and each.name]
    if before.after is before.catalog and isinstance(was, Table) and was.complete:
        raise Nothing
    if len(wanted) != 1 or not (isinstance(was, Table) and was.complete):
        raise Irreversible("the catalog does not say which name PostgreSQL chooses for the constraint")
    return wanted[0]


def _index_again(before: Before, table: Name, name: str) -> list[str]:
    """An index that became a constraint's goes with it."""
    found = before.catalog.relations.get(Name(before.resolve(table).schema, name))
    if not isinstance(found, Index):
        raise Irreversible(f"the catalog does not say how index {name} was defined")
    return made_again(before, found, concurrently=False)


def _nullable_again(before: Before, operation: AddPrimaryKey, written: Constraint) -> list[str]:
    """The columns of a primary key stay NOT NULL when it is dropped."""
    names = written.columns
    if written.using_index is not None:
        found = before.catalog.relations.get(Name(before.resolve(operation.target).schema, written.using_index))
        names = tuple(each.column or "" for each in found.elements) if isinstance(found, Index) else ()
    where = alter(before, operation)
    return [
        f"{where} ALTER COLUMN {quote_identifier(name)} DROP NOT NULL"
        for name in names
        if not before.column(operation.target, name).not_null
    ]


def drop_constraint(before: Before, operation: DropConstraint) -> list[str]:
    """DROP CONSTRAINT."""
    table = before.table(operation.target)
    constraint = before.constraint(table, operation.name)
    if operation.cascade and constraint.kind in ("primary_key", "unique") and _is_referenced(before, table):
        raise Irreversible(f"CASCADE drops what depends on constraint {operation.name}")
    if constraint.kind in ("primary_key", "unique", "exclusion") and before.descendants(table.name):
        raise Irreversible(f"the indexes behind constraint {operation.name} of the partitions would get other names")
    return added_again(before, operation, table, constraint)


def added_again(
    before: Before, operation: DropConstraint | ValidateConstraint, table: Table, constraint: Constraint
) -> list[str]:
    """A constraint that was dropped."""
    return constraint_again(before, table, constraint, alter(before, operation))


def constraint_again(before: Before, table: Table, constraint: Constraint, where: str | None = None) -> list[str]:
    """The statements that make a constraint of a table again."""
    name = constraint.name or ""
    index = before.catalog.relations.get(constraint.index) if constraint.index is not None else None
    kind = "fk" if constraint.kind == "foreign_key" else "constraint"
    parts = (*table.name, name)
    own = index if isinstance(index, Index) else None
    text = constraint_sql(constraint, own, before.definition(kind, parts))
    if text is None:
        raise Irreversible(f"the catalog does not say exactly how constraint {name} of {table.name} was defined")
    where = where or f"ALTER TABLE {quoted(table.name)}"
    later = _can_be_validated_later(before, table, constraint) and " ONLY " not in where
    sql = [f"{where} ADD CONSTRAINT {quote_identifier(name)} {text}{' NOT VALID' if later else ''}"]
    if own is not None:
        sql += _marks(table, own)
    sql += _comment(before, kind, parts, f"CONSTRAINT {quote_identifier(name)} ON {quoted(table.name)}")
    return [*sql, f"{where} VALIDATE CONSTRAINT {quote_identifier(name)}"] if later else sql


def _can_be_validated_later(before: Before, table: Table, constraint: Constraint) -> bool:
    """Whether all rows held it, and can be looked at again while others write."""
    if constraint.kind not in ("foreign_key", "check") or not (constraint.validated and constraint.enforced):
        return False
    if constraint.kind == "foreign_key" and table.partition_by is not None:
        return before.version >= NOT_VALID_ON_PARTITIONED
    return True


def _is_referenced(before: Before, table: Table) -> bool:
    for name in before.catalog.dependents_of.get(table.name, ()):
        other = before.catalog.relations.get(name)
        if isinstance(other, Table) and any(each.references == table.name for each in other.constraints):
            return True
        if isinstance(other, View):
            return True
    return any(each.references == table.name for each in table.constraints) or not before.catalog.closed


def validate(before: Before, operation: ValidateConstraint) -> list[str]:
    """VALIDATE CONSTRAINT: nothing makes a constraint NOT VALID again but making it anew."""
    table = before.table(operation.target)
    constraint = before.constraint(table, operation.name)
    if constraint.validated:
        raise Nothing
    drop = f"{alter(before, operation)} DROP CONSTRAINT {quote_identifier(operation.name)}"
    return [drop, *added_again(before, operation, table, constraint)]


def alter_constraint(before: Before, operation: AlterConstraint) -> list[str]:
    """ALTER CONSTRAINT."""
    table = before.table(operation.target)
    constraint = before.constraint(table, operation.name)
    words = []
    if operation.deferrable is not None or operation.initially_deferred is not None:
        words.append("DEFERRABLE" if constraint.deferrable else "NOT DEFERRABLE")
        words.append("INITIALLY DEFERRED" if constraint.initially_deferred else "INITIALLY IMMEDIATE")
    if operation.enforced is not None:
        words.append("ENFORCED" if constraint.enforced else "NOT ENFORCED")
    if operation.no_inherit is not None:
        words.append("NO INHERIT" if constraint.no_inherit else "INHERIT")
    if operation.enforced and not constraint.enforced and not constraint.validated:
        pass
    elif operation.enforced is False and not constraint.validated:
        raise Irreversible("a constraint that was NOT VALID is validated when it is enforced again")
    if not words:
        raise Nothing
    return [f"{alter(before, operation)} ALTER CONSTRAINT {quote_identifier(operation.name)} {' '.join(words)}"]


def rename_constraint(before: Before, operation: RenameConstraint) -> list[str]:
    """RENAME CONSTRAINT."""
    if operation.object_kind == "domain":
        where = f"ALTER DOMAIN {quoted(before.resolve_type(operation.target))}"
    else:
        if operation.if_exists:
            before.relation(operation.target)
        where = f"ALTER TABLE {quoted(before.resolve(operation.target))}"
    return [f"{where} RENAME CONSTRAINT {quote_identifier(operation.new_name)} TO {quote_identifier(operation.name)}"]


# --- indexes ----------------------------------------------------------------------------------------------------------


def create_index(before: Before, operation: CreateIndex) -> list[str]:
    """CREATE INDEX."""
    relation = before.resolve(operation.target)
    if operation.name is not None:
        name = Name(relation.schema, operation.name)
        there = before.exists(name)
        if there:
            raise Nothing
        if there is None and operation.if_not_exists:
            raise Irreversible(f"the catalog does not say whether index {operation.name} existed before")
    else:
        name = _new_index(before, relation)
    for child in before.descendants(relation):
        for index in before.indexes(child):
            now = before.after.relations.get(index.name)
            if isinstance(now, Index) and now.parents != index.parents:
                raise Irreversible(f"index {index.name} became a part of the new one, and would be dropped with it")
    concurrently = "CONCURRENTLY " if operation.concurrently else ""
    return [f"DROP INDEX {concurrently}{quoted(name)}"]


def _new_index(before: Before, relation: Name) -> Name:
    old = {index.name for index in before.indexes(relation)}
    new = [index.name for index in before.indexes(relation, before.after) if index.name not in old]
    table = before.catalog.relations.get(relation)
    known = (isinstance(table, Table) and table.complete) or isinstance(table, View)
    if known and before.after is before.catalog:
        raise Nothing
    if len(new) != 1 or not known:
        raise Irreversible("the catalog does not say which name PostgreSQL chooses for the index")
    return new[0]


def drop_index(before: Before, operation: DropObject) -> list[str]:
    """DROP INDEX."""
    assert operation.target is not None
    found = before.relation(operation.target)
    if not isinstance(found, Index):
        raise Nothing
    if operation.cascade:
        raise Irreversible(f"CASCADE drops what depends on index {found.name}")
    if before.descendants(found.name):
        return _with_parts(before, found)
    return made_again(before, found, concurrently=operation.concurrently)


def _with_parts(before: Before, index: Index) -> list[str]:
    """An index of a partitioned table: first those of the partitions, under their own names."""
    sql: list[str] = []
    for name in reversed([index.name, *before.descendants(index.name)]):
        part = before.catalog.relations.get(name)
        assert isinstance(part, Index)
        text = before.definition("index", name)
        if text is None or part.constraint is not None:
            raise Irreversible(f"the catalog does not say exactly how index {name} was defined")
        sql += [text, *_comment(before, "index", name, f"INDEX {quoted(name)}")]
        sql += [
            f"ALTER INDEX {quoted(name)} ATTACH PARTITION {quoted(child)}"
            for child in before.catalog.children_of.get(name, ())
        ]
    return sql


def made_again(before: Before, index: Index, *, concurrently: bool) -> list[str]:
    """An index that was dropped."""
    text = index_sql(index, before.definition("index", index.name))
    if text is None or not index.valid:
        what = "was not valid" if text is not None else "was defined otherwise than the catalog can say"
        raise Irreversible(f"index {index.name} {what}")
    if concurrently:
        text = text.replace("INDEX ", "INDEX CONCURRENTLY ", 1)
    sql = [text]
    if index.tablespace is not None:
        sql.append(f"ALTER INDEX {quoted(index.name)} SET TABLESPACE {quote_identifier(index.tablespace)}")
    table = before.catalog.relations.get(index.table)
    if isinstance(table, Table):
        sql += _marks(table, index)
    return [*sql, *_comment(before, "index", index.name, f"INDEX {quoted(index.name)}")]


def _marks(table: Table, index: Index) -> list[str]:
    """That the table was clustered on an index, or identified its rows by it."""
    sql = []
    if table.clustered_on == index.name.name:
        sql.append(f"ALTER TABLE {quoted(table.name)} CLUSTER ON {quote_identifier(index.name.name)}")
    if table.replica_index == index.name.name:
        sql.append(f"ALTER TABLE {quoted(table.name)} REPLICA IDENTITY {replica(table)}")
    return sql


def _comment(before: Before, kind: str, parts: tuple[str | None, ...], where: str) -> list[str]:
    text = before.catalog.details.comments.get(identity(kind, parts))
    return [] if text is None else [f"COMMENT ON {where} IS {quote_literal(text).strip()}"]


__all__ = [
    "add_constraint",
    "added_again",
    "alter_constraint",
    "constraint_again",
    "create_index",
    "drop_constraint",
    "drop_index",
    "made_again",
    "rename_constraint",
    "validate",
]
