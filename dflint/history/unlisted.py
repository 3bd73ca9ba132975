"""Whether something may exist that the catalog does not list."""

from __future__ import annotations

from typing import Final

from dflint.history.draft import Draft
from dflint.history.system_rows import Pins, System, Value, relations
from dflint.model.catalog import UNKNOWN, EnumType, Table, View
from dflint.model.names import Name
from dflint.sql.build.nodes import BUILT_IN_TYPES


class Unlisted:
    """Whether there may be objects that the catalog does not list."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        # What an extension brought is listed where a server was asked.
        members = draft.catalog.details.extension_members
        brought = {name for name, known in draft.extensions.items() if known} - {"plpgsql"}
        self._extended = bool(brought) and not members
        self._more_relations = self._extended and not brought <= _WITHOUT_RELATIONS

    def possible(self, found: System, pins: Pins) -> bool:
        """Whether such an object may exist without being listed."""
        schema, name = pins.get(found.schema, UNKNOWN), pins.get(found.name, UNKNOWN)
        if schema in _SYSTEM_SCHEMAS:
            return True
        if found.kind == "part":
            return self._part(found, pins, name)
        if found.kind == "relation":
            return self._relation(schema, name)
        if found.kind == "label":
            kind = pins.get(found.parent)
            known = isinstance(kind, Name) and isinstance(self._draft.types.get(kind), EnumType)
            return not known and self._anything(name)
        if found.kind == "type":
            return self._key("types", schema, name) and (self._extended or _builtin_type(name) or self._anything(name))
        if found.kind == "routine":
            return self._key("routines", schema, name) and (
                self._extended or not isinstance(schema, str) or self._anything(name)
            )
        maps = {"schema": "schemas", "extension": "extensions", "publication": "publications"}
        if found.kind not in maps or not isinstance(name, str):
            return True
        return name not in getattr(self._draft, maps[found.kind]) and (
            (found.kind == "schema" and self._more_relations) or self._anything(name)
        )

    def _key(self, where: str, schema: Value, name: Value) -> bool:
        """Whether the object of that schema and name is not listed; True where they are not given."""
        return not (
            isinstance(schema, str) and isinstance(name, str) and Name(schema, name) in getattr(self._draft, where)
        )

    def _relation(self, schema: Value, name: Value) -> bool:
        if isinstance(name, Name):
            schema, name = name
        if not self._key("relations", schema, name):
            return False
        if isinstance(schema, str) and self._draft.schemas.get(schema, True) is None:
            return False
        if not isinstance(schema, str) and _of_the_system(name):
            return True
        return self._more_relations or self._anything(name)

    def _part(self, found: System, pins: Pins, name: Value) -> bool:
        parent, schema = pins.get(found.parent, UNKNOWN), pins.get(found.schema, UNKNOWN)
        if isinstance(parent, Name):
            schema, parent = parent
        if not isinstance(parent, str):
            # Of columns of any table there are always more: those of the system.
            return found.name in ("column_name", "attname") or _of_the_system(name) or self._anything(name)
        holders = list(relations(self._draft, schema, parent))
        if any(not _complete(holder) for holder in holders):
            return True
        return not (holders and isinstance(schema, str)) and self._relation(schema, parent)

    def _anything(self, name: Value) -> bool:
        """Whether anything of that name (UNKNOWN: of any) may exist that is not listed."""
        draft = self._draft
        if draft.incomplete or not (draft.closed or draft.from_empty):
            return True
        return name in draft.doubted if isinstance(name, str) else bool(draft.doubted)


_SYSTEM_SCHEMAS: Final = frozenset({"pg_catalog", "information_schema", "pg_toast"})
#: Extensions that bring neither relations nor schemas.
_WITHOUT_RELATIONS: Final = frozenset(
    """bloom btree_gin btree_gist citext cube dblink dict_int dict_xsyn earthdistance fuzzystrmatch hstore intarray isn
    lo ltree pg_trgm pgcrypto seg tablefunc tcn tsm_system_rows tsm_system_time unaccent uuid-ossp vector
    xml2""".split()
)
#: Views of the information schema whose names a user may give a table of their own.
_VIEWS: Final = frozenset(
    """attributes character_sets collations columns domains parameters role_table_grants routines schemata sequences
    sql_features tables transforms triggers user_mappings views""".split()
)


#: Types of PostgreSQL's own.
_TYPES: Final = BUILT_IN_TYPES | {"cardinal_number", "character_data", "sql_identifier", "time_stamp", "yes_or_no"}


def _of_the_system(name: Value) -> bool:
    """Whether a name may be that of something of PostgreSQL's own."""
    return not isinstance(name, str) or name.startswith("pg_") or name in _VIEWS


def _builtin_type(name: Value) -> bool:
    """Whether a type of that name may be PostgreSQL's own, or an array type, which is not listed."""
    return _of_the_system(name) or name in _TYPES or (isinstance(name, str) and name.startswith("_"))


def _complete(holder: object) -> bool:
    if isinstance(holder, Table):
        return holder.complete and all(column.complete for column in holder.columns)
    return not isinstance(holder, View) or holder.columns is not None
