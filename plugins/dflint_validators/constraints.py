"""Whether every constraint is checked and holds for every row."""

from __future__ import annotations

from dflint.plugin.validators import QueryError, Situation, Validator, Verdict
from dflint_validators.scope import in_scope, listed, quoted

_NOTED = "constraint_validation"


def _unchecked(scope: str) -> str:
    return f"""
select c.oid::regclass || ': ' || quote_ident(k.conname) || ' (' || pg_get_constraintdef(k.oid) || ')'
from pg_constraint k join pg_class c on c.oid = k.conrelid join pg_namespace n on n.oid = c.relnamespace
where not k.convalidated and k.conparentid = 0 and {scope}
union all
select c.oid::regclass || ': ' || quote_ident(k.conname) || ' rests on an invalid index'
from pg_constraint k join pg_index i on i.indexrelid = k.conindid join pg_class c on c.oid = k.conrelid
join pg_namespace n on n.oid = c.relnamespace
where k.contype in ('p', 'u', 'x') and not i.indisvalid and {scope}
order by 1
"""


def _checks(scope: str) -> str:
    return f"""
select n.nspname, c.relname, k.conname, pg_get_expr(k.conbin, k.conrelid)
from pg_constraint k join pg_class c on c.oid = k.conrelid join pg_namespace n on n.oid = c.relnamespace
where k.contype = 'c' and c.relkind in ('r', 'p') and k.conparentid = 0 and not c.relispartition and {scope}
order by 1, 2, 3
"""


async def violated_checks(situation: Situation) -> list[str]:
    """Check constraints that some row violates, also those NOT VALID, and such as triggers or restores slipped past.

    Raises:
        QueryError: a query failed or took too long.
    """
    found = []
    for schema, table, name, expression in await situation.queries.rows(_checks(in_scope(situation))):
        query = f"select count(*) from {quoted((schema, table))} where ({expression}) is false"
        try:
            count = (await situation.queries.rows(query))[0][0]
        except QueryError as error:
            raise QueryError(
                f"{quoted((schema, table))}: {name} cannot be looked at: {error}", error.sqlstate
            ) from error
        if count:
            found.append(f"{count} rows of {quoted((schema, table))} violate {name}")
    return found


async def _note(situation: Situation) -> Verdict:
    situation.memory[_NOTED] = [str(text) for (text,) in await situation.queries.rows(_unchecked(in_scope(situation)))]
    return Verdict(True, "noted")


async def _all_hold(situation: Situation) -> Verdict:
    unchecked = [str(text) for (text,) in await situation.queries.rows(_unchecked(in_scope(situation)))]
    before = set(situation.memory.get(_NOTED, ()))
    new = [each for each in unchecked if each not in before]
    violated = await violated_checks(situation)
    if new or violated:
        reasons = [f"not validated: {each}" for each in new] + violated
        return Verdict(False, listed(reasons, 2), {"not_validated": new, "violated": violated})
    return Verdict(True, "every constraint is validated and holds", {"from_before": sorted(before)})


CONSTRAINT_VALIDATION = Validator("constraint_validation", _all_hold, before=_note)
