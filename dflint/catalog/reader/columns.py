"""Columns of tables and views, and attributes of composite types."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from dflint.catalog.reader.deparse import Deparsed, Request
from dflint.catalog.reader.names import Names
from dflint.catalog.reader.pieces import fetch_by_oids
from dflint.catalog.reader.relations import pairs
from dflint.catalog.reader.session import SQL, ReaderSession, Row, oid_array, since
from dflint.catalog.reader.texts import Texts
from dflint.model.expressions import Expr, Type
from dflint.model.schema import Column

#: A column is plain where nothing is to be said of it but name, type and NOT NULL. Most are, and many are alike.
_RARE: Final = """
    (a.atthasdef OR a.attidentity <> '' OR NOT a.attislocal OR a.attinhcount > 0 OR a.attndims > 0
     OR a.attoptions IS NOT NULL
     OR a.attfdwoptions IS NOT NULL OR a.attacl IS NOT NULL OR a.atthasmissing OR {compressed} OR {counted})
    """
_COLUMNS: Final = SQL(
    """
    SELECT a.attrelid, a.attnum, a.attname, a.atttypid, a.atttypmod, a.attnotnull, a.attcollation,
           a.attstorage, {rare}
    FROM pg_catalog.pg_attribute a
    WHERE a.attrelid = ANY (%s::pg_catalog.oid[]) AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY a.attrelid, a.attnum
    """
)
_RARITIES: Final = SQL(
    """
    SELECT a.attrelid, a.attnum, a.attgenerated::pg_catalog.text, a.attidentity::pg_catalog.text, a.attislocal,
           a.attinhcount::pg_catalog.int4, a.attndims::pg_catalog.int4,
           {compression}, {statistics},
           a.attoptions, a.attfdwoptions, a.attacl::pg_catalog.text[], a.atthasmissing,
           CASE WHEN a.attgenerated = '' THEN pg_catalog.pg_get_expr(d.adbin, 0) END
    FROM pg_catalog.pg_attribute a
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.atthasdef
    WHERE a.attrelid = ANY (%s::pg_catalog.oid[]) AND a.attnum > 0 AND NOT a.attisdropped AND {rare}
    """
)
_TYPES: Final = SQL(
    """
    SELECT x.id, x.modifier, pg_catalog.format_type(x.id, x.modifier), t.typcollation, t.typstorage
    FROM ROWS FROM (pg_catalog.unnest(%s::pg_catalog.oid[]), pg_catalog.unnest(%s::pg_catalog.int4[]))
         AS x (id, modifier)
    LEFT JOIN pg_catalog.pg_type t ON t.oid = x.id
    """
)
GENERATED: Final = "generated columns"
GENERATED_QUERY: Final = SQL(
    """
    SELECT d.adrelid, d.adnum, pg_catalog.pg_get_expr(d.adbin, d.adrelid) FROM pg_catalog.pg_attrdef d
    WHERE d.adrelid = ANY (%s::pg_catalog.oid[])
    """
)

_STORAGE: Final = {"p": "plain", "e": "external", "m": "main", "x": "extended"}
_COMPRESSION: Final = {"p": "pglz", "l": "lz4"}
_IDENTITY: Final = {"a": "always", "d": "default"}
_GENERATION: Final = {"s": "stored", "v": "virtual"}

#: Places of column privileges and of the fast default in the rows of `ColumnRows.rare`.
PRIVILEGES: Final = 9
MISSING: Final = 10

TypeKey = tuple[int, int]


class TypeNames:
    """Types by OID and modifier."""

    def __init__(self) -> None:
        self._types: dict[TypeKey, Type] = {}
        self._usual: dict[int, tuple[int, str]] = {}
        self._texts: dict[int, str] = {}

    async def learn(self, session: ReaderSession, keys: Iterable[TypeKey], texts: Texts) -> None:
        """Ask for what is not yet known."""
        new = sorted(set(keys) - self._types.keys())
        if not new:
            return
        parameters = (oid_array([oid for oid, _ in new]), oid_array([modifier for _, modifier in new]))
        rows = await session.fetch_or_note("the names of types", _TYPES, parameters)
        texts.learn_types([row[2] for row in rows])
        for oid, modifier, text, collation, storage in rows:
            self._types[oid, modifier] = texts.type(text)
            self._usual[oid] = (collation, storage)
            if modifier == -1:
                self._texts[oid] = text

    def get(self, oid: int, modifier: int = -1) -> Type | None:
        """The type, None where it could not be read."""
        return self._types.get((oid, modifier))

    def text(self, oid: int) -> str:
        """What `format_type` prints, with an empty search_path."""
        return self._texts.get(oid, "?")

    def usual(self, oid: int) -> tuple[int, str]:
        """A type's own collation and storage."""
        return self._usual.get(oid, (0, ""))


