"""How a server would write down each of its objects, and what turns one set of objects back into another.

For migrations that ran in sessions of their own: nobody knows which statements they ran, only what there was before
and what there is now.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from msgspec import Struct
from psycopg import AsyncConnection

from dflint.model.quoting import quote_identifier
from dflint.plugin.validators import APPLICATION_SCHEMAS as _SCOPE

#: Kind, schema, table or "", name or signature, how to drop it, how to make it ("" where that needs data).
Key = tuple[str, str, str, str]

_NOT_MEMBER: Final = (
    "not exists (select from pg_depend d where d.classid = '{}'::regclass and d.objid = {}.oid and d.deptype = 'e')"
)


class Definition(Struct, frozen=True):
    """One object: the statement that makes it, and the one that removes it."""

    make: str
    drop: str


#: In the order in which new objects can be dropped; objects that went are made again in the opposite order.
_QUERIES: Final[dict[str, str]] = {
    "policy": f"""
select n.nspname, c.relname, p.polname,
  format('create policy %I on %s as %s for %s to %s%s%s', p.polname, p.polrelid::regclass,
    case when p.polpermissive then 'permissive' else 'restrictive' end,
    case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete'
      else 'all' end,
    case when p.polroles = '{{0}}' then 'public' else
      (select string_agg(quote_ident(rolname), ', ' order by rolname) from pg_roles where oid = any (p.polroles)) end,
    ' using (' || pg_get_expr(p.polqual, p.polrelid) || ')',
    ' with check (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')'),
  format('drop policy %I on %s', p.polname, p.polrelid::regclass)
from pg_policy p join pg_class c on c.oid = p.polrelid join pg_namespace n on n.oid = c.relnamespace where {_SCOPE}
""",
    "trigger": f"""
select n.nspname, c.relname, t.tgname, pg_get_triggerdef(t.oid),
  format('drop trigger %I on %s', t.tgname, t.tgrelid::regclass)
from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
where not t.tgisinternal and t.tgparentid = 0 and {_SCOPE}
""",
    "view": f"""
select n.nspname, '', c.relname,
  format(case c.relkind when 'v' then 'create view %s as %s' else 'create materialized view %s as %s' end,
    c.oid::regclass, pg_get_viewdef(c.oid)),
  format(case c.relkind when 'v' then 'drop view %s' else 'drop materialized view %s' end, c.oid::regclass)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('v', 'm') and {_SCOPE} and {_NOT_MEMBER.format("pg_class", "c")}
""",
    "foreign key": f"""
select n.nspname, c.relname, k.conname,
  format('alter table %s add constraint %I %s', k.conrelid::regclass, k.conname, pg_get_constraintdef(k.oid)),
  format('alter table %s drop constraint %I', k.conrelid::regclass, k.conname)
from pg_constraint k join pg_class c on c.oid = k.conrelid join pg_namespace n on n.oid = c.relnamespace
where k.contype = 'f' and k.conparentid = 0 and {_SCOPE}
""",
    "constraint": f"""
select n.nspname, c.relname, k.conname,
  format('alter table %s add constraint %I %s', k.conrelid::regclass, k.conname, pg_get_constraintdef(k.oid)),
  format('alter table %s drop constraint %I', k.conrelid::regclass, k.conname)
from pg_constraint k join pg_class c on c.oid = k.conrelid join pg_namespace n on n.oid = c.relnamespace
where k.contype in ('c', 'p', 'u', 'x') and k.conparentid = 0 and k.conislocal and {_SCOPE}
""",
    "index": f"""
select n.nspname, c.relname, x.relname, pg_get_indexdef(x.oid), format('drop index %s', x.oid::regclass)
from pg_index i join pg_class x on x.oid = i.indexrelid join pg_class c on c.oid = i.indrelid
join pg_namespace n on n.oid = c.relnamespace
where not x.relispartition and not exists (select from pg_constraint k where k.conindid = x.oid) and {_SCOPE}
""",
    "column": f"""
select n.nspname, c.relname, a.attname, '', format('alter table %s drop column %I', c.oid::regclass, a.attname)
from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p') and a.attnum > 0 and not a.attisdropped and a.attislocal and {_SCOPE}
""",
    "table": f"""
select n.nspname, '', c.relname, '', format('drop table %s', c.oid::regclass)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p') and {_SCOPE} and {_NOT_MEMBER.format("pg_class", "c")}
""",
    "function": f"""
select n.nspname, '', p.oid::regprocedure::text, pg_get_functiondef(p.oid),
  format(case p.prokind when 'p' then 'drop procedure %s' else 'drop function %s' end, p.oid::regprocedure)
from pg_proc p join pg_namespace n on n.oid = p.pronamespace
where p.prokind <> 'a' and {_SCOPE} and {_NOT_MEMBER.format("pg_proc", "p")}
""",
    "sequence": f"""
select n.nspname, '', c.relname, '', format('drop sequence if exists %s', c.oid::regclass)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'S' and {_SCOPE}
""",
    "type": f"""
select n.nspname, '', t.typname, '',
  format(case t.typtype when 'd' then 'drop domain %s' else 'drop type %s' end, t.oid::regtype)
from pg_type t join pg_namespace n on n.oid = t.typnamespace
where (t.typtype in ('e', 'd', 'r') or t.typrelid in (select oid from pg_class where relkind = 'c')) and {_SCOPE}
  and {_NOT_MEMBER.format("pg_type", "t")}
""",
    "schema": f"""
