"""Objects without a type of their own: operators, servers, statistics, roles, …

Each kind is one query whose rows have the same shape: the object's OID, schema (0 for none) and name; what else its
identity says, as text or as types; owner, access privileges, and attributes written ``name=value``. What only says
that nothing special was asked for is NULL and left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, LiteralString, NamedTuple

from dflint.catalog.reader.columns import TypeNames
from dflint.catalog.reader.names import FIRST_USER_OID, Names, is_temporary
from dflint.catalog.reader.relations import pairs
from dflint.catalog.reader.session import SQL, ReaderSession, Row
from dflint.model.catalog import Other
from dflint.model.expressions import Type
from dflint.model.names import Identity, Name

#: Options of servers and user mappings may hold secrets; what is called so is not shown.
_REDACTED: Final = ("password", "secret", "token", "key", "credential")


class _Kind(NamedTuple):
    """How the objects of one kind are read.

    Attributes:
        catalog: OID of the catalog they are in.
        since: the first major that has them as the query says.
    """

    kind: str
    catalog: int
    query: LiteralString
    since: int = 13


_KINDS: Final = (
    _Kind(
        "access_method",
        2601,
        """
        SELECT oid, 0::oid, amname, NULL, NULL::oid[], 0::oid, NULL::text[],
               ARRAY['handler=' || amhandler::regproc, 'type=' || amtype::text]
        FROM pg_catalog.pg_am WHERE oid >= %s
        """,
    ),
    _Kind(
        "cast",
        2605,
        """
        SELECT oid, 0::oid, NULL, ' AS ', ARRAY[castsource, casttarget], 0::oid, NULL::text[],
               ARRAY['context=' || castcontext::text, 'method=' || castmethod::text,
                     CASE WHEN castfunc <> 0 THEN 'function=' || castfunc::regprocedure END]
        FROM pg_catalog.pg_cast c
        WHERE oid >= %s
          -- Those that a range type brings are its own.
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                          WHERE d.classid = 'pg_catalog.pg_cast'::regclass AND d.objid = c.oid AND d.deptype = 'i')
        """,
    ),
    _Kind(
        "collation",
        3456,
        """
        SELECT oid, collnamespace, collname, NULL, NULL::oid[], collowner, NULL::text[],
               ARRAY['provider=' || collprovider::text, 'collate=' || collcollate, 'ctype=' || collctype,
                     CASE WHEN NOT collisdeterministic THEN 'deterministic=false' END]
        FROM pg_catalog.pg_collation WHERE oid >= %s
        """,
    ),
    _Kind(
        "conversion",
        2607,
        """
        SELECT oid, connamespace, conname, NULL, NULL::oid[], conowner, NULL::text[],
               ARRAY['from=' || pg_catalog.pg_encoding_to_char(conforencoding),
                     'to=' || pg_catalog.pg_encoding_to_char(contoencoding),
                     'function=' || conproc::regproc, CASE WHEN condefault THEN 'default=true' END]
        FROM pg_catalog.pg_conversion WHERE oid >= %s
        """,
    ),
    _Kind(
        "operator",
        2617,
        """
        SELECT oid, oprnamespace, oprname, NULL, ARRAY[oprleft, oprright], oprowner, NULL::text[],
               ARRAY['function=' || oprcode::regproc,
                     CASE WHEN oprcom <> 0 THEN 'commutator=' || oprcom::regoperator END,
                     CASE WHEN oprnegate <> 0 THEN 'negator=' || oprnegate::regoperator END,
                     CASE WHEN oprcanmerge THEN 'merges=true' END, CASE WHEN oprcanhash THEN 'hashes=true' END]
        FROM pg_catalog.pg_operator WHERE oid >= %s
        """,
    ),
    _Kind(
        "operator_class",
        2616,
        """
        SELECT c.oid, c.opcnamespace, c.opcname, m.amname, NULL::oid[], c.opcowner, NULL::text[],
               ARRAY['type=' || c.opcintype::regtype, 'family=' || f.opfname,
                     CASE WHEN c.opcdefault THEN 'default=true' END]
        FROM pg_catalog.pg_opclass c JOIN pg_catalog.pg_am m ON m.oid = c.opcmethod
        JOIN pg_catalog.pg_opfamily f ON f.oid = c.opcfamily WHERE c.oid >= %s
        """,
    ),
    _Kind(
        "operator_family",
        2753,
        """
        SELECT f.oid, f.opfnamespace, f.opfname, m.amname, NULL::oid[], f.opfowner, NULL::text[],
               ARRAY(SELECT pg_catalog.format('operator %%s=%%s', o.amopstrategy, o.amopopr::regoperator)
                     FROM pg_catalog.pg_amop o WHERE o.amopfamily = f.oid)
               || ARRAY(SELECT pg_catalog.format('function %%s=%%s', p.amprocnum, p.amproc::regprocedure)
                        FROM pg_catalog.pg_amproc p WHERE p.amprocfamily = f.oid)
        FROM pg_catalog.pg_opfamily f JOIN pg_catalog.pg_am m ON m.oid = f.opfmethod WHERE f.oid >= %s
        """,
    ),
    _Kind(
        "event_trigger",
        3466,
        """
        SELECT oid, 0::oid, evtname, NULL, NULL::oid[], evtowner, NULL::text[],
               ARRAY['event=' || evtevent, 'function=' || evtfoid::regproc,
                     CASE WHEN evtenabled <> 'O' THEN 'enabled=' || evtenabled::text END,
                     'tag=' || pg_catalog.array_to_string(evttags, ', ')]
        FROM pg_catalog.pg_event_trigger WHERE oid >= %s
        """,
    ),
    _Kind(
        "language",
        2612,
        """
        SELECT oid, 0::oid, lanname, NULL, NULL::oid[], lanowner,
               nullif(lanacl, pg_catalog.acldefault('l', lanowner))::text[],
               ARRAY[CASE WHEN lanpltrusted THEN 'trusted=true' END, 'handler=' || lanplcallfoid::regproc]
        FROM pg_catalog.pg_language WHERE lanispl AND %s > 0
        """,
    ),
    _Kind(
        "fdw",
        2328,
        """
        SELECT oid, 0::oid, fdwname, NULL, NULL::oid[], fdwowner,
               nullif(fdwacl, pg_catalog.acldefault('F', fdwowner))::text[],
               ARRAY[CASE WHEN fdwhandler <> 0 THEN 'handler=' || fdwhandler::regproc END,
                     CASE WHEN fdwvalidator <> 0 THEN 'validator=' || fdwvalidator::regproc END] || fdwoptions
        FROM pg_catalog.pg_foreign_data_wrapper WHERE oid >= %s
        """,
    ),
    _Kind(
        "server",
        1417,
        """
        SELECT s.oid, 0::oid, s.srvname, NULL, NULL::oid[], s.srvowner,
               nullif(s.srvacl, pg_catalog.acldefault('S', s.srvowner))::text[],
               ARRAY['wrapper=' || w.fdwname, 'type=' || s.srvtype, 'version=' || s.srvversion] || s.srvoptions
        FROM pg_catalog.pg_foreign_server s JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid = s.srvfdw
        WHERE s.oid >= %s
        """,
    ),
    _Kind(
        "user_mapping",
        1418,
        """
        SELECT umid, 0::oid, usename, srvname, NULL::oid[], 0::oid, NULL::text[], umoptions
        FROM pg_catalog.pg_user_mappings WHERE umid >= %s
        """,
    ),
    _Kind(
        "subscription",
        6100,
        """
        SELECT 0::oid, 0::oid, subname, NULL, NULL::oid[], subowner, NULL::text[],
               ARRAY[CASE WHEN NOT subenabled THEN 'enabled=false' END, 'slot=' || subslotname,
                     'publications=' || pg_catalog.array_to_string(subpublications, ', ')]
        FROM pg_catalog.pg_subscription
        WHERE %s > 0
          AND subdbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
        """,
    ),
    _Kind(
        "statistics",
        3381,
        """
        SELECT s.oid, s.stxnamespace, s.stxname, NULL, NULL::oid[], s.stxowner, NULL::text[],
               ARRAY['table=' || n.nspname || '.' || c.relname,
                     'kinds=' || pg_catalog.array_to_string(s.stxkind, ', '),
                     'columns=' || (SELECT pg_catalog.string_agg(a.attname, ', ' ORDER BY a.attnum)
                                    FROM pg_catalog.pg_attribute a
                                    WHERE a.attrelid = s.stxrelid AND a.attnum = ANY (s.stxkeys))]
        FROM pg_catalog.pg_statistic_ext s JOIN pg_catalog.pg_class c ON c.oid = s.stxrelid
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE s.oid >= %s
        """,
    ),
    _Kind(
        "text_search_parser",
        3601,
        """
        SELECT oid, prsnamespace, prsname, NULL, NULL::oid[], 0::oid, NULL::text[],
               ARRAY['start=' || prsstart::regproc, 'gettoken=' || prstoken::regproc, 'end=' || prsend::regproc,
                     'lextypes=' || prslextype::regproc]
        FROM pg_catalog.pg_ts_parser WHERE oid >= %s
        """,
    ),
    _Kind(
        "text_search_template",
        3764,
        """
        SELECT oid, tmplnamespace, tmplname, NULL, NULL::oid[], 0::oid, NULL::text[],
               ARRAY['lexize=' || tmpllexize::regproc]
        FROM pg_catalog.pg_ts_template WHERE oid >= %s
        """,
    ),
    _Kind(
        "text_search_dictionary",
        3600,
        """
        SELECT d.oid, d.dictnamespace, d.dictname, NULL, NULL::oid[], d.dictowner, NULL::text[],
               ARRAY['template=' || t.tmplname, 'options=' || d.dictinitoption]
        FROM pg_catalog.pg_ts_dict d JOIN pg_catalog.pg_ts_template t ON t.oid = d.dicttemplate WHERE d.oid >= %s
        """,
    ),
    _Kind(
        "text_search_configuration",
        3602,
        """
        SELECT c.oid, c.cfgnamespace, c.cfgname, NULL, NULL::oid[], c.cfgowner, NULL::text[],
               ARRAY['parser=' || p.prsname]
               || ARRAY(SELECT pg_catalog.format('token %%s=%%s', m.maptokentype, pg_catalog.string_agg(
                                 m.mapdict::regdictionary::text, ', ' ORDER BY m.mapseqno))
                        FROM pg_catalog.pg_ts_config_map m WHERE m.mapcfg = c.oid GROUP BY m.maptokentype)
        FROM pg_catalog.pg_ts_config c JOIN pg_catalog.pg_ts_parser p ON p.oid = c.cfgparser WHERE c.oid >= %s
        """,
    ),
    _Kind(
        "transform",
        3576,
        """
        SELECT t.oid, 0::oid, NULL, ' LANGUAGE ' || l.lanname, ARRAY[t.trftype], 0::oid, NULL::text[],
               ARRAY[CASE WHEN t.trffromsql <> 0 THEN 'from=' || t.trffromsql::regproc END,
                     CASE WHEN t.trftosql <> 0 THEN 'to=' || t.trftosql::regproc END]
        FROM pg_catalog.pg_transform t JOIN pg_catalog.pg_language l ON l.oid = t.trflang WHERE t.oid >= %s
        """,
    ),
    _Kind(
        "role",
        1260,
        """
        SELECT oid, 0::oid, rolname, NULL, NULL::oid[], 0::oid, NULL::text[],
               ARRAY[CASE WHEN rolsuper THEN 'superuser=true' END, CASE WHEN rolcanlogin THEN 'login=true' END]
        FROM pg_catalog.pg_roles WHERE oid >= %s OR oid = 10
        """,
    ),
    _Kind(
        "tablespace",
        1213,
        """
        SELECT oid, 0::oid, spcname, NULL, NULL::oid[], spcowner,
               nullif(spcacl, pg_catalog.acldefault('t', spcowner))::text[], spcoptions
        FROM pg_catalog.pg_tablespace WHERE oid >= %s
        """,
    ),
    _Kind(
        "default_privileges",
        826,
        """
        SELECT d.oid, d.defaclnamespace, r.rolname, d.defaclobjtype::text, NULL::oid[], 0::oid, d.defaclacl::text[],
               NULL::text[]
        FROM pg_catalog.pg_default_acl d JOIN pg_catalog.pg_roles r ON r.oid = d.defaclrole WHERE d.oid >= %s
        """,
    ),
    _Kind(
        "large_object",
        2995,
        """
        SELECT oid, 0::oid, oid::text, NULL, NULL::oid[], lomowner, lomacl::text[], NULL::text[]
        FROM pg_catalog.pg_largeobject_metadata
        -- They are data; what somebody was given on one is not.
        WHERE lomacl IS NOT NULL AND %s > 0
        """,
    ),
    # Under one name, that of none: the same schema may lie in a database of any name.
    _Kind(
        "database",
        0,
        """
        SELECT 0::oid, 0::oid, 'current', NULL, NULL::oid[], 0::oid, NULL::text[],
               ARRAY['encoding=' || pg_catalog.pg_encoding_to_char(d.encoding), 'collate=' || d.datcollate,
                     'ctype=' || d.datctype, 'provider=' || (pg_catalog.to_jsonb(d) ->> 'datlocprovider'),
                     'locale=' || coalesce(pg_catalog.to_jsonb(d) ->> 'datlocale',
                                           pg_catalog.to_jsonb(d) ->> 'daticulocale')]
        FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database() AND %s > 0
        """,
    ),
    _Kind(
        "setting",
        0,
        """
        SELECT 0::oid, 0::oid, CASE WHEN s.setdatabase = 0 THEN 'role' ELSE 'database' END, r.rolname, NULL::oid[],
               0::oid, NULL::text[], s.setconfig
        FROM pg_catalog.pg_db_role_setting s LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
        WHERE %s > 0 AND s.setdatabase IN (
            0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()))
        """,
    ),
)


class OtherRows:
    """What the server says of them: kind and row."""

    def __init__(self, rows: list[tuple[_Kind, Row]]) -> None:
        self.rows = rows

    def keys(self) -> list[tuple[int, int]]:
        """The types that identities name."""
        return [(oid, -1) for _, row in self.rows for oid in row[4] or () if oid]


async def read_others(session: ReaderSession, names: Names) -> OtherRows:
    """The objects of all these kinds, in the wanted schemas or in none."""
    found: list[tuple[_Kind, Row]] = []
    for kind in _KINDS:
        what = kind.kind.replace("_", " ")
        for row in await session.fetch_or_note(f"objects of the kind {what}", SQL(kind.query), (FIRST_USER_OID,)):
            schema = names.schemas.get(row[1])
            wanted = schema is None or names.wanted is None or schema in names.wanted
            if wanted and not (schema is not None and is_temporary(schema)):
                found.append((kind, row))
    return OtherRows(found)


class OtherObject(NamedTuple):
    """An object, and what other rows call it."""

    catalog: int
    oid: int
    identity: str
    owner: int
    privileges: list[str] | None
    value: Other


def build_others(rows: OtherRows, names: Names, types: TypeNames) -> Iterator[OtherObject]:
    """The objects with their identities."""
    for kind, row in rows.rows:
        oid, schema, name, detail, type_oids, owner, privileges, attributes = row
        parts: tuple[str, ...] = (names.schemas[schema], name) if schema else (name,)
        if kind.kind in ("cast", "transform"):
            parts = (_between_types(detail, type_oids, types),)
        elif kind.kind == "operator":
            parts = (*parts, *[str(_type(types, each).name) if each else "none" for each in type_oids])
        elif detail is not None:
            parts = (*parts, detail)
        value = Other(kind.kind, tuple(sorted(pairs([each for each in attributes or () if each]))))
        if kind.kind in ("server", "user_mapping", "fdw"):
            value = Other(kind.kind, tuple([(key, _redacted(key, text)) for key, text in value.attributes]))
        yield OtherObject(kind.catalog, oid, str(Identity(kind.kind, parts)), owner, privileges, value)


def _between_types(detail: str, type_oids: list[int], types: TypeNames) -> str:
    """How operations name a cast or a transform: ``pg_catalog.int4 AS public.t``."""
    texts = [_type_text(_type(types, oid)) for oid in type_oids]
    return detail.join(texts) if len(texts) > 1 else texts[0] + detail


def _type(types: TypeNames, oid: int) -> Type:
    return types.get(oid) or Type(Name(None, "?"))


def _type_text(kind: Type) -> str:
    return f"{kind.name}{'[]' * kind.dimensions}"


def _redacted(name: str, text: str | None) -> str | None:
    return "***" if any(word in name.lower() for word in _REDACTED) else text
