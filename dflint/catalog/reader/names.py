"""From OIDs to names: what other rows point at."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable
from typing import Final

from dflint.catalog.reader.session import SQL, ReaderSession
from dflint.model.names import Name

#: Objects with lower OIDs came with the server.
FIRST_USER_OID: Final = 16384

#: OIDs of the catalogs themselves, the same in every server.
PG_TYPE, PG_PROC, PG_CLASS, PG_NAMESPACE = 1247, 1255, 1259, 2615

_SCHEMAS: Final = SQL("SELECT oid, nspname FROM pg_catalog.pg_namespace")
_ROLES: Final = SQL("SELECT oid, rolname FROM pg_catalog.pg_roles")
_METHODS: Final = SQL("SELECT oid, amname FROM pg_catalog.pg_am")
_TABLESPACES: Final = SQL("SELECT oid, spcname FROM pg_catalog.pg_tablespace")
_COLLATIONS: Final = SQL("SELECT oid, collnamespace, collname FROM pg_catalog.pg_collation")
_OPERATOR_CLASSES: Final = SQL("SELECT oid, opcnamespace, opcname, opcdefault FROM pg_catalog.pg_opclass")
_MEMBERS: Final = SQL(
    """
    SELECT d.classid, d.objid, e.extname
    FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
    WHERE d.deptype = 'e' AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
    """
)


class Names:
    """Names by OID.

    Attributes:
        schemas, roles, methods, tablespaces: of all there are.
        collations: with their schemas.
        operator_classes: with their schemas, those that are the default of their type left out.
        members: (catalog's OID, object's OID) -> the extension that brought the object.
        relations: of the relations that are read; filled by their reader.
        wanted: names of the schemas that are read, None for all but the system's own.
    """

    def __init__(self, wanted: Collection[str] | None) -> None:
        self.wanted = wanted
        self.schemas: dict[int, str] = {}
        self.roles: dict[int, str] = {}
        self.methods: dict[int, str] = {}
        self.tablespaces: dict[int, str] = {}
        self.collations: dict[int, Name] = {}
        self.operator_classes: dict[int, Name] = {}
        self.members: dict[tuple[int, int], str] = {}
        self.relations: dict[int, Name] = {}

    def name(self, schema: int, name: str) -> Name:
        """A schema-qualified name."""
        return Name(self.schemas.get(schema, "?"), name)

    def role(self, oid: int) -> str:
        """A role's name; 0 is everybody."""
        return self.roles.get(oid, f"role {oid}") if oid else "public"

    def collation(self, oid: int, usual: int) -> Name | None:
        """A collation, None where it is the usual one."""
        return None if oid in (usual, 0) else self.collations.get(oid)

    def schema_oids(self) -> list[int]:
        """The schemas whose objects are read. Objects of the server itself are told apart by their OIDs."""
        return [
            oid
            for oid, name in self.schemas.items()
            if not is_temporary(name) and name != "pg_toast" and (self.wanted is None or name in self.wanted)
        ]


def is_temporary(schema: str) -> bool:
    """Whether a schema holds some session's temporary objects."""
    return schema.startswith(("pg_temp_", "pg_toast_temp_"))


def own_schemas(schemas: Iterable[str]) -> list[str]:
    """The schemas that are not the server's own."""
    return [name for name in schemas if not name.startswith("pg_") and name != "information_schema"]


async def read_names(session: ReaderSession, wanted: Collection[str] | None) -> Names:
    """The names that every database has few of."""
    names = Names(wanted)
    note = session.fetch_or_note
    schemas, roles, methods, tablespaces, collations, classes, members = await session.together(
        session.fetch(_SCHEMAS),
        note("the names of roles", _ROLES),
        note("access methods", _METHODS),
        note("tablespaces", _TABLESPACES),
        note("collations", _COLLATIONS),
        note("operator classes", _OPERATOR_CLASSES),
        note("members of extensions", _MEMBERS),
    )
    names.schemas, names.roles, names.tablespaces = dict(schemas), dict(roles), dict(tablespaces)
    # Interned, "btree" is the very default of the model, which a snapshot file leaves out at once, see `canonical`.
    names.methods = {oid: sys.intern(name) for oid, name in methods}
    for oid, schema, name in collations:
        names.collations[oid] = names.name(schema, name)
    for oid, schema, name, default in classes:
        if not default:
            names.operator_classes[oid] = names.name(schema, name)
    for catalog, oid, extension in members:
        names.members[catalog, oid] = extension
    return names
