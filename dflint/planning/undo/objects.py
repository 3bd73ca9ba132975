"""CREATE, DROP, RENAME and SET SCHEMA of everything that is no table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from dflint.model.catalog import CompositeType, Domain, EnumType, Sequence, View
from dflint.model.names import Name
from dflint.model.operations.objects import (
    AlterRoutine,
    AlterSequence,
    CreateExtension,
    CreateMaterializedView,
    CreateOther,
    CreateRoutine,
    CreateSchema,
    CreateSequence,
    CreateView,
    DropObject,
    RefreshMaterializedView,
)
from dflint.model.quoting import quote_identifier, quote_literal
from dflint.planning.undo.before import Before, Irreversible, Nothing, identity
from dflint.planning.undo.constraints import drop_index, made_again
from dflint.planning.undo.details import extras
from dflint.planning.undo.naming import ATTACHED, RELATIONS, ROUTINES, TYPES, Named, named
from dflint.planning.undo.spelling import (
    WORDS,
    expression_sql,
    object_sql,
    options_sql,
    quoted,
    sequence_sql,
    type_sql,
)
from dflint.planning.undo.tables import refuse_existing

# --- DROP -------------------------------------------------------------------------------------------------------------

_LOSES: Final = {
    "table": "its rows are lost",
    "foreign_table": "the catalog does not say what its options were",
    "database": "all that is in it is lost",
    "sequence": "the catalog does not say which number it had reached",
    "role": "the catalog does not say what the role might, and of which roles it was a member",
    "tablespace": "the catalog does not say where it was",
    "extension": "what the extension kept in its own tables is lost",
    "subscription": "the catalog does not say how far it had come",
    "publication": "subscribers miss what is changed until it is there again",
}


def drop_object(before: Before, operation: DropObject) -> list[str]:
    """DROP of one object."""
    kind = operation.object_kind
    if operation.if_exists:
        _refuse_missing(before, operation)
    if kind == "index":
        return drop_index(before, operation)
    if operation.cascade and kind not in _ALONE:
        raise Irreversible(f"CASCADE drops what depends on the {kind.replace('_', ' ')}")
    if kind in _LOSES:
        shown = kind.replace("_", " ")
        raise Irreversible(f"{shown} {operation.target}: {_LOSES[kind]}")
    make = _AGAIN.get("routine" if kind in ROUTINES else kind)
    if make is None:
        raise Irreversible(f"the catalog does not say how the {kind.replace('_', ' ')} was defined")
    object_ = named(before, kind, operation.target, operation.arguments, on=operation.on, detail=operation.detail)
    return make(before, object_, operation.on)


#: Nothing depends on these.
_ALONE: Final = frozenset({"trigger", "policy", "rule"})


def _refuse_missing(before: Before, operation: DropObject) -> None:
    """IF EXISTS, and there is nothing."""
    kind, target = operation.object_kind, operation.target
    if target is None:
        return
    if kind in RELATIONS:
        before.relation(target)
    elif kind in ATTACHED and operation.on is not None:
        before.relation(operation.on)
    elif kind == "schema" and before.catalog.schemas.get(target.name, None if before.catalog.closed else True) is None:
        raise Nothing
    elif kind in TYPES:
        name = before.resolve_type(target)
        if before.catalog.types.get(name) is None and before.exists(name) is False and before.catalog.closed:
            raise Nothing


def _view(before: Before, object_: Named, _on: Name | None) -> list[str]:
    relation = before.relation(object_.name)
    text = before.definition(object_.kind, object_.name)
    if not isinstance(relation, View) or text is None:
        raise Irreversible(f"the catalog does not say how {object_.shown} was defined")
    if relation.rules or relation.triggers:
        raise Irreversible(f"{object_.shown} had rules or triggers")
    names = (
        "" if relation.columns is None else f" ({', '.join(quote_identifier(each.name) for each in relation.columns)})"
    )
    options = f" WITH {options_sql(relation.options)}" if relation.options else ""
    tail = "" if relation.populated or not relation.materialized else " WITH NO DATA"
    word = WORDS[object_.kind]
    query = text.rstrip().rstrip(";")
    sql = [f"CREATE {word} {object_.sql}{names}{options} AS {query.lstrip()}{tail}"]
    for index in before.indexes(object_.name):
        sql += made_again(before, index, concurrently=False)
    for column in relation.columns or ():
        sql += _of_column(before, object_, column.name)
        if column.default is not None:
            raise Irreversible(f"{object_.shown} had defaults of its own")
    return sql + extras(before, object_)


def _of_column(before: Before, object_: Named, column: str) -> list[str]:
    details = before.catalog.details
    key = identity("column", (*object_.name, column))
    if key in details.privileges:
        raise Irreversible(f"{object_.shown} had privileges on single columns")
    text = details.comments.get(key)
    where = f"{object_.sql}.{quote_identifier(column)}"
    return [] if text is None else [f"COMMENT ON COLUMN {where} IS {quote_literal(text).strip()}"]


def _routine(before: Before, object_: Named, _on: Name | None) -> list[str]:
    text = before.definition(object_.kind, object_.identity_parts)
    if text is None:
        raise Irreversible(f"the catalog does not say how {object_.shown} was defined")
    return [text.rstrip().rstrip(";"), *extras(before, object_)]


def _attached(before: Before, object_: Named, on: Name | None) -> list[str]:
    text = before.definition(object_.kind, object_.identity_parts)
    if text is None or on is None:
        raise Irreversible(f"the catalog does not say how {object_.shown} was defined")
    sql = [text.rstrip().rstrip(";")]
    relation = before.catalog.relations.get(before.resolve(on))
    for trigger in getattr(relation, "triggers", ()) if object_.kind == "trigger" else ():
        if trigger.name == object_.name.name and trigger.state != "enable":
            state = {"disable": "DISABLE", "replica": "ENABLE REPLICA", "always": "ENABLE ALWAYS"}[trigger.state]
            sql.append(f"ALTER TABLE {quoted(before.resolve(on))} {state} TRIGGER {quote_identifier(trigger.name)}")
    return sql + extras(before, object_)


def _schema(before: Before, object_: Named, _on: Name | None) -> list[str]:
    before.needs_details("who owned the schema")
    return [f"CREATE SCHEMA {object_.sql}", *extras(before, object_)]


def _type(before: Before, object_: Named, _on: Name | None) -> list[str]:
    found = before.catalog.types.get(object_.name) or before.catalog.relations.get(object_.name)
    if isinstance(found, EnumType):
        sql = f"CREATE TYPE {object_.sql} AS ENUM ({', '.join(quote_literal(value).strip() for value in found.values)})"
        return [sql, *extras(before, object_)]
    if isinstance(found, CompositeType) and all(each.type is not None for each in found.attributes):
        listed = ", ".join(
            f"{quote_identifier(each.name)} {type_sql(each.type)}"
            + (f" COLLATE {quoted(each.collation)}" if each.collation is not None else "")
            for each in found.attributes
            if each.type is not None
        )
        return [f"CREATE TYPE {object_.sql} AS ({listed})", *extras(before, object_)]
    if isinstance(found, Domain):
        return _domain(before, object_, found)
    raise Irreversible(f"the catalog does not say how {object_.shown} was defined")


def _domain(before: Before, object_: Named, domain: Domain) -> list[str]:
    words = [f"CREATE DOMAIN {object_.sql} AS {type_sql(domain.type)}"]
    if domain.collation is not None:
        words.append(f"COLLATE {quoted(domain.collation)}")
    if domain.default is not None:
        default = before.definition("default", object_.name) or expression_sql(domain.default)
        if default is None:
            raise Irreversible(f"the catalog does not say exactly what the default of {object_.shown} was")
        words.append(f"DEFAULT {default}")
    named_not_null = [each for each in domain.constraints if each.kind == "not_null"]
    if domain.not_null and not named_not_null:
        words.append("NOT NULL")
    sql = [" ".join(words)]
    for constraint in domain.constraints:
        text = before.definition("constraint", (*object_.name, constraint.name))
        text = text or ("NOT NULL" if constraint.kind == "not_null" else None)
        if text is None:
            raise Irreversible(f"the catalog does not say how constraint {constraint.name} was defined")
        sql.append(f"ALTER DOMAIN {object_.sql} ADD CONSTRAINT {quote_identifier(constraint.name or '')} {text}")
    return sql + extras(before, object_)


def _statistics(before: Before, object_: Named, _on: Name | None) -> list[str]:
    text = before.definition("statistics", object_.name)
    if text is None:
        raise Irreversible(f"the catalog does not say how {object_.shown} was defined")
    return [text, *extras(before, object_)]


_Make = Callable[[Before, Named, "Name | None"], list[str]]

_AGAIN: Final[dict[str, _Make]] = {
    "view": _view,
    "materialized_view": _view,
    "routine": _routine,
    "trigger": _attached,
    "rule": _attached,
    "policy": _attached,
    "schema": _schema,
    "type": _type,
    "domain": _type,
    "statistics": _statistics,
}

# --- CREATE -----------------------------------------------------------------------------------------------------------


def create_view(before: Before, operation: CreateView) -> list[str]:
    """CREATE [OR REPLACE] VIEW."""
    if operation.temporary:
        return [f"DROP VIEW IF EXISTS {quoted(Name('pg_temp', operation.target.name))}"]
    name = before.resolve(operation.target) if operation.or_replace else before.created(operation.target)
    there = before.exists(name)
    if there and not operation.or_replace:
        raise Nothing
    if there is None and operation.or_replace:
        raise Irreversible(f"the catalog does not say whether view {name} existed before, and how it was defined")
    if not there:
        return [f"DROP VIEW {quoted(name)}"]
    relation, text = before.relation(name), before.definition("view", name)
    now = before.after.relations.get(name)
    if not isinstance(relation, View) or text is None:
        raise Irreversible(f"the catalog does not say how view {name} was defined")
    if relation.columns is None or not isinstance(now, View) or now.columns is None:
        raise Irreversible(f"it is not known which columns view {name} gets")
    if [each.name for each in relation.columns] != [each.name for each in now.columns]:
        if before.after.dependents_of.get(name):
            raise Irreversible(f"view {name} gets more columns, and other views read it")
        return [f"DROP VIEW {quoted(name)}", *_view(before, named(before, "view", name), None)]
    options = f" WITH {options_sql(relation.options)}" if relation.options else ""
    return [f"CREATE OR REPLACE VIEW {quoted(name)}{options} AS {text.strip().rstrip(';')}"]


def create_materialized_view(before: Before, operation: CreateMaterializedView) -> list[str]:
    """CREATE MATERIALIZED VIEW."""
    name = before.created(operation.target)
    refuse_existing(before, name, operation.if_not_exists)
    return [f"DROP MATERIALIZED VIEW {quoted(name)}"]


def refresh(before: Before, operation: RefreshMaterializedView) -> list[str]:
    """REFRESH: what it held was made from other tables, and is made from them again."""
    found = before.relation(operation.target)
    if not isinstance(found, View) or found.populated == operation.with_data:
        raise Nothing
    tail = "" if found.populated else " WITH NO DATA"
    return [f"REFRESH MATERIALIZED VIEW {quoted(found.name)}{tail}"]


def create_sequence(before: Before, operation: CreateSequence) -> list[str]:
    """CREATE SEQUENCE."""
    if operation.persistence == "temporary":
        return [f"DROP SEQUENCE IF EXISTS {quoted(Name('pg_temp', operation.target.name))}"]
    name = before.created(operation.target)
    refuse_existing(before, name, operation.if_not_exists)
    return [f"DROP SEQUENCE {quoted(name)}"]


def alter_sequence(before: Before, operation: AlterSequence) -> list[str]:
    """ALTER SEQUENCE."""
    found = before.relation(operation.target)
    if not isinstance(found, Sequence):
        raise Nothing
    if operation.options.restart is not None:
        raise Irreversible(f"the catalog does not say which number sequence {found.name} had reached")
    changed = operation.options
    sql = [f"ALTER SEQUENCE {quoted(found.name)} {sequence_sql(found.options)}"]
    if changed.owned_by is not None or changed.owned_by_none:
        owner = "NONE"
        if found.owner_table is not None and found.owner_column is not None:
            owner = f"{quoted(found.owner_table)}.{quote_identifier(found.owner_column)}"
        sql.append(f"ALTER SEQUENCE {quoted(found.name)} OWNED BY {owner}")
    if changed.logged is not None:
        sql.append(f"ALTER SEQUENCE {quoted(found.name)} SET {'UN' * (found.persistence == 'unlogged')}LOGGED")
    return sql


def create_type(before: Before, operation: object) -> list[str]:
    """CREATE TYPE and CREATE DOMAIN."""
    target, kind = operation.target, operation.target_kind  # type: ignore[attr-defined]
    name = before.created(target)
    if before.catalog.types.get(name) is not None or before.exists(name):
        raise Nothing
    return [f"DROP {WORDS[kind]} {quoted(name)}"]


def create_routine(before: Before, operation: CreateRoutine) -> list[str]:
    """CREATE [OR REPLACE] FUNCTION and PROCEDURE."""
    name = before.created(operation.target)
    types = [each.type for each in operation.parameters if each.mode not in ("out", "table")]
    try:
        there = named(before, operation.routine, name, types)
    except Nothing:
        return [f"DROP {WORDS[operation.routine]} {object_sql(operation.routine, name, arguments=types)}"]
    except Irreversible:
        if operation.or_replace:
            raise
        return [f"DROP {WORDS[operation.routine]} {object_sql(operation.routine, name, arguments=types)}"]
    if not operation.or_replace:
        raise Nothing
    return _definition_again(before, there)


def _definition_again(before: Before, object_: Named) -> list[str]:
    text = before.definition(object_.kind, object_.identity_parts)
    if text is None:
        raise Irreversible(f"the catalog does not say how {object_.shown} was defined")
    return [text.rstrip().rstrip(";")]


def alter_routine(before: Before, operation: AlterRoutine) -> list[str]:
    """ALTER FUNCTION: all that it may change is in the definition."""
    if any(name in ("depends", "no_depends") for name, _ in operation.options):
        raise Irreversible("the catalog does not say on which extensions the routine depended")
    return _definition_again(before, named(before, operation.object_kind, operation.target, operation.arguments))


def create_schema(before: Before, operation: CreateSchema) -> list[str]:
    """CREATE SCHEMA."""
    name = operation.target.name
    there = before.catalog.schemas.get(name)
    if there:
        raise Nothing
    if operation.if_not_exists and not before.catalog.closed and name not in before.catalog.schemas:
        raise Irreversible(f"the catalog does not say whether schema {name} existed before")
    return [f"DROP SCHEMA {quote_identifier(name)}"]


def create_extension(before: Before, operation: CreateExtension) -> list[str]:
    """CREATE EXTENSION."""
    name = operation.target.name
    if before.catalog.extensions.get(name) is not None:
        raise Nothing
    if operation.if_not_exists and not before.catalog.closed and name not in before.catalog.extensions:
        raise Irreversible(f"the catalog does not say whether extension {name} existed before")
    if operation.cascade:
        raise Irreversible(f"the catalog does not say which extensions come with {name} by CASCADE")
    return [f"DROP EXTENSION {quote_identifier(name)}"]


#: They need nothing but their name to be dropped.
_PLAIN: Final = frozenset(
    """access_method aggregate cast collation conversion database event_trigger fdw language operator operator_class
    operator_family role server statistics tablespace text_search_configuration text_search_dictionary
    text_search_parser text_search_template transform user_mapping""".split()
)


def create_other(before: Before, operation: CreateOther) -> list[str]:
    """CREATE of an object whose inside does not matter."""
    kind = operation.object_kind
    maybe = operation.or_replace or operation.if_not_exists
    if kind not in _PLAIN or (maybe and not (before.catalog.closed and _is_new(before, operation))):
        raise Irreversible(f"the catalog does not say whether the {kind.replace('_', ' ')} existed before")
    if kind == "statistics" and operation.target is None:
        raise Irreversible("the catalog does not say which name PostgreSQL chooses for the statistics")
    detail = "" if kind == "role" else operation.detail
    name = operation.target
    if name is not None and kind not in _NO_SCHEMA:
        name = before.created(name)
    sql = object_sql(kind, name, arguments=operation.arguments, detail=detail)
    word = "USER MAPPING" if kind == "user_mapping" else WORDS[kind]
    return [f"DROP {word} {sql}"]


_NO_SCHEMA: Final = frozenset(
    "access_method database event_trigger fdw language role server tablespace user_mapping".split()
)


def _is_new(before: Before, operation: CreateOther) -> bool:
    object_ = named(before, operation.object_kind, operation.target, operation.arguments, detail=operation.detail)
    return before.catalog.others.get(object_.identity) is None
