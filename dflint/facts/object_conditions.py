"""Conditions about objects beside tables: indexes, triggers, rules, policies, routines, roles, storage."""

from __future__ import annotations

from dflint.facts import subjects
from dflint.facts.condition import BOOL, Condition
from dflint.facts.dependents import dependents_beside, identities_of, subject_identities
from dflint.facts.object_roles import body, body_writes, extension_users, owned
from dflint.facts.proofs import index_shape
from dflint.facts.role_steps import ancestors, indexes, partitions, referencing, sequences
from dflint.facts.volatility import immutable
from dflint.model.catalog import (
    UNKNOWN,
    CompositeType,
    Index,
    Relation,
    Routine,
    Sequence,
    Table,
    Unknown,
    View,
)
from dflint.model.context import Context
from dflint.model.names import Name
from dflint.model.schema import Column, Query

Answer = bool | Unknown

# --- storage ----------------------------------------------------------------------------------------------------------

#: Storage parameters that are changed under ACCESS EXCLUSIVE.
_STRONG = frozenset(
    {"user_catalog_table", "autosummarize", "fastupdate", "pages_per_range", "gin_pending_list_limit", "buffering"}
)


def options_strong(context: Context) -> bool:
    """SET (…) or RESET (…): one of the parameters is changed under ACCESS EXCLUSIVE."""
    return any(name in _STRONG for name, _ in getattr(context.operation, "options", ()))


def tablespace_same(context: Context) -> Answer:
    """SET TABLESPACE: the relation is there already."""
    found, wanted = _relation(context), getattr(context.operation, "tablespace", None)
    if isinstance(found, (Table, Index)):
        return (found.tablespace or "pg_default") == wanted if context.catalog.closed else UNKNOWN
    return UNKNOWN if found is UNKNOWN else False


def publication_lists_view(context: Context) -> Answer:
    """CREATE PUBLICATION … FOR TABLE: one of those listed is a view."""
    catalog, path = context.catalog, context.session.search_path
    names = [catalog.resolve(name, path) for name in getattr(context.operation, "tables", ())]
    found = [catalog.relations.get(name, None if catalog.closed else UNKNOWN) for name in names]
    if any(isinstance(each, View) for each in found):
        return True
    return UNKNOWN if UNKNOWN in found else False


def publication_lists_unlogged(context: Context) -> Answer:
    """CREATE or ALTER PUBLICATION: one of the tables it is to list is temporary or unlogged."""
    catalog, path, operation = context.catalog, context.session.search_path, context.operation
    if getattr(operation, "action", "add") == "drop":
        return False
    names = [catalog.resolve(name, path) for name in getattr(operation, "tables", ())]
    found = [catalog.relations.get(name, None if catalog.closed else UNKNOWN) for name in names]
    if any(isinstance(each, Table) and each.persistence != "permanent" for each in found):
        return True
    return UNKNOWN if UNKNOWN in found else False


def access_method_same(context: Context) -> Answer:
    """SET ACCESS METHOD: the relation uses it already."""
    found, wanted = _relation(context), getattr(context.operation, "method", None) or "heap"
    if found is UNKNOWN or found is None:
        return UNKNOWN
    return (getattr(found, "method", None) or "heap") == wanted


def _relation(context: Context) -> Relation | Unknown | None:
    name = subjects.relation_name(context)
    if name is None and context.operation.kind == "comment" and getattr(context.operation, "detail", "") != "domain":
        name = context.target
    return None if name is None else context.catalog.relation(name)


# --- indexes ----------------------------------------------------------------------------------------------------------


def index_immutable(context: Context) -> Answer:
    """CREATE INDEX: the expressions and the predicate call nothing but immutable functions."""
    operation = context.operation
    expressions = [element.expression for element in getattr(operation, "elements", ())]
    expressions.append(getattr(operation, "where", None))
    answers = [immutable(each, context) for each in expressions if each is not None]
    if False in answers:
        return False
    return UNKNOWN if UNKNOWN in answers else True


#: Types without an operator class of their own for B-trees.
_UNORDERED = frozenset({"json", "xml", "point", "line", "lseg", "box", "path", "polygon", "circle"})


