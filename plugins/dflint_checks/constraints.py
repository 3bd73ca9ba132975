"""Checks about constraints."""

from __future__ import annotations

from collections.abc import Iterator

from dflint.model.catalog import Catalog, Domain, Table
from dflint.model.context import Context, Hit
from dflint.model.locks import blocks_writes
from dflint.model.names import Name
from dflint.model.operations.base import Operation
from dflint.model.operations.objects import AlterDomain
from dflint.model.operations.tables import AddColumn, AddConstraintOperation, CreateTable, ValidateConstraint
from dflint.model.schema import Constraint
from dflint_checks.presence import existing, listed, shown


def validated_with_addition(operation: Operation, context: Context) -> Hit | None:
    """VALIDATE CONSTRAINT in the statement or transaction that added the constraint NOT VALID."""
    if not isinstance(operation, ValidateConstraint):
        return None
    target = context.resolve(operation.target)
    beside = [(other, context) for other in context.statement.operations]
    for other, where in [*((each.operation, each) for each in context.earlier), *beside]:
        if (
            isinstance(other, AddConstraintOperation)
            and other.constraint.name == operation.name
            and where.resolve(other.target) == target
        ):
            return _held_for_validation(other, context)
    return None


def _held_for_validation(added: AddConstraintOperation, context: Context) -> Hit:
    together = "statement" if added in context.statement.operations else "transaction"
    if added.constraint.kind == "foreign_key":
        lock, whom = "SHARE ROW EXCLUSIVE", "write to"
    else:
        lock, whom = "ACCESS EXCLUSIVE", "read or write"
    return Hit(values={"together": together, "held": lock, "whom": whom})


def never_validated(_operation: Operation, context: Context) -> Hit | None:
    """Constraints that an earlier change left NOT VALID and that still are, at the end of the history."""
    waiting = sorted(
        f"{constraint.name} of {shown(table)}"
        for table, constraint in _not_valid(context.change_start)
        if _same(context.catalog, table, constraint)
    )
    if not waiting:
        return None
    verb = "was" if len(waiting) == 1 else "were"
    return Hit(values={"constraints": listed(waiting), "verb": verb})


def _not_valid(catalog: Catalog) -> Iterator[tuple[Name, Constraint]]:
    for name, relation in catalog.relations.items():
        if isinstance(relation, Table):
            for constraint in relation.constraints:
                if not constraint.validated and constraint.enforced and constraint.name is not None:
                    yield name, constraint


def _same(catalog: Catalog, table: Name, constraint: Constraint) -> bool:
    """Whether the constraint is still there, and still not valid."""
    found = catalog.table(table)
    now = found.constraint(constraint.name or "") if isinstance(found, Table) else None
    return isinstance(now, Constraint) and not now.validated and now.enforced


def index_renamed(operation: Operation, _context: Context) -> Hit | None:
    """USING INDEX under another name than the index has."""
    if not isinstance(operation, AddConstraintOperation):
        return None
    constraint = operation.constraint
    if constraint.name is None or constraint.name == constraint.using_index:
        return None
    return Hit(values={"old": constraint.using_index or "", "new": constraint.name})


def domain_scanned(operation: Operation, context: Context) -> Hit | None:
    """A domain is to hold more than before: every table that uses it is read."""
    if not isinstance(operation, AlterDomain):
        return None
    domain = context.catalog.resolve_type(operation.target, context.session.search_path)
    if domain in context.created:
        return None
    known = context.catalog.types.get(domain)
    users = list(_tables_using(domain, context.catalog))
    if users and all(existing(user, context) is False for user in users):
        return None
    if users:
        return Hit(values={"tables": listed([shown(user) for user in users if existing(user, context) is not False])})
    if isinstance(known, Domain):
        return Hit(
            values={"tables": "every table with a column of that domain"},
            certain=False,
            because=f"whether a table uses {operation.target}; none in this history does",
        )
    return Hit(values={"tables": "every table with a column of that domain"})


def _tables_using(domain: Name, catalog: Catalog) -> Iterator[Name]:
    """Tables with a column of the domain, also by way of domains over it."""
    pending, seen = [domain], {domain}
    while pending:
        for user in catalog.users_of_type.get(pending.pop(), ()):
            if user in seen:
                continue
            seen.add(user)
            if isinstance(catalog.relation(user), Table):
                yield user
            elif user in catalog.types:
                pending.append(user)


def several_foreign_keys(operation: Operation, context: Context) -> Hit | None:
    """The foreign key that makes it two tables which the transaction locks for the sake of foreign keys."""
    mine = _referenced_tables(operation, context)
    if not mine:
        return None
    others: dict[Name, None] = {}
    for earlier in reversed(context.earlier):
        found = _referenced_tables(earlier.operation, earlier)
        if found and set(mine) <= set(found):
            return None  # nothing new
        others.update(dict.fromkeys(found))
        if len(others) > 1:
            return None  # said already
    together = list(dict.fromkeys([*others, *mine]))
    if len(together) < 2:
        return None
    values = {"tables": listed([shown(name) for name in together])}
    return Hit(values=values, level="info" if isinstance(operation, CreateTable) else None)


def foreign_key_to_table_in_use(operation: Operation, context: Context) -> Hit | None:
    """A foreign key that refers to tables in use which the transaction did not lock before; names them."""
    tables = _referenced_tables(operation, context)
    if tables and context.position:
        # A second foreign key to the same table waits for nobody anew.
        held = context.held()
        tables = [name for name in tables if not blocks_writes(held.get(name, "ACCESS SHARE"))]
    names = [shown(name) for name in tables]
    return Hit(values={"referenced_in_use": listed(names)}) if names else None


def _referenced_tables(operation: Operation, context: Context) -> list[Name]:
    """The tables in use that the operation's foreign keys refer to, its own table aside."""
    constraints: list[Constraint] = []
    if isinstance(operation, AddConstraintOperation):
        constraints.append(operation.constraint)
    elif isinstance(operation, AddColumn):
        constraints.extend(operation.column.constraints)
    elif isinstance(operation, CreateTable):
        constraints.extend(operation.constraints)
        constraints.extend(each for column in operation.columns for each in column.constraints)
    names = dict.fromkeys(context.resolve(each.references) for each in constraints if each.references is not None)
    return [name for name in names if name != context.target and existing(name, context)]
