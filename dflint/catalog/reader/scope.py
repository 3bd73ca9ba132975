"""Which objects of a database have to do with one table: these alone are read where only the table matters."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from dflint.catalog.reader.names import PG_CLASS, PG_PROC
from dflint.catalog.reader.pieces import Chosen
from dflint.catalog.reader.session import SQL, ReaderSession, oid_array

#: Everything that needs some objects, directly or through others, and what the found ones are parts of.
_NEEDING: Final = SQL(
    """
    WITH RECURSIVE reached (catalog, oid) AS (
        SELECT %(catalog)s::pg_catalog.oid, pg_catalog.unnest(%(oids)s::pg_catalog.oid[])
        UNION
        SELECT found.catalog, found.oid FROM reached r CROSS JOIN LATERAL (
            SELECT d.classid, d.objid FROM pg_catalog.pg_depend d WHERE d.refclassid = r.catalog AND d.refobjid = r.oid
            UNION ALL
            SELECT d.refclassid, d.refobjid FROM pg_catalog.pg_depend d
            WHERE d.classid = r.catalog AND d.objid = r.oid AND d.deptype IN ('i', 'P', 'S')) AS found (catalog, oid)
    )
    SELECT catalog, oid FROM reached
    """
)
#: Routines whose text may name something, or that put SQL together when they run.
_NAMING: Final = SQL(
    """
    SELECT p.oid FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid = p.prolang
    WHERE p.oid >= 16384 AND l.lanname NOT IN ('c', 'internal')
      AND EXISTS (SELECT FROM pg_catalog.unnest(%s::pg_catalog.text[]) AS w (word)
                  WHERE pg_catalog.strpos(pg_catalog.replace(pg_catalog.lower(p.prosrc), '"', ''), w.word) > 0)
    LIMIT 1
    """
)
_ROUTINES: Final = SQL("SELECT oid FROM pg_catalog.pg_proc WHERE oid >= 16384")
_WORDS: Final = SQL(
    """
    SELECT relname FROM pg_catalog.pg_class WHERE oid = ANY (%(relations)s::pg_catalog.oid[])
    UNION SELECT proname FROM pg_catalog.pg_proc WHERE oid = ANY (%(routines)s::pg_catalog.oid[])
    UNION SELECT attname FROM pg_catalog.pg_attribute
          WHERE attrelid = ANY (%(relations)s::pg_catalog.oid[]) AND attnum > 0 AND NOT attisdropped
    """
)
#: Relations that texts of routines may name.
_NAMED: Final = SQL(
    """
    SELECT c.oid FROM pg_catalog.pg_class c
    WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S', 'c') AND EXISTS (
        SELECT FROM pg_catalog.pg_proc p WHERE p.oid >= 16384
          AND (pg_catalog.strpos(pg_catalog.replace(pg_catalog.lower(p.prosrc), '"', ''),
                                 pg_catalog.replace(pg_catalog.lower(c.relname), '"', '')) > 0
               OR pg_catalog.strpos(pg_catalog.lower(p.prosrc), 'u&') > 0))
    """
)
#: The relations that found parts belong to, the other ends of a table's foreign keys, and from there on all that
#: inherits from them and that they inherit from; with indexes and toast tables, the tables whose rows columns hold, and
#: the functions and sequences that their parts call.
_RELATIONS: Final = SQL(
    """
    WITH RECURSIVE family (oid) AS (
        SELECT %(table)s::pg_catalog.oid
        UNION SELECT CASE WHEN i.inhrelid = f.oid THEN i.inhparent ELSE i.inhrelid END
        FROM family f JOIN pg_catalog.pg_inherits i ON f.oid IN (i.inhrelid, i.inhparent)
    ), tables (oid) AS (
        (SELECT oid FROM family
         UNION SELECT pg_catalog.unnest(%(relations)s::pg_catalog.oid[])
         UNION SELECT k.confrelid FROM pg_catalog.pg_constraint k JOIN family f ON k.conrelid = f.oid
               WHERE k.contype = 'f'
         UNION SELECT conrelid FROM pg_catalog.pg_constraint WHERE oid = ANY (%(parts)s::pg_catalog.oid[])
         UNION SELECT confrelid FROM pg_catalog.pg_constraint WHERE oid = ANY (%(parts)s::pg_catalog.oid[])
         UNION SELECT tgrelid FROM pg_catalog.pg_trigger WHERE oid = ANY (%(parts)s::pg_catalog.oid[])
         UNION SELECT adrelid FROM pg_catalog.pg_attrdef WHERE oid = ANY (%(parts)s::pg_catalog.oid[])
         UNION SELECT ev_class FROM pg_catalog.pg_rewrite WHERE oid = ANY (%(parts)s::pg_catalog.oid[])
         UNION SELECT polrelid FROM pg_catalog.pg_policy WHERE oid = ANY (%(parts)s::pg_catalog.oid[])
         UNION SELECT indrelid FROM pg_catalog.pg_index WHERE indexrelid = ANY (%(relations)s::pg_catalog.oid[]))
        UNION SELECT CASE WHEN i.inhrelid = t.oid THEN i.inhparent ELSE i.inhrelid END
        FROM tables t JOIN pg_catalog.pg_inherits i ON t.oid IN (i.inhrelid, i.inhparent)
    )
    SELECT oid FROM tables WHERE oid <> 0
    UNION SELECT x.indexrelid FROM pg_catalog.pg_index x JOIN tables t ON x.indrelid = t.oid
    UNION SELECT c.reltoastrelid FROM pg_catalog.pg_class c JOIN tables t ON c.oid = t.oid WHERE c.reltoastrelid <> 0
    UNION SELECT greatest(y.typrelid, e.typrelid, b.typrelid) FROM tables t
          JOIN pg_catalog.pg_depend d ON d.classid = 1259 AND d.objid = t.oid AND d.refclassid = 1247
          JOIN pg_catalog.pg_type y ON y.oid = d.refobjid
          LEFT JOIN pg_catalog.pg_type e ON e.oid = y.typelem LEFT JOIN pg_catalog.pg_type b ON b.oid = y.typbasetype
          WHERE greatest(y.typrelid, e.typrelid, b.typrelid) <> 0
    UNION SELECT d.refobjid FROM tables t
          JOIN LATERAL (
              SELECT 2604, x.oid FROM pg_catalog.pg_attrdef x WHERE x.adrelid = t.oid
              UNION ALL SELECT 2606, x.oid FROM pg_catalog.pg_constraint x WHERE x.conrelid = t.oid AND x.contype = 'c'
              UNION ALL SELECT 2620, x.oid FROM pg_catalog.pg_trigger x WHERE x.tgrelid = t.oid AND NOT x.tgisinternal
              UNION ALL SELECT 1259, x.indexrelid FROM pg_catalog.pg_index x WHERE x.indrelid = t.oid
          ) AS part (catalog, oid) ON true
          JOIN pg_catalog.pg_depend d ON d.classid = part.catalog AND d.objid = part.oid
          WHERE d.refobjid >= 16384 AND (d.refclassid = 1255 OR (d.refclassid = 1259 AND d.classid = 2604))
    """
)
#: Types of columns and parameters; row types and array types come with others.
_TYPES: Final = SQL(
    """
    SELECT oid FROM pg_catalog.pg_type WHERE oid >= 16384 AND typtype IN ('b', 'd', 'e', 'r', 'p') AND typelem = 0
    UNION ALL SELECT oid FROM pg_catalog.pg_class WHERE oid >= 16384 AND relkind = 'c'
    UNION ALL SELECT oid FROM pg_catalog.pg_constraint WHERE contypid > 0
    """
)
#: Relations and types of some names, in any schema: what is to get such a name may not get it.
_NAMESAKES: Final = SQL(
    """
    SELECT oid FROM pg_catalog.pg_class WHERE relname = ANY (%(names)s) AND oid >= 16384
    UNION ALL SELECT oid FROM pg_catalog.pg_type WHERE typname = ANY (%(names)s) AND oid >= 16384
    """
)
#: Catalogs whose rows are found without asking for every kind of object there is: pg_class, pg_type, pg_proc,
#: pg_attrdef, pg_constraint, pg_rewrite, pg_trigger, pg_policy, pg_publication, pg_publication_rel.
_USUAL: Final = frozenset({PG_CLASS, 1247, PG_PROC, 2604, 2606, 2618, 2620, 3256, 6104, 6106})
_DYNAMIC: Final = "execute"
#: Before a quoted name with escapes, which hide any name.
_ESCAPES: Final = "u&"


async def around(session: ReaderSession, table: int, words: Collection[str]) -> Chosen:
    """The objects that matter when something is done to a table.

    Those that need it, directly or through others; its partitions and children, and what it is one of; the tables at
    the other ends of foreign keys; and, where the text of any routine may name one of these, all routines and the
    relations that they name.

    Args:
        session: to read with.
        table: its OID.
        words: names that change.

    Raises:
        psycopg.Error: they cannot be read.
    """
    found, types, namesakes = await session.together(
        _needing(session, PG_CLASS, [table]),
        session.fetch(_TYPES),
        session.fetch(_NAMESAKES, {"names": list(words)}),
    )
    relations = _of(found, PG_CLASS)
    names = {"relations": oid_array([table, *relations]), "routines": oid_array(_of(found, PG_PROC))}
    own = [name for (name,) in await session.fetch(_WORDS, names)]
    all_words = {word.lower().replace('"', "") for word in (*own, *words)}
    routines: list[int] = []
    if await session.fetch(_NAMING, (sorted(all_words | {_DYNAMIC, _ESCAPES}),)):
        routines = [oid for (oid,) in await session.fetch(_ROUTINES)]
        found |= await _needing(session, PG_PROC, routines)
        relations = [*_of(found, PG_CLASS), *[oid for (oid,) in await session.fetch(_NAMED)]]
    parts = [oid for catalog, oid in found if catalog != PG_CLASS]
    parameters = {"table": table, "relations": oid_array(relations), "parts": oid_array(parts)}
    chosen = {oid for (oid,) in await session.fetch(_RELATIONS, parameters)}
    chosen.update(oid for (oid,) in (*types, *namesakes))
    chosen.update(oid for _, oid in found)
    return Chosen(sorted(chosen), others=not {catalog for catalog, _ in found} <= _USUAL)


async def _needing(session: ReaderSession, catalog: int, oids: Iterable[int]) -> set[tuple[int, int]]:
    rows = await session.fetch(_NEEDING, {"catalog": catalog, "oids": oid_array(oids)})
    return {(found, oid) for found, oid in rows}


def _of(found: Iterable[tuple[int, int]], catalog: int) -> list[int]:
    return [oid for each, oid in found if each == catalog]
