"""The rows of system catalogs that list parts of relations: columns, constraints, triggers, policies, parents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from dflint.facts.type_names import spell
from dflint.history.reading import Reader
from dflint.history.system_rows import POSITIVE, Pins, Row, parents
from dflint.model.catalog import UNKNOWN, CompositeType, Domain, Relation, Table, View
from dflint.model.names import Name
from dflint.model.schema import Column, Constraint


def columns_of(relation: Relation | None) -> tuple[Column, ...]:
    """The columns that are known of a relation."""
    if isinstance(relation, Table):
        return relation.columns
    if isinstance(relation, View):
        return relation.columns or ()
    return relation.attributes if isinstance(relation, CompositeType) else ()


def attributes(reader: Reader, pins: Pins) -> Iterator[Row]:
    """pg_attribute."""
    for relation in parents(reader, pins, "", "attrelid"):
        for column in columns_of(relation):
            yield {
                "attrelid": relation.name,
                "attname": column.name,
                "attnotnull": column.not_null if column.complete else UNKNOWN,
                "attisdropped": False,
                "attnum": POSITIVE,
                "atttypid": UNKNOWN if column.type is None or column.type.dimensions else column.type.name,
                "attidentity": {"always": "a", "default": "d"}.get(column.identity, "" if column.complete else UNKNOWN),
                "atthasdef": UNKNOWN if not column.complete else bool(column.default or column.generated),
            }


def information_columns(reader: Reader, pins: Pins) -> Iterator[Row]:
    """information_schema.columns."""
    for relation in parents(reader, pins, "table_schema", "table_name"):
        if isinstance(relation, CompositeType) or (isinstance(relation, View) and relation.materialized):
            continue
        for column in columns_of(relation):
            yield {
                "table_schema": relation.name.schema,
                "table_name": relation.name.name,
                "column_name": column.name,
                "is_nullable": UNKNOWN if not column.complete else "NO" if column.not_null else "YES",
                "is_identity": UNKNOWN if not column.complete else "YES" if column.identity else "NO",
                "is_generated": UNKNOWN if not column.complete else "ALWAYS" if column.generated else "NEVER",
                "column_default": None if column.complete and column.default is None else UNKNOWN,
                **_type_columns(column, reader),
            }


def _type_columns(column: Column, reader: Reader) -> Row:
    kind = column.type
    if kind is None:
        return {}
    if kind.dimensions:
        return {"data_type": "ARRAY", "udt_name": f"_{kind.name.name}"}
    if kind.name.schema != "pg_catalog":
        base = reader.types.get(reader.resolve_type_name(kind.name))
        known = base is not None and not isinstance(base, Domain)
        return {"data_type": "USER-DEFINED" if known else UNKNOWN, "udt_name": kind.name.name if known else UNKNOWN}
    length = kind.modifiers[0] if kind.modifiers and kind.name.name in ("varchar", "bpchar") else None
    bare = spell(kind if not kind.modifiers else type(kind)(kind.name))
    return {
        "data_type": "character" if bare == "bpchar" else bare,
        "udt_name": kind.name.name,
        "character_maximum_length": length,
    }


_CONSTRAINT_LETTERS: Final = {
    "check": "c",
    "foreign_key": "f",
    "primary_key": "p",
    "unique": "u",
    "exclusion": "x",
    "not_null": "n",
}
_CONSTRAINT_WORDS: Final = {
    "check": "CHECK",
    "foreign_key": "FOREIGN KEY",
    "primary_key": "PRIMARY KEY",
    "unique": "UNIQUE",
    "not_null": "CHECK",
}


def _owned(reader: Reader, pins: Pins, schema: str, parent: str, name: str) -> Iterator[tuple[Name, Constraint]]:
    """The constraints asked for, each with its table or domain."""
    by_parent = isinstance(pins.get(parent), str if schema else Name)
    if by_parent or not isinstance(pins.get(name), str):
        tables: Iterable[Name] = [relation.name for relation in parents(reader, pins, schema, parent)]
    else:
        found = pins[name]
        tables = [owner for key, owners in reader.owners_of_constraint.items() if key[1] == found for owner in owners]
    for owner in tables:
        holder = reader.relations.get(owner) or reader.types.get(owner)
        if isinstance(holder, Table | Domain):
            for constraint in holder.constraints:
                yield owner, constraint


def constraints(reader: Reader, pins: Pins) -> Iterator[Row]:
    """pg_constraint."""
    for owner, each in _owned(reader, pins, "", "conrelid", "conname"):
        table = reader.known_table(owner)
        yield {
            "conname": each.name,
            "connamespace": owner.schema,
            "conrelid": owner if table is not None else "0",
            "contypid": owner if table is None else "0",
            "contype": _CONSTRAINT_LETTERS[each.kind],
            "convalidated": each.validated,
            "confrelid": "0" if each.references is None else reader.resolve(each.references),
            "conislocal": each.local,
        }


def table_constraints(reader: Reader, pins: Pins) -> Iterator[Row]:
    """information_schema.table_constraints."""
    for owner, each in _owned(reader, pins, "table_schema", "table_name", "constraint_name"):
        if reader.known_table(owner) is not None and each.kind in _CONSTRAINT_WORDS:
            yield {
                "constraint_schema": owner.schema,
                "constraint_name": each.name,
                "table_schema": owner.schema,
                "table_name": owner.name,
                "constraint_type": _CONSTRAINT_WORDS[each.kind],
            }


def key_columns(reader: Reader, pins: Pins) -> Iterator[Row]:
    """information_schema.key_column_usage."""
    for owner, each in _owned(reader, pins, "table_schema", "table_name", "constraint_name"):
        if each.kind in ("foreign_key", "primary_key", "unique"):
            for column in each.columns:
                yield {
                    "constraint_schema": owner.schema,
                    "constraint_name": each.name,
                    "table_schema": owner.schema,
                    "table_name": owner.name,
                    "column_name": column,
                }


def used_columns(reader: Reader, pins: Pins) -> Iterator[Row]:
    """information_schema.constraint_column_usage: of a foreign key, what it refers to; of the others, their own."""
    free = {name: value for name, value in pins.items() if name not in ("table_schema", "table_name")}
    for owner, each in _owned(reader, free if "constraint_name" in pins else pins, "", "", "constraint_name"):
        table = owner if each.references is None else reader.resolve(each.references)
        for column in each.columns if each.references is None else each.referenced_columns or (UNKNOWN,):
            yield {
                "constraint_schema": owner.schema,
                "constraint_name": each.name,
                "table_schema": table.schema,
                "table_name": table.name,
                "column_name": column,
            }


def triggers(reader: Reader, pins: Pins) -> Iterator[Row]:
    """pg_trigger."""
    for relation in parents(reader, pins, "", "tgrelid"):
        for trigger in getattr(relation, "triggers", ()):
            yield {"tgname": trigger.name, "tgrelid": relation.name, "tgisinternal": False}


def information_triggers(reader: Reader, pins: Pins) -> Iterator[Row]:
    """information_schema.triggers."""
    for relation in parents(reader, pins, "event_object_schema", "event_object_table"):
        for trigger in getattr(relation, "triggers", ()):
            for event in trigger.events:
                if event != "truncate":
                    yield {
                        "trigger_schema": relation.name.schema,
                        "trigger_name": trigger.name,
                        "event_object_schema": relation.name.schema,
                        "event_object_table": relation.name.name,
                        "event_manipulation": event.upper(),
                        "action_timing": trigger.timing.replace("_", " ").upper(),
                    }


def policies(reader: Reader, pins: Pins) -> Iterator[Row]:
    """pg_policies."""
    for relation in parents(reader, pins, "schemaname", "tablename"):
        for policy in getattr(relation, "policies", ()):
            yield {
                "schemaname": relation.name.schema,
                "tablename": relation.name.name,
                "policyname": policy.name,
                "cmd": policy.command.upper(),
            }


def policy_entries(reader: Reader, pins: Pins) -> Iterator[Row]:
    """pg_policy."""
    for relation in parents(reader, pins, "", "polrelid"):
        for policy in getattr(relation, "policies", ()):
            yield {"polrelid": relation.name, "polname": policy.name}


def inheritance(reader: Reader, pins: Pins) -> Iterator[Row]:
    """pg_inherits."""
    for relation in parents(reader, pins, "", "inhrelid"):
        for parent in getattr(relation, "parents", ()):
            yield {"inhrelid": relation.name, "inhparent": parent}