select n.nspname, '', '', format('create schema %I', n.nspname), format('drop schema %I', n.nspname)
from pg_namespace n where {_SCOPE}
""",
}

#: What a column says beside its existence, each with the statement that makes it so.
_COLUMN_STATES: Final = f"""
select n.nspname, c.relname, a.attname,
  format('alter table %s alter column %I type %s', c.oid::regclass, a.attname, format_type(a.atttypid, a.atttypmod)),
  format('alter table %s alter column %I %s', c.oid::regclass, a.attname,
    case when a.attnotnull then 'set not null' else 'drop not null' end),
  case when a.attgenerated <> '' then '' when d.adbin is null
    then format('alter table %s alter column %I drop default', c.oid::regclass, a.attname)
    else format('alter table %s alter column %I set default %s', c.oid::regclass, a.attname,
      pg_get_expr(d.adbin, d.adrelid))
  end
from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
where c.relkind in ('r', 'p') and a.attnum > 0 and not a.attisdropped and a.attislocal and {_SCOPE}
"""


#: What can be renamed, by what stays the same: OID and, of columns, number; the name, and the statement that gives it.
_NAMES: Final = f"""
select c.oid::bigint, 0, c.relname::text, 'alter table %s rename to %I', c.oid::regclass::text
from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relkind in ('r', 'p', 'v', 'm', 'S') and {_SCOPE}
union all
select c.oid::bigint, 0, c.relname::text, 'alter index %s rename to %I', c.oid::regclass::text
from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relkind in ('i', 'I') and {_SCOPE}
union all
select c.oid::bigint, a.attnum::int, a.attname::text, 'alter table %s rename column %I to %I', c.oid::regclass::text
from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p') and a.attnum > 0 and not a.attisdropped and a.attislocal and {_SCOPE}
"""

#: OID and number -> name, statement, the relation as SQL writes it.
_Names = dict[tuple[int, int], tuple[str, str, str]]


class Definitions(Struct, frozen=True):
    """The objects of a database, as their server writes them down.

    Attributes:
        objects: what there is.
        columns: of each column its type, NOT NULL and default, as statements that make it so.
        names: of what can be renamed.
    """

    objects: dict[Key, Definition]
    columns: dict[Key, tuple[str, str, str]]
    names: _Names


class Restoration(Struct, frozen=True):
    """What turns the present state back.

    Attributes:
        statements: in this order.
        lost: what no statement brings back, in words.
    """

    statements: tuple[str, ...]
    lost: tuple[str, ...]


async def read_definitions(connection: AsyncConnection[Any]) -> Definitions:
    """The definitions of what is in the database. Names are qualified throughout.

    Raises:
        psycopg.Error: the connection is lost, or a lock stands in the way.
    """
    async with connection.transaction():
        await connection.execute(b"set local search_path = pg_catalog")
        # pg_get_viewdef waits for whoever has locked a table that the view reads.
        await connection.execute(b"set local lock_timeout = '2s'")
        objects = dict[Key, Definition]()
        for kind, query in _QUERIES.items():
            for schema, table, name, make, drop in await _rows(connection, query):
                objects[kind, schema, table, name] = Definition(make, drop)
        columns: dict[Key, tuple[str, str, str]] = {}
        for schema, table, name, kind, null, default in await _rows(connection, _COLUMN_STATES):
            columns["column", schema, table, name] = (kind, null, default)
        names: _Names = {}
        for oid, number, name, statement, relation in await _rows(connection, _NAMES):
            names[oid, number] = (name, statement, relation)
    return Definitions(objects, columns, names)


def renamings(before: Definitions, now: Definitions) -> tuple[str, ...]:
    """The statements that give back their names to what was renamed, columns before the tables they are in."""
    statements = []
    for key in sorted(before.names.keys() & now.names.keys(), key=lambda key: (-key[1], key[0])):
        (was, _, _), (name, statement, relation) = before.names[key], now.names[key]
        if was != name:
            old = [quote_identifier(name)] if key[1] else []
            parts = iter([*old, quote_identifier(was)])
            statements.append("".join(_filled(statement, relation, parts)))
    return tuple(statements)


def _filled(statement: str, relation: str, names: Iterator[str]) -> Iterator[str]:
    """The pieces of a statement with its places filled in."""
    for piece in re.split("(%[sI])", statement):
        yield relation if piece == "%s" else next(names) if piece == "%I" else piece


async def _rows(connection: AsyncConnection[Any], query: str) -> list[tuple[Any, ...]]:
    return await (await connection.execute(query.encode())).fetchall()


def restoration(before: Definitions, now: Definitions) -> Restoration:
    """The statements that make the objects of ``now`` those of ``before`` again."""
    kinds = list(_QUERIES)
    new = [key for key in now.objects if key not in before.objects]
    gone = [key for key in before.objects if key not in now.objects]
    other = [key for key, one in before.objects.items() if key in now.objects and one.make != now.objects[key].make]
    dropped = {(key[1], key[3]) for key in new if key[0] == "table"}
    statements = [
        now.objects[key].drop
        for key in sorted({*new, *other}, key=lambda key: kinds.index(key[0]))
        # What belongs to a new table goes with it; a function is replaced in its place.
        if not (key[2] and (key[1], key[2]) in dropped) and not (key in other and key[0] == "function")
    ]
    statements += _columns_back(before, now)
    lost = list[str]()
    for key in sorted([*gone, *other], key=lambda key: -kinds.index(key[0])):
        if before.objects[key].make:
            statements.append(before.objects[key].make)
        elif key in gone:
            lost.append(
                f"the {key[0]} {'.'.join(quote_identifier(part) for part in key[1:] if part)} is gone with its data"
            )
    return Restoration(tuple(statements), tuple(lost))


def _columns_back(before: Definitions, now: Definitions) -> list[str]:
    """Type, NOT NULL and default of the columns that were there before, where they are not as they were."""
    statements = []
    for key, was in before.columns.items():
        present = now.columns.get(key, was)
        statements += [old for old, new in zip(was, present, strict=True) if old != new and old]
    return statements
