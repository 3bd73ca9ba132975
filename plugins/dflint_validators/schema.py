"""Whether the schema is whole: nothing invalid, half done or switched off, and every function still compiles."""

from __future__ import annotations

from dflint.plugin.validators import APPLICATION_SCHEMAS, QueryError, Situation, Validator, Verdict
from dflint_validators.scope import in_scope, listed

_NOTED = "schema_integrity"


def _defects(scope: str) -> str:
    return f"""
select 'the index ' || x.oid::regclass || ' is invalid: a build failed or was cancelled; drop it or build it again'
from pg_index i join pg_class x on x.oid = i.indexrelid join pg_class c on c.oid = i.indrelid
join pg_namespace n on n.oid = c.relnamespace
where not (i.indisvalid and i.indisready and i.indislive) and {scope}
union all
select 'the constraint ' || quote_ident(k.conname) || ' of ' || c.oid::regclass
       || ' is NOT VALID: rows from before it are unchecked; VALIDATE CONSTRAINT'
from pg_constraint k join pg_class c on c.oid = k.conrelid join pg_namespace n on n.oid = c.relnamespace
where not k.convalidated and {scope}
union all
select 'the trigger ' || quote_ident(t.tgname) || ' of ' || c.oid::regclass || ' is disabled; ENABLE TRIGGER'
from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
where t.tgenabled = 'D' and {scope}
order by 1
"""


#: DETACH PARTITION ... CONCURRENTLY exists since 14.
def _half_detached(scope: str) -> str:
    return f"""
select 'the partition ' || c.oid::regclass || ' is half detached; DETACH PARTITION ... FINALIZE'
from pg_inherits h join pg_class c on c.oid = h.inhrelid join pg_namespace n on n.oid = c.relnamespace
where h.inhdetachpending and {scope}
order by 1
"""


_FUNCTIONS = f"""
select p.oid, p.oid::regprocedure::text, l.lanname from pg_proc p
join pg_language l on l.oid = p.prolang join pg_namespace n on n.oid = p.pronamespace
where l.lanname in ('sql', 'plpgsql') and {APPLICATION_SCHEMAS}
order by 2
"""


async def _found(situation: Situation) -> list[str]:
    scope = in_scope(situation)
    rows = [*await situation.queries.rows(_defects(scope)), *await situation.queries.rows(_half_detached(scope))]
    return [str(text) for (text,) in rows] + await _not_compiling(situation)


async def _not_compiling(situation: Situation) -> list[str]:
    """Functions whose body its language's own validator refuses: of SQL functions every name is looked up."""
    found = []
    for oid, signature, language in await situation.queries.rows(_FUNCTIONS):
        validator = "fmgr_sql_validator" if language == "sql" else "plpgsql_validator"
        try:
            await situation.queries.rows(f"select pg_catalog.{validator}({int(oid)})")
        except QueryError as error:
            if error.sqlstate == "":
                raise
            if error.sqlstate != "42501":
                found.append(f"the function {signature} fails: {error}")
    return found


async def _whole(situation: Situation) -> Verdict:
    found = await _found(situation)
    situation.memory[_NOTED] = found
    if found:
        return Verdict(False, listed(found, 1), {"defects": found})
    return Verdict(True, "no invalid index, unchecked constraint, disabled trigger or broken function")


async def _note(situation: Situation) -> Verdict:
    if _NOTED not in situation.memory:
        situation.memory[_NOTED] = await _found(situation)
    return Verdict(True, "noted")


async def _nothing_new(situation: Situation) -> Verdict:
    before = set(situation.memory.get(_NOTED, ()))
    found = await _found(situation)
    new = [defect for defect in found if defect not in before]
    if new:
        return Verdict(False, listed(new, 1), {"defects": new, "from_before": sorted(before)})
    return Verdict(True, "the migration left nothing invalid or broken", {"from_before": sorted(before)})


SCHEMA_INTEGRITY = Validator("schema_integrity", _whole)
SCHEMA_VALIDATION = Validator("schema_validation", _nothing_new, before=_note)