class ColumnRows:
    """What the server says of columns.

    Attributes:
        plain: relation, number, name, type's OID and modifier, NOT NULL, collation, storage, whether there is more to
            say.
        rare: relation and number -> the rest.
        names: relation -> number -> name.
    """

    def __init__(self, plain: list[Row], rare: dict[tuple[int, int], Row]) -> None:
        self.plain = plain
        self.rare = rare
        self.names: dict[int, dict[int, str]] = {}
        for row in plain:
            relation = row[0]
            of_relation = self.names.get(relation)
            if of_relation is None:
                of_relation = self.names[relation] = {}
            of_relation[row[1]] = row[2]

    def requests(self) -> list[Request]:
        """The relations with generated columns, whose expressions are to be printed."""
        return [Request(oid, (oid,)) for oid in sorted({key[0] for key, row in self.rare.items() if row[0]})]


async def read_columns(session: ReaderSession, oids: list[int]) -> ColumnRows:
    """The columns of the relations with these OIDs."""
    version = session.version
    rare_if = SQL(_RARE).format(
        compressed=since(version, 14, "a.attcompression <> ''", "false"),
        counted=since(version, 17, "a.attstattarget IS NOT NULL", "a.attstattarget >= 0"),
    )
    parts = {
        "rare": rare_if,
        "compression": since(version, 14, "a.attcompression::pg_catalog.text", "''::pg_catalog.text"),
        "statistics": since(version, 17, "a.attstattarget::pg_catalog.int4", "nullif(a.attstattarget, -1)"),
    }
    plain = await fetch_by_oids(session, "columns", _COLUMNS.format(rare=rare_if), oids)
    with_more = sorted({row[0] for row in plain if row[8]})
    rare = await fetch_by_oids(session, "columns", _RARITIES.format(**parts), with_more)
    return ColumnRows(plain, {(row[0], row[1]): row[2:] for row in rare})


class ColumnBuilder:
    """Makes columns out of rows. Columns that look alike are one value."""

    def __init__(self, names: Names, types: TypeNames, texts: Texts, deparsed: Deparsed) -> None:
        self._names = names
        self._types = types
        self._texts = texts
        self._deparsed = deparsed
        self._known: dict[tuple[str, int, int, bool, int, str], Column] = {}

    def build(self, rows: ColumnRows) -> dict[int, tuple[Column, ...]]:
        """Relation -> its columns, in order."""
        known, rare = self._known, rows.rare
        listed: dict[int, list[Column]] = {}
        for relation, number, name, kind, modifier, not_null, collation, storage, more in rows.plain:
            of_relation = listed.get(relation)
            if of_relation is None:
                of_relation = listed[relation] = []
            key = (name, kind, modifier, not_null, collation, storage)
            column = known.get(key)
            if column is None:
                column = known[key] = self._plain(*key)
            details = rare.get((relation, number)) if more else None
            of_relation.append(self._detailed(column, relation, number, details) if details else column)
        return {relation: tuple(columns) for relation, columns in listed.items()}

    def _plain(self, name: str, kind: int, modifier: int, not_null: bool, collation: int, storage: str) -> Column:
        usual_collation, usual_storage = self._types.usual(kind)
        return Column(
            name,
            self._types.get(kind, modifier),
            not_null,
            collation=self._names.collation(collation, usual_collation),
            storage=None if storage == usual_storage else _STORAGE.get(storage),
        )

    def _detailed(self, plain: Column, relation: int, number: int, row: Row) -> Column:
        generation, identity, local, inherited, dimensions, compression, statistics = row[:7]
        options, server_options, _privileges, _missing, default = row[7:]
        kind = plain.type
        if kind is not None and kind.dimensions and dimensions > 1:
            kind = Type(kind.name, kind.modifiers, dimensions)
        return Column(
            plain.name,
            kind,
            plain.not_null,
            default=self._texts.expression(default),
            generated=self._generated(relation, number) if generation else None,
            generation=_GENERATION.get(generation, ""),  # type: ignore[arg-type]  # values of the Literal
            identity=_IDENTITY.get(identity, ""),  # type: ignore[arg-type]  # values of the Literal
            collation=plain.collation,
            storage=plain.storage,
            compression=_COMPRESSION.get(compression),
            statistics=statistics,
            options=pairs(options) + pairs(server_options),
            local=local,
            inherited=inherited,
        )

    def _generated(self, relation: int, number: int) -> Expr:
        for row in self._deparsed.rows(GENERATED, relation):
            if row[1] == number:
                found = self._texts.expression(row[2])
                if found is not None:
                    return found
        return UNREADABLE


#: Stands for an expression that could not be read since its table was locked.
UNREADABLE: Final = Expr("other", value="")
