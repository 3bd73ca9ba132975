"""Whether the rows are as they should be, and whether the migration lost or changed any that it should not."""

from __future__ import annotations

from typing import Any

from dflint.model.quoting import quote_identifier, quote_literal
from dflint.plugin.validators import Situation, TableName, Validator, Verdict
from dflint_validators.constraints import violated_checks
from dflint_validators.foreign_keys import orphans
from dflint_validators.scope import in_scope, listed, quoted

_NOTED = "data_integrity"

#: Rows of tables that nobody named are counted up to this many bytes in all.
_COUNTED_BYTES = 512 * 1024 * 1024

_OTHERS = """
select count(*) from pg_stat_activity
where datname = current_database() and backend_type = 'client backend' and application_name !~ '^dflint'
  and pid <> pg_backend_pid()
"""


# --- data_quality -----------------------------------------------------------------------------------------------------


def _owned_sequences(scope: str) -> str:
    return f"""
select n.nspname, c.relname, a.attname, s.oid::regclass::text,
  (select case when q.seqincrement > 0 then coalesce(pg_sequence_last_value(s.oid), q.seqstart - q.seqincrement) end
   from pg_sequence q where q.seqrelid = s.oid)
from pg_class s
join pg_depend d on d.classid = 'pg_class'::regclass and d.objid = s.oid and d.refclassid = 'pg_class'::regclass
  and d.deptype in ('a', 'i') and d.refobjsubid > 0
join pg_class c on c.oid = d.refobjid join pg_namespace n on n.oid = c.relnamespace
join pg_attribute a on a.attrelid = c.oid and a.attnum = d.refobjsubid
where s.relkind = 'S' and {scope}
order by 1, 2, 3
"""


async def _sequences_behind(situation: Situation) -> list[str]:
    found = []
    for schema, table, column, sequence, last in await situation.queries.rows(_owned_sequences(in_scope(situation))):
        if last is None:
            continue
        name = quote_identifier(column)
        largest = (await situation.queries.rows(f"select max({name}) from {quoted((schema, table))}"))[0][0]
        if largest is not None and isinstance(largest, int) and largest > last:
            found.append(
                f"the sequence {sequence} is at {last}, {quoted((schema, table))}.{name} at {largest}: "
                "the next rows will get keys that exist"
            )
    return found


def _unenforced_keys(scope: str) -> str:
    return f"""
select n.nspname, c.relname, x.relname,
  array(select a.attname::text from unnest(i.indkey::int2[]) with ordinality u(num, place)
        join pg_attribute a on a.attrelid = c.oid and a.attnum = u.num where u.place <= i.indnkeyatts order by u.place),
  i.indnkeyatts
from pg_index i join pg_class x on x.oid = i.indexrelid join pg_class c on c.oid = i.indrelid
join pg_namespace n on n.oid = c.relnamespace
where i.indisunique and not i.indisvalid and i.indpred is null and {scope}
order by 1, 2, 3
"""


async def _duplicates(situation: Situation) -> list[str]:
    """Duplicate keys under unique indexes that are invalid, and so do not keep them out."""
    found = []
    for schema, table, index, columns, keys in await situation.queries.rows(_unenforced_keys(in_scope(situation))):
        if len(columns) != keys:
            continue
        names = ", ".join(quote_identifier(column) for column in columns)
        present = " and ".join(f"{quote_identifier(column)} is not null" for column in columns)
        query = (
            f"select count(*) from (select from {quoted((schema, table))} where {present} "
            f"group by {names} having count(*) > 1) d"
        )
        count = (await situation.queries.rows(query))[0][0]
        if count:
            found.append(f"{count} keys of {quoted((schema, table))} ({names}) are there twice; {index} is invalid")
    return found


async def _quality(situation: Situation) -> Verdict:
    found = [
        *await violated_checks(situation),
        *await _duplicates(situation),
        *await _sequences_behind(situation),
    ]
    if found:
        return Verdict(False, listed(found, 2), {"problems": found})
    return Verdict(True, "no row violates a constraint, no key is there twice, no sequence is behind")


# --- data_integrity ---------------------------------------------------------------------------------------------------