def index_ordered(context: Context) -> Answer:
    """CREATE INDEX: the columns of a B-tree are of types that have an order, or are given an operator class."""
    operation, table = context.operation, subjects.table(context)
    if getattr(operation, "method", "") != "btree" or not isinstance(table, Table):
        return True
    for element in getattr(operation, "elements", ()):
        column = None if element.column is None or element.operator_class else table.column(element.column)
        kind = column.type if isinstance(column, Column) else None
        if (
            kind is not None
            and not kind.dimensions
            and kind.name.schema == "pg_catalog"
            and kind.name.name in _UNORDERED
        ):
            return False
    return True


def index_attachable(context: Context) -> Answer:
    """ALTER INDEX … ATTACH PARTITION: the indexes have the same definition."""
    parent = _relation(context)
    name = getattr(context.operation, "partition", None)
    child = None if name is None else context.relation(name)
    if isinstance(parent, Index) and isinstance(child, Index):
        return index_shape(parent) == index_shape(child)
    return UNKNOWN


# --- triggers, rules, policies and other parts of relations -----------------------------------------------------------


def part_exists(context: Context) -> Answer:
    """The trigger, rule, policy, constraint or column that the statement names exists on its relation."""
    kind, name = _named_part(context)
    found = _relation(context)
    if found is UNKNOWN or name is None:
        return UNKNOWN
    if kind == "column":
        columns = getattr(found, "columns", ()) if not isinstance(found, CompositeType) else found.attributes
        known = not isinstance(found, Table) or found.complete
        return any(each.name == name for each in columns or ()) or (False if known else UNKNOWN)
    parts = [getattr(each, "name", each) for each in getattr(found, _FIELDS.get(kind, ""), ())]
    if name in parts or (name == "_RETURN" and isinstance(found, View)):
        return True
    if kind == "trigger" and _inherited_trigger(context, name):
        return True
    return False if context.catalog.closed else UNKNOWN


_FIELDS = {"trigger": "triggers", "rule": "rules", "policy": "policies", "constraint": "constraints"}


def _named_part(context: Context) -> tuple[str, str | None]:
    operation = context.operation
    if operation.kind in ("comment", "security_label"):
        return getattr(operation, "object_kind", ""), getattr(operation, "column", None)
    if getattr(operation, "on", None) is not None:
        return operation.target_kind or "", None if operation.target is None else operation.target.name
    kind = next((kind for kind in _FIELDS if kind in operation.kind), "")
    return kind, getattr(operation, kind, None) or getattr(operation, "name", None)


def relation_exists(context: Context) -> Answer:
    """The relation that COMMENT, GRANT or REVOKE is about, itself or by a part of it, exists."""
    if getattr(context.operation, "detail", "") == "domain":
        return True
    found = _relation(context)
    return UNKNOWN if found is UNKNOWN else found is not None


def trigger_inherited(context: Context) -> bool:
    """The trigger is the copy of one of the partitioned table."""
    _kind, name = _named_part(context)
    return name is not None and _inherited_trigger(context, name)


def trigger_in_partitions(context: Context) -> Answer:
    """One of the triggers (ENABLE, DISABLE: of those meant) runs for each row, so that the partitions have copies."""
    table, scope = subjects.table(context), getattr(context.operation, "scope", "user")
    if not isinstance(table, Table):
        return UNKNOWN if table is UNKNOWN else False
    named = getattr(context.operation, "trigger", None)
    if any(each.for_each_row and (scope != "one" or each.name == named) for each in table.triggers):
        return True
    if scope == "all" and context.version >= _KEYS_OF_PARTITIONED:
        keys = any(each.references is not None and each.enforced for each in table.constraints)
        if keys or any(True for _ in referencing((table.name,), context.catalog)):
            return True
    return False if context.catalog.closed else UNKNOWN


#: From PostgreSQL 15 on foreign keys have triggers on partitioned tables too, not on the partitions only.
_KEYS_OF_PARTITIONED = 15


def _inherited_trigger(context: Context, name: str) -> bool:
    own = subjects.relation_name(context)
    found = None if own is None else context.catalog.relations.get(own)
    if own is None or not isinstance(found, Table) or found.bound is None:
        return False
    return any(
        isinstance(parent := context.catalog.relations.get(each), Table)
        and any(trigger.name == name and trigger.for_each_row for trigger in parent.triggers)
        for each in ancestors((own,), context.catalog)
    )


