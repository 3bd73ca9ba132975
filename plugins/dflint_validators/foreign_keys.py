"""Whether every foreign key's rows have the row they point to."""

from __future__ import annotations

from dflint.model.quoting import quote_identifier
from dflint.plugin.validators import Situation, Validator, Verdict
from dflint_validators.scope import in_scope, listed, quoted


def _keys(scope: str, referenced: str) -> str:
    return f"""
select n.nspname, c.relname, k.conname, rn.nspname, r.relname, k.confmatchtype::text,
  array(select a.attname::text from unnest(k.conkey) with ordinality u(num, place)
        join pg_attribute a on a.attrelid = k.conrelid and a.attnum = u.num order by u.place),
  array(select a.attname::text from unnest(k.confkey) with ordinality u(num, place)
        join pg_attribute a on a.attrelid = k.confrelid and a.attnum = u.num order by u.place)
from pg_constraint k
join pg_class c on c.oid = k.conrelid join pg_namespace n on n.oid = c.relnamespace
join pg_class r on r.oid = k.confrelid join pg_namespace rn on rn.oid = r.relnamespace
where k.contype = 'f' and k.conparentid = 0 and (({scope}) or ({referenced}))
order by 1, 2, 3
"""


def _orphans(child: str, parent: str, columns: list[str], keys: list[str], match: str) -> str:
    """Rows that the key forbids. With MATCH FULL half a NULL is forbidden too, otherwise one NULL frees the row."""
    own = [f"c.{quote_identifier(name)}" for name in columns]
    pairs = " and ".join(f"p.{quote_identifier(key)} = {mine}" for key, mine in zip(keys, own, strict=True))
    missing = f"not exists (select from {parent} p where {pairs})"
    all_set = " and ".join(f"{mine} is not null" for mine in own)
    condition = f"({all_set}) and {missing}"
    if match == "f":
        half = " or ".join(f"{mine} is null" for mine in own)
        some = " or ".join(f"{mine} is not null" for mine in own)
        condition = f"({condition}) or (({half}) and ({some}))"
    return f"select count(*) from {child} c where {condition}"


async def orphans(situation: Situation) -> list[str]:
    """What is wrong with the foreign keys of the tables in scope, in either direction.

    Raises:
        QueryError: a query failed or took too long.
    """
    found = []
    for schema, table, name, its_schema, its_table, match, columns, keys in await situation.queries.rows(
        _keys(in_scope(situation), in_scope(situation, "rn", "r"))
    ):
        child, parent = quoted((schema, table)), quoted((its_schema, its_table))
        count = (await situation.queries.rows(_orphans(child, parent, columns, keys, match)))[0][0]
        if count:
            found.append(f"{count} rows of {child} point to no row of {parent} ({name})")
    return found


async def _consistent(situation: Situation) -> Verdict:
    found = await orphans(situation)
    if found:
        return Verdict(False, listed(found, 2), {"orphans": found})
    return Verdict(True, "every foreign key finds its row")


FOREIGN_KEY_CONSISTENCY = Validator("foreign_key_consistency", _consistent)
