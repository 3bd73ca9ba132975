"""The tables that a plan touches: whether they are fit for it, and whether this role may change them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from psycopg import AsyncConnection
from psycopg.rows import tuple_row

from dflint.guard.concerns import Concern
from dflint.model import names
from dflint.model.locks import MODES, blocks_writes, stronger
from dflint.model.names import Name
from dflint.model.operations.data import Delete
from dflint.model.operations.indexes import CreateIndex
from dflint.model.operations.session import SetVariable
from dflint.model.operations.tables import AlterTableOperation
from dflint.model.plan import Plan, Step
from dflint.planning.statements import operations_of


class Touched(Struct, frozen=True, kw_only=True):
    """A table, materialized view or partition that exists and that the plan locks, itself or by an index of it.

    Attributes:
        mode: the strongest lock on it in the whole plan.
        bytes: with its indexes and TOAST, without partitions.
        owned: this role may alter it.
        frozen_age: transactions since its oldest row was frozen; None where that is not kept.
    """

    oid: int
    schema: str
    name: str
    mode: str
    bytes: int
    owned: bool
    frozen_age: int | None


def stops_others(step: Step) -> bool:
    """Whether readers or writers have to wait for the step, as far as is known."""
    return step.lock_class in {"writes", "reads"} or any(map(blocks_writes, step.locks.values()))


_TABLES = b"""
    SELECT c.oid::bigint, n.nspname::text, c.relname::text, array_agg(w.mode),
           CASE WHEN c.relkind IN ('r', 'm', 't') THEN pg_catalog.pg_total_relation_size(c.oid) ELSE 0 END::bigint,
           pg_catalog.pg_has_role(c.relowner, 'USAGE'),
           CASE WHEN c.relfrozenxid <> '0'::xid THEN pg_catalog.age(c.relfrozenxid) END
      FROM unnest(%s::text[], %s::text[], %s::text[]) AS w (schema, name, mode)
      JOIN pg_catalog.pg_namespace wn ON wn.nspname = w.schema
      JOIN pg_catalog.pg_class wc ON wc.relnamespace = wn.oid AND wc.relname = w.name
      LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = wc.oid
      JOIN pg_catalog.pg_class c ON c.oid = coalesce(i.indrelid, wc.oid)
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p', 'm')
     GROUP BY c.oid, n.nspname
     ORDER BY n.nspname, c.relname
    """


async def touched_tables(connection: AsyncConnection[Any], plan: Plan) -> tuple[Touched, ...]:
    """The tables that exist now and that the plan locks."""
    wanted = []
    for step in plan.steps:
        locks = dict(step.locks)
        if step.backfill is not None:
            locks.setdefault(step.backfill.table, "ROW EXCLUSIVE")
        for printed, mode in locks.items():
            identity = names.Identity.parse(printed)
            if len(identity.parts) == 2 and mode in MODES:
                wanted.append((*identity.parts, mode))
    if not wanted:
        return ()
    cursor = connection.cursor(row_factory=tuple_row)
    await cursor.execute(_TABLES, [list(column) for column in zip(*wanted, strict=True)])
    found = []
    for oid, schema, name, modes, size, owned, age in await cursor.fetchall():
        mode = modes[0]
        for other in modes[1:]:
            mode = stronger(mode, other)
        found.append(Touched(oid=oid, schema=schema, name=name, mode=mode, bytes=size, owned=owned, frozen_age=age))
    return tuple(found)


_INVALID = b"""
    SELECT n.nspname || '.' || t.relname,
           array_agg(CASE WHEN i.indrelid = t.oid THEN '' ELSE 'pg_toast.' END || x.relname ORDER BY x.relname)
      FROM pg_catalog.pg_class t
      JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
      JOIN pg_catalog.pg_index i ON i.indrelid IN (t.oid, t.reltoastrelid)
      JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
     WHERE t.oid = ANY (%s::oid[]) AND x.relkind = 'i' AND NOT (i.indisvalid AND i.indisready AND i.indislive)
     GROUP BY 1 ORDER BY 1
    """
_DETACHING = b"""
    SELECT i.inhrelid::regclass::text, i.inhparent::regclass::text FROM pg_catalog.pg_inherits i
     WHERE (i.inhparent = ANY (%(oids)s::oid[]) OR i.inhrelid = ANY (%(oids)s::oid[])) AND i.inhdetachpending ORDER BY 1
    """


async def table_concerns(connection: AsyncConnection[Any], tables: Sequence[Touched]) -> list[Concern]:
    """What stopped migrations have left, and tables that are about to be vacuumed against wraparound."""
    oids = [table.oid for table in tables]
    cursor = connection.cursor(row_factory=tuple_row)
    found = []
    await cursor.execute(_INVALID, [oids])
    for table, indexes in await cursor.fetchall():
        found.append(
            Concern(
                kind="invalid_index",
                severity="warn",
                message=f"{table} has indexes that are not valid: {', '.join(indexes)}: every writer pays for them, "
                "and no query uses them",
                remedy="DROP INDEX CONCURRENTLY, unless somebody is building them now",
            )
        )
    await cursor.execute(_DETACHING, {"oids": oids})
    for partition, parent in await cursor.fetchall():
        found.append(
            Concern(
                kind="detach_pending",
                severity="warn",
                message=f"{partition} is half detached from {parent}",
                remedy=f"ALTER TABLE {parent} DETACH PARTITION {partition} FINALIZE",
            )
        )
    row = await (
        await cursor.execute(
            "SELECT setting::bigint FROM pg_catalog.pg_settings WHERE name = 'autovacuum_freeze_max_age'"
        )
    ).fetchone()
    limit = None if row is None else row[0]
    due = [table for table in tables if limit is not None and table.frozen_age is not None and table.frozen_age > limit]
    return found + [
        Concern(
            kind="wraparound_due",
            severity="warn",
            message=f"{table.schema}.{table.name} is {table.frozen_age} transactions old: autovacuum may begin at any "
            "moment to prevent wraparound, and then gives way to nobody",
            remedy=f"VACUUM (FREEZE) {table.schema}.{table.name} before",
        )
        for table in due
    ]


async def privilege_concerns(connection: AsyncConnection[Any], plan: Plan, tables: Sequence[Touched]) -> list[Concern]:
    """What this role will not be let do, as far as can be told: triggers and routines may do more."""
    found = []
    for step in plan.steps:
        if "role" in step.settings or "session_authorization" in step.settings:
            # Another role acts.
            continue
        if step.backfill is not None:
            found += await _may_change(connection, step)
        elif step.kind in {"tx", "nontx"}:
            foreign = _altered(step, [table for table in tables if not table.owned])
            found += [
                Concern(
                    kind="privileges",
                    severity="refuse",
                    message=f"this role does not own {table}, which step {step.id} alters",
                    remedy="execute as the owner, or as a member of the owner",
                )
                for table in foreign
            ]
    return found


def _altered(step: Step, tables: Sequence[Touched]) -> list[str]:
    """Which of the tables the step's own text alters, as the role that it is executed as."""
    locked = {tuple(names.Identity.parse(printed).parts) for printed in step.locks}
    targets = set()
    for operation in operations_of(step.sql):
        if isinstance(operation, SetVariable) and operation.name in {"role", "session_authorization"}:
            break
        alters = isinstance(operation, AlterTableOperation | CreateIndex) and operation.target is not None
        if alters and not operation.inside and not operation.conditional:
            assert operation.target is not None
            targets.add(operation.target)
    return [
        f"{table.schema}.{table.name}"
        for table in tables
        if (table.schema, table.name) in locked
        and not targets.isdisjoint({Name(None, table.name), Name(table.schema, table.name)})
    ]