def target_needed(context: Context) -> bool:
    """DROP without CASCADE of an object beside tables: something depends on it, or it belongs to an extension."""
    if getattr(context.operation, "cascade", False):
        return False
    own, members = subject_identities(context), context.catalog.details.extension_members
    if context.operation.target_kind != "extension" and any(text in members for text in own):
        return True
    return any(True for _ in extension_users(context)) or dependents_beside(context, own, frozenset())


# --- routines, roles, queries -----------------------------------------------------------------------------------------


def routine_exists(context: Context) -> Answer:
    """A function or procedure of these argument types exists."""
    target, catalog = context.operation.target, context.catalog
    if target is None:
        return False
    path = context.session.search_path
    creates = context.operation.kind.startswith("create_")
    schemas = (target.schema,) if target.schema else path[:1] if creates else path
    found = [each for schema in schemas for each in catalog.routines.get(Name(schema, target.name)) or ()]
    wanted = _argument_types(context)
    if any(wanted is None or wanted == _types(each) for each in found):
        return True
    return False if catalog.closed and target.schema != "pg_catalog" else UNKNOWN


def _argument_types(context: Context) -> list[str] | None:
    arguments = getattr(context.operation, "arguments", None)
    if arguments is not None:
        return [str(each.name.name) for each in arguments]
    parameters = getattr(context.operation, "parameters", None)
    if parameters is None:
        return None
    return [str(each.type.name.name) for each in parameters if each.mode in ("in", "inout", "variadic")]


def _types(routine: Routine) -> list[str]:
    return [str(each.type.name.name) for each in routine.parameters if each.mode in ("in", "inout", "variadic")]


def subscription_connects(context: Context) -> Answer:
    """CREATE, ALTER or DROP SUBSCRIPTION makes, drops or asks a publisher's slot, or refreshes the tables."""
    operation = context.operation
    options = dict(getattr(operation, "options", ()))
    if operation.kind == "create_subscription":
        return options.get("connect") != "false"
    if operation.kind == "alter_subscription":
        action = getattr(operation, "action", "")
        return action == "refresh" or (action.endswith("_publication") and options.get("refresh") != "false")
    attributes = getattr(context.catalog.others.get(context.identity() or ""), "attributes", None)
    return UNKNOWN if attributes is None else "slot" in dict(attributes)


def routine_returns_other(context: Context) -> Answer:
    """CREATE OR REPLACE FUNCTION: the function exists and returns another type."""
    target, returns = context.operation.target, getattr(context.operation, "returns", None)
    if target is None or returns is None or getattr(context.operation, "returns_table", False):
        return False
    name = Name(target.schema or next(iter(context.session.search_path), "public"), target.name)
    wanted = _argument_types(context)
    found = [each for each in context.catalog.routines.get(name) or () if wanted == _types(each)]
    return any(each.returns is not None and each.returns.name.name != returns.name.name for each in found)


def body_exists(context: Context) -> Answer:
    """All relations that the body of a new SQL function names exist."""
    names = (*body(context), *body_writes(context))
    answers = [_is_there(name, context) for name in names]
    return False if False in answers else UNKNOWN if UNKNOWN in answers else True


def roles_exist(context: Context) -> Answer:
    """All roles that the statement names exist."""
    operation, catalog = context.operation, context.catalog
    own = (operation.target.name,) if operation.target_kind == "role" and operation.target is not None else ()
    names = (*own, *getattr(operation, "grantees", ()), *getattr(operation, "roles", ()))
    if not any(identity.startswith("role:") for identity in catalog.others):
        return UNKNOWN
    return all(name in _ALWAYS or name.startswith("pg_") or f"role:{name}" in catalog.others for name in names)


_ALWAYS = frozenset({"public", "current_user", "session_user", "current_role", ""})


def role_owns(context: Context) -> Answer:
    """The role that DROP ROLE names owns something in this database."""
    role = "" if context.operation.target is None else context.operation.target.name
    owners = context.catalog.details.owners.values()
    return role in owners or any(getattr(each, "owner", None) == role for each in context.catalog.relations.values())