def _tables(scope: str) -> str:
    return f"""
select n.nspname, c.relname, pg_table_size(c.oid) from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r' and c.relpersistence <> 't' and {scope}
order by 3, 1, 2
"""


def _columns(table: TableName) -> str:
    return f"""
select attname::text, format_type(atttypid, atttypmod) from pg_attribute
where attrelid = {_regclass(table)} and attnum > 0 and not attisdropped and attgenerated = ''
order by attname
"""


def _regclass(table: TableName) -> str:
    """The OID of a table, as SQL."""
    return f"{quote_literal(quoted(table))}::regclass"


def _checksum(table: TableName, columns: list[str]) -> str:
    """One number over the columns' values of all rows, whatever their order."""
    row = ", ".join(quote_identifier(name) for name in columns)
    return (
        f"select count(*), coalesce(sum(hashtextextended(row({row})::text, 0)::numeric), 0)::text from {quoted(table)}"
    )


async def _note(situation: Situation) -> Verdict:
    """Count the rows of all tables there is time for, and of those named take a checksum of each column."""
    queries, noted = situation.queries, dict[str, Any]()
    room, uncounted = _COUNTED_BYTES, list[str]()
    for schema, table, size in await queries.rows(_tables(in_scope(situation))):
        name = (schema, table)
        room -= size
        if room < 0 and not situation.tables:
            uncounted.append(quoted(name))
            continue
        noted[quoted(name)] = {
            "name": name,
            "rows": (await queries.rows(f"select count(*) from {quoted(name)}"))[0][0],
            "columns": dict(await queries.rows(_columns(name))) if situation.tables else {},
            "checksums": {},
        }
        for column in noted[quoted(name)]["columns"]:
            noted[quoted(name)]["checksums"][column] = (await queries.rows(_checksum(name, [column])))[0][1]
    others = (await queries.rows(_OTHERS))[0][0]
    situation.memory[_NOTED] = {"tables": noted, "others": others, "uncounted": uncounted}
    return Verdict(True, "noted")


async def _changed(situation: Situation) -> tuple[list[str], list[str]]:
    """What was lost or changed; and what cannot be told, because others were writing too."""
    noted = situation.memory[_NOTED]
    present = {quoted((s, t)) for s, t, _ in await situation.queries.rows(_tables(in_scope(situation)))}
    lost, unsure = list[str](), list[str]()
    for name, was in noted["tables"].items():
        if name not in present:
            if was["rows"]:
                unsure.append(f"{name} with {was['rows']} rows is no longer there")
            continue
        count = (await situation.queries.rows(f"select count(*) from {name}"))[0][0]
        if count < was["rows"]:
            text = f"{name} had {was['rows']} rows and has {count}"
            (unsure if noted["others"] and not situation.tables else lost).append(text)
        lost += await _changed_columns(situation, was)
    return lost, unsure + [f"{name} was too large to count" for name in noted["uncounted"]]


async def _changed_columns(situation: Situation, was: dict[str, Any]) -> list[str]:
    name: TableName = tuple(was["name"])
    now = dict(await situation.queries.rows(_columns(name))) if was["columns"] else {}
    may_change = set(situation.options.get("may_change", ()))
    found = []
    for column, checksum in was["checksums"].items():
        if now.get(column) != was["columns"][column] or column in may_change:
            continue
        if (await situation.queries.rows(_checksum(name, [column])))[0][1] != checksum:
            found.append(f"the values of {quoted(name)}.{quote_identifier(column)} changed")
    return found


async def _integrity(situation: Situation) -> Verdict:
    if _NOTED not in situation.memory:
        return Verdict(None, "the rows could not be counted before the migration: there is nothing to compare with")
    lost, unsure = await _changed(situation)
    found = [*lost, *await orphans(situation), *await violated_checks(situation)]
    details = {"problems": found, "not_judged": unsure}
    if found:
        return Verdict(False, listed(found, 2), details)
    return Verdict(True, "no row was lost, every key finds its row, every constraint holds", details)


DATA_QUALITY = Validator("data_quality", _quality)
DATA_INTEGRITY = Validator("data_integrity", _integrity, before=_note)
