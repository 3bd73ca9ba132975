"""The system catalogs and the information schema as rows, made of a `Catalog`: for conditions that ask them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from dflint.history import system_parts as parts
from dflint.history.reading import Reader
from dflint.history.system_rows import Pins, Row, System, relations
from dflint.model.catalog import UNKNOWN, Domain, EnumType, Index, RangeType, Relation, Sequence, Table, View
from dflint.model.names import Name

# --- relations --------------------------------------------------------------------------------------------------------

_PERSISTENCE: Final = {"permanent": "p", "temporary": "t", "unlogged": "u"}


def _letter(relation: Relation, reader: Reader) -> str:
    if isinstance(relation, Table):
        return "f" if relation.foreign_server else "p" if relation.partition_by else "r"
    if isinstance(relation, View):
        return "m" if relation.materialized else "v"
    if isinstance(relation, Index):
        table = reader.known_table(relation.table)
        return "I" if table is not None and table.partition_by else "i"
    return "S" if isinstance(relation, Sequence) else "c"


def _classes(reader: Reader, pins: Pins) -> Iterator[Row]:
    for relation in relations(reader, pins.get("relnamespace"), pins.get("relname")):
        persistence = getattr(relation, "persistence", "permanent")
        yield {
            "oid": relation.name,
            "relname": relation.name.name,
            "relnamespace": relation.name.schema,
            "relkind": _letter(relation, reader),
            "relpersistence": _PERSISTENCE[persistence],
            "relispartition": bool(getattr(relation, "bound", None)),
            "relrowsecurity": getattr(relation, "row_security", False),
        }


def _listed(letters: str, schema: str, name: str) -> Callable[[Reader, Pins], Iterator[Row]]:
    """Rows of a view that lists relations of these kinds."""

    def rows(reader: Reader, pins: Pins) -> Iterator[Row]:
        for relation in relations(reader, pins.get(schema), pins.get(name)):
            if _letter(relation, reader) in letters:
                yield {schema: relation.name.schema, name: relation.name.name}

    return rows


_TABLE_TYPES: Final = {"r": "BASE TABLE", "p": "BASE TABLE", "f": "FOREIGN", "v": "VIEW"}


def _information_tables(reader: Reader, pins: Pins) -> Iterator[Row]:
    for relation in relations(reader, pins.get("table_schema"), pins.get("table_name")):
        kind = _TABLE_TYPES.get(_letter(relation, reader))
        if kind is not None:
            temporary = relation.name.schema == "pg_temp"
            yield {
                "table_schema": UNKNOWN if temporary else relation.name.schema,
                "table_name": relation.name.name,
                "table_type": "LOCAL TEMPORARY" if temporary else kind,
            }


def _indexes(reader: Reader, pins: Pins) -> Iterator[Row]:
    for index in relations(reader, pins.get("schemaname"), pins.get("indexname")):
        if isinstance(index, Index):
            yield {"schemaname": index.name.schema, "indexname": index.name.name, "tablename": index.table.name}


def _index_entries(reader: Reader, pins: Pins) -> Iterator[Row]:
    pinned = pins.get("indexrelid")
    schema, name = pinned if isinstance(pinned, Name) else (None, None)
    for index in relations(reader, schema, name):
        if isinstance(index, Index):
            table = reader.known_table(index.table)
            kinds = {each.name: each.kind for each in table.constraints} if table is not None else {}
            yield {
                "indexrelid": index.name,
                "indrelid": index.table,
                "indisunique": index.unique,
                "indisvalid": index.valid,
                "indisready": index.ready,
                "indisprimary": kinds.get(index.constraint) == "primary_key" if table is not None else UNKNOWN,
            }


# --- what is no relation ----------------------------------------------------------------------------------------------

_TYPE_LETTERS: Final = {EnumType: "e", Domain: "d", RangeType: "r"}


def _types(reader: Reader, pins: Pins) -> Iterator[Row]:
    name = pins.get("typname")
    for key, kind in reader.types.items():
        if kind is not None and (not isinstance(name, str) or key.name == name):
            yield _type(key, _TYPE_LETTERS.get(type(kind), "b"))
    for relation in relations(reader, pins.get("typnamespace"), name):
        if not isinstance(relation, Index | Sequence):
            yield _type(relation.name, "c")


def _type(name: Name, letter: str) -> Row:
    return {"oid": name, "typname": name.name, "typnamespace": name.schema, "typtype": letter}


def _labels(reader: Reader, _pins: Pins) -> Iterator[Row]:
    for key, kind in reader.types.items():
        if isinstance(kind, EnumType):
            for label in kind.values:
                yield {"enumtypid": key, "enumlabel": label}


def _routines(name: str, schema: str) -> Callable[[Reader, Pins], Iterator[Row]]:
    def rows(reader: Reader, pins: Pins) -> Iterator[Row]:
        wanted = pins.get(name)
        for key, known in reader.routines.items():
            if known and (not isinstance(wanted, str) or key.name == wanted):
                yield {"oid": UNKNOWN if len(known) > 1 else key, name: key.name, schema: key.schema}

    return rows


def _schemas(name: str) -> Callable[[Reader, Pins], Iterator[Row]]:
    def rows(reader: Reader, _pins: Pins) -> Iterator[Row]:
        known = {key for key, exists in reader.schemas.items() if exists}
        if "public" not in reader.schemas and reader.from_empty:
            known.add("public")
        for key in sorted({*known, "pg_catalog", "information_schema"}):
            yield {"oid": key, name: key}

    return rows


def _extensions(reader: Reader, _pins: Pins) -> Iterator[Row]:
    for key in sorted({key for key, extension in reader.extensions.items() if extension} | {"plpgsql"}):
        yield {"extname": key}


def _publications(reader: Reader, _pins: Pins) -> Iterator[Row]:
    for key, publication in reader.publications.items():
        if publication:
            yield {"pubname": key}


def _others(kind: str, name: str) -> Callable[[Reader, Pins], Iterator[Row]]:
    """Objects without a type of their own, as far as they are known to exist."""

    def rows(reader: Reader, pins: Pins) -> Iterator[Row]:
        wanted = pins.get(name)
        if isinstance(wanted, str) and reader.others.get(f"{kind}:{wanted}"):
            yield {name: wanted}

    return rows


#: Schema and name -> what is known of it.
_INFORMATION: Final = {
    "columns": System(parts.information_columns, "table_schema", "column_name", "part", "table_name"),
    "tables": System(_information_tables, "table_schema", "table_name", "relation"),
    "views": System(_listed("v", "table_schema", "table_name"), "table_schema", "table_name", "relation"),
    "sequences": System(
        _listed("S", "sequence_schema", "sequence_name"), "sequence_schema", "sequence_name", "relation"
    ),
    "table_constraints": System(parts.table_constraints, "table_schema", "constraint_name", "part", "table_name"),
    "key_column_usage": System(parts.key_columns, "table_schema", "constraint_name", "part", "table_name"),
    "constraint_column_usage": System(parts.used_columns, "", "constraint_name", "part"),
    "triggers": System(parts.information_triggers, "event_object_schema", "trigger_name", "part", "event_object_table"),
    "schemata": System(_schemas("schema_name"), "", "schema_name", "schema"),
    "routines": System(_routines("routine_name", "routine_schema"), "routine_schema", "routine_name", "routine"),
}
_CATALOGS: Final = {
    "pg_class": System(_classes, "relnamespace", "relname", "relation", oid="oid"),
    "pg_tables": System(_listed("rp", "schemaname", "tablename"), "schemaname", "tablename", "relation"),
    "pg_views": System(_listed("v", "schemaname", "viewname"), "schemaname", "viewname", "relation"),
    "pg_matviews": System(_listed("m", "schemaname", "matviewname"), "schemaname", "matviewname", "relation"),
    "pg_sequences": System(_listed("S", "schemaname", "sequencename"), "schemaname", "sequencename", "relation"),
    "pg_indexes": System(_indexes, "schemaname", "indexname", "relation"),
    "pg_index": System(_index_entries, "", "indexrelid", "relation"),
    "pg_attribute": System(parts.attributes, "", "attname", "part", "attrelid"),
    "pg_constraint": System(parts.constraints, "", "conname", "part", "conrelid"),
    "pg_trigger": System(parts.triggers, "", "tgname", "part", "tgrelid"),
    "pg_policies": System(parts.policies, "schemaname", "policyname", "part", "tablename"),
    "pg_policy": System(parts.policy_entries, "", "polname", "part", "polrelid"),
    "pg_inherits": System(parts.inheritance, "", "inhparent", "part", "inhrelid"),
    "pg_type": System(_types, "typnamespace", "typname", "type", oid="oid"),
    "pg_enum": System(_labels, "", "enumlabel", "label", "enumtypid"),
    "pg_proc": System(_routines("proname", "pronamespace"), "pronamespace", "proname", "routine"),
    "pg_namespace": System(_schemas("nspname"), "", "nspname", "schema", oid="oid"),
    "pg_extension": System(_extensions, "", "extname", "extension"),
    "pg_publication": System(_publications, "", "pubname", "publication"),
    "pg_event_trigger": System(_others("event_trigger", "evtname"), "", "evtname"),
    "pg_roles": System(_others("role", "rolname"), "", "rolname"),
    "pg_authid": System(_others("role", "rolname"), "", "rolname"),
}


def system(name: Name, path: tuple[str, ...]) -> System | None:
    """The relation of the system that ``name`` means; None when it is none that is known here."""
    if name.schema == "information_schema" or (name.schema is None and "information_schema" in path):
        return _INFORMATION.get(name.name)
    return _CATALOGS.get(name.name) if name.schema in (None, "pg_catalog") else None