def owned_in_use(context: Context) -> bool:
    """DROP OWNED without CASCADE: something that is not the roles' needs something that is."""
    catalog, relations = context.catalog, list(owned(context))
    relations += partitions(relations, catalog)
    going = frozenset((*relations, *indexes(relations, catalog), *sequences(relations, catalog)))
    parts = (text for name in going for text in identities_of(catalog, name))
    return dependents_beside(context, (*subject_identities(context), *parts), going)


def reads_exist(context: Context) -> Answer:
    """All relations that the statement reads, in FROM, USING or a query, exist."""
    operation, query = context.operation, getattr(context.operation, "query", None)
    names = (*getattr(operation, "reads", ()), *(query.reads if isinstance(query, Query) else ()))
    answers = [_is_there(name, context) for name in names]
    return False if False in answers else UNKNOWN if UNKNOWN in answers else True


def _is_there(name: Name, context: Context) -> Answer:
    if name.name.startswith("pg_") or name.schema in ("pg_catalog", "information_schema"):
        return True
    found = context.relation(name)
    return UNKNOWN if found is UNKNOWN else found is not None


def view_keeps_columns(context: Context) -> Answer:
    """CREATE OR REPLACE VIEW: the new query has the old columns first, by number and name."""
    found, query = _relation(context), getattr(context.operation, "query", None)
    if not isinstance(found, View) or found.columns is None or not isinstance(query, Query):
        return UNKNOWN
    names = [name for name, _ in query.columns]
    given = getattr(context.operation, "column_names", ())
    names[: len(given)] = given
    if "*" in names or None in names:
        return UNKNOWN
    return [column.name for column in found.columns] == names[: len(found.columns)]


def sequence_internal(context: Context) -> Answer:
    """The sequence is that of an identity column."""
    found = _relation(context)
    return found.internal if isinstance(found, Sequence) else UNKNOWN if found is UNKNOWN else False


def sequence_owned(context: Context) -> Answer:
    """The sequence belongs to a column."""
    found = _relation(context)
    return found.owner_table is not None if isinstance(found, Sequence) else UNKNOWN if found is UNKNOWN else False


CONDITIONS: tuple[Condition, ...] = (
    Condition("options.strong", BOOL, options_strong, catalog=False),
    Condition("publication.lists_view", BOOL, publication_lists_view, "the relations listed"),
    Condition("publication.lists_unlogged", BOOL, publication_lists_unlogged, "the tables listed"),
    Condition("tablespace.same", BOOL, tablespace_same, "the tablespace of {target}"),
    Condition("access_method.same", BOOL, access_method_same, "the access method of {target}"),
    Condition("index.immutable", BOOL, index_immutable, "how volatile its functions are"),
    Condition("index.ordered", BOOL, index_ordered, "the types of its columns"),
    Condition("index.attachable", BOOL, index_attachable, "the definitions of both indexes"),
    Condition("part.exists", BOOL, part_exists, "the triggers, rules, policies and constraints of {table}"),
    Condition("trigger.in_partitions", BOOL, trigger_in_partitions, "the triggers of {table}"),
    Condition("trigger.inherited", BOOL, trigger_inherited),
    Condition("routine.exists", BOOL, routine_exists, "whether {target} exists"),
    Condition("target.needed", BOOL, target_needed),
    Condition("routine.returns_other", BOOL, routine_returns_other),
    Condition("body.exists", BOOL, body_exists, "which relations there are"),
    Condition("relation.exists", BOOL, relation_exists, "whether {target} exists"),
    Condition("subscription.connects", BOOL, subscription_connects, "whether {target} has a slot"),
    Condition("roles.exist", BOOL, roles_exist, "which roles there are"),
    Condition("role.owned_in_use", BOOL, owned_in_use),
    Condition("role.owns", BOOL, role_owns),
    Condition("reads.exist", BOOL, reads_exist, "which relations there are"),
    Condition("view.keeps_columns", BOOL, view_keeps_columns, "the columns of {target}"),
    Condition("sequence.internal", BOOL, sequence_internal, "what sequence {target} is"),
    Condition("sequence.owned", BOOL, sequence_owned, "which column {target} belongs to"),
)