async def _may_change(connection: AsyncConnection[Any], step: Step) -> list[Concern]:
    assert step.backfill is not None
    schema, table = names.Identity.parse(step.backfill.table).parts
    deletes = any(isinstance(operation, Delete) for operation in operations_of(step.sql))
    verb = "delete" if deletes else "update"
    cursor = connection.cursor(row_factory=tuple_row)
    await cursor.execute(
        b"""SELECT pg_catalog.has_table_privilege(c.oid, 'SELECT')
                   AND CASE WHEN %(deletes)s THEN pg_catalog.has_table_privilege(c.oid, 'DELETE')
                            ELSE pg_catalog.has_any_column_privilege(c.oid, 'UPDATE') END,
                   pg_catalog.pg_has_role(c.relowner, 'USAGE'),
                   c.relreplident = 'n' OR c.relreplident = 'd' AND NOT EXISTS (
                       SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisprimary),
                   EXISTS (SELECT FROM pg_catalog.pg_publication_tables p JOIN pg_catalog.pg_publication u
                               ON u.pubname = p.pubname
                            WHERE p.schemaname = n.nspname AND p.tablename = c.relname
                              AND CASE WHEN %(deletes)s THEN u.pubdelete ELSE u.pubupdate END)
              FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname = %(schema)s AND c.relname = %(table)s""",
        {"schema": schema, "table": table, "deletes": deletes},
    )
    row = await cursor.fetchone()
    if row is None:
        return []
    may, owned, no_identity, published = row
    found = []
    if not may:
        found.append(
            Concern(
                kind="privileges",
                severity="refuse",
                message=f"this role may not read and {verb} {schema}.{table}, which step {step.id} does",
                remedy=f"GRANT SELECT, {verb.upper()} ON {schema}.{table} to this role",
            )
        )
    if not owned:
        found.append(
            Concern(
                kind="vacuum",
                severity="warn",
                message=f"this role does not own {schema}.{table}: the backfill of step {step.id} may not be able to "
                "vacuum it in between, and the table may grow to twice its size",
                remedy="execute as the owner; from 17 on GRANT MAINTAIN does too",
            )
        )
    if published and no_identity:
        found.append(
            Concern(
                kind="replica_identity",
                severity="refuse",
                message=f"{schema}.{table} is published with its {verb}s and has no replica identity: step {step.id} "
                "would fail",
                remedy=f"ALTER TABLE {schema}.{table} REPLICA IDENTITY USING INDEX …",
            )
        )
    return found
