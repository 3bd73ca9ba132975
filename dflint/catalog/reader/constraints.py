"""Constraints of tables and domains."""

from __future__ import annotations

from typing import Final

from dflint.catalog.reader.columns import UNREADABLE
from dflint.catalog.reader.deparse import Request
from dflint.catalog.reader.indexes import IndexBuilder
from dflint.catalog.reader.pieces import fetch_by_oids, fetch_by_range, within
from dflint.catalog.reader.session import SQL, ReaderSession, Row, since
from dflint.catalog.reader.sources import Sources
from dflint.catalog.reader.texts import Texts
from dflint.model.schema import Action, Constraint, IndexElement

#: Contents of NOT NULL constraints, which are many from PostgreSQL 18 on, have a query of their own.
_NOT_NULLS: Final = SQL(
    """
    SELECT conrelid, conname, conkey[1], convalidated, conislocal, coninhcount::pg_catalog.int4, connoinherit
    FROM pg_catalog.pg_constraint WHERE conrelid = ANY (%s::pg_catalog.oid[]) AND contype = 'n'
    """
)
_CONSTRAINTS: Final = SQL(
    """
    SELECT c.oid, c.conrelid, c.conname, c.contype, c.conkey, c.condeferrable, c.condeferred, c.convalidated,
           c.conislocal, c.coninhcount::pg_catalog.int4, c.connoinherit, c.conindid, c.confrelid, c.confkey,
           c.confmatchtype, c.confdeltype, c.confupdtype, {set_columns}, {enforced}, {period}, c.conparentid
    FROM pg_catalog.pg_constraint c
    WHERE c.conrelid = ANY (%s::pg_catalog.oid[]) AND c.contype IN ('c', 'f', 'p', 'u', 'x')
    """
)
_DOMAIN_CONSTRAINTS: Final = SQL(
    """
    SELECT contypid, conname, contype, convalidated, pg_catalog.pg_get_constraintdef(oid)
    FROM pg_catalog.pg_constraint
    WHERE contypid <> 0 AND {within}
    """
)
_EXCLUSION_OPERATORS: Final = SQL(
    """
    SELECT c.oid, o.oprname, o.oprnamespace
    FROM pg_catalog.pg_constraint c
    CROSS JOIN LATERAL pg_catalog.unnest(c.conexclop) WITH ORDINALITY AS x (operator, place)
    JOIN pg_catalog.pg_operator o ON o.oid = x.operator
    WHERE c.contype = 'x' ORDER BY c.oid, x.place
    """
)
CHECKS: Final = "CHECK constraints"
CHECKS_QUERY: Final = SQL(
    """
    SELECT c.oid, pg_catalog.pg_get_expr(c.conbin, c.conrelid) FROM pg_catalog.pg_constraint c
    WHERE c.oid = ANY (%s::pg_catalog.oid[])
    """
)

ACTIONS: Final[dict[str, Action]] = {
    "a": "no_action",
    "r": "restrict",
    "c": "cascade",
    "n": "set_null",
    "d": "set_default",
}
MATCHES: Final = {"s": "simple", "f": "full", "p": "partial"}
_KEYS: Final = {"p": "primary_key", "u": "unique", "x": "exclusion"}


class ConstraintRows:
    """What the server says of constraints."""

    def __init__(self, not_nulls: list[Row], others: list[Row], domains: list[Row], operators: list[Row]) -> None:
        self.not_nulls = not_nulls
        self.others = others
        self.domains = domains
        self.operators: dict[int, list[tuple[int, str]]] = {}
        for oid, name, schema in operators:
            self.operators.setdefault(oid, []).append((schema, name))

    def requests(self) -> list[Request]:
        """The CHECK constraints of tables, whose expressions are to be printed."""
        return [Request(row[0], (row[1],)) for row in self.others if row[3] == "c"]


async def read_constraints(session: ReaderSession, oids: list[int], places: list[int]) -> ConstraintRows:
    """The constraints of the tables with these OIDs, and of all domains."""
    version = session.version
    query = _CONSTRAINTS.format(
        set_columns=since(version, 15, "c.confdelsetcols", "NULL::pg_catalog.int2[]"),
        enforced=since(version, 18, "c.conenforced", "true"),
        period=since(version, 18, "c.conperiod", "false"),
    )
    of_domains = _DOMAIN_CONSTRAINTS.format(within=within("oid", places))
    not_nulls, others, domains = await session.together(
        fetch_by_oids(session, "NOT NULL constraints", _NOT_NULLS, oids if version >= 18 else []),
        fetch_by_oids(session, "constraints", query, oids),
        fetch_by_range(session, "constraints of domains", of_domains, places),
    )
    operators: list[Row] = []
    if any(row[3] == "x" for row in others):
        operators = await session.fetch_or_note("operators of exclusion constraints", _EXCLUSION_OPERATORS)
    return ConstraintRows(not_nulls, others, domains, operators)


class ConstraintBuilder:
    """Makes constraints out of rows."""

    def __init__(self, sources: Sources, indexes: IndexBuilder) -> None:
        self._names, _, self._columns, self._texts, self._deparsed = sources
        self._indexes = indexes

    def build(self, rows: ConstraintRows) -> dict[int, tuple[Constraint, ...]]:
        """Table -> its constraints, by name."""
        listed: dict[int, list[Constraint]] = {}
        columns = self._columns
        for relation, name, number, validated, local, inherited, no_inherit in rows.not_nulls:
            key = (columns[relation][number],)
            if validated and local and not inherited and not no_inherit:
                constraint = Constraint("not_null", name, key)
            else:
                constraint = Constraint(
                    "not_null",
                    name,
                    key,
                    validated=validated,
                    local=local,
                    inherited=inherited,
                    no_inherit=no_inherit,
                )
            listed.setdefault(relation, []).append(constraint)
        tables = {row[0]: row[1] for row in rows.others}
        for row in rows.others:
            if row[20] and tables.get(row[20]) == row[1]:
                # A foreign key to a partitioned table has such parts, one for each partition.
                continue
            listed.setdefault(row[1], []).append(self._constraint(row, rows))
        return {
            relation: tuple(sorted(constraints, key=lambda each: each.name or ""))
            for relation, constraints in listed.items()
        }

    def _constraint(self, row: Row, rows: ConstraintRows) -> Constraint:
        kind = row[3]
        if kind == "f":
            return self._foreign_key(row)
        if kind == "c":
            return self._check(row)
        return self._key(row, rows)

    def _names_of(self, relation: int, numbers: list[int] | None) -> tuple[str, ...]:
        if not numbers:
            return ()
        of_relation = self._columns.get(relation, {})
        return tuple([of_relation.get(number, "?") for number in numbers])

    def _foreign_key(self, row: Row) -> Constraint:
        _oid, relation, name, _kind, key, deferrable, deferred, validated, local, inherited = row[:10]
        referenced, referenced_key, match, on_delete, on_update, set_columns, enforced, period = row[12:20]
        return Constraint(
            "foreign_key",
            name,
            self._names_of(relation, key),
            references=self._names.relations.get(referenced),
            referenced_columns=self._names_of(referenced, referenced_key),
            match=MATCHES[match],  # type: ignore[arg-type]  # values of the Literal
            on_delete=ACTIONS[on_delete],
            on_update=ACTIONS[on_update],
            set_columns=self._names_of(relation, set_columns),
            deferrable=deferrable,
            initially_deferred=deferred,
            validated=validated,
            enforced=enforced,
            without_overlaps=period,
            local=local,
            inherited=inherited,
        )

    def _check(self, row: Row) -> Constraint:
        oid, relation, name, _kind, key, _deferrable, _deferred, validated, local, inherited, no_inherit = row[:11]
        expression = self._texts.expression(self._deparsed.text(CHECKS, oid))
        columns = expression.columns() if expression is not None else self._names_of(relation, key)
        return Constraint(
            "check",
            name,
            columns,
            expression=expression if expression is not None else UNREADABLE,
            validated=validated,
            enforced=row[18],
            no_inherit=no_inherit,
            local=local,
            inherited=inherited,
        )

    def _key(self, row: Row, rows: ConstraintRows) -> Constraint:
        """A primary key, unique or exclusion constraint; most of what it says is its index's."""
        oid, relation, name, kind, key, deferrable, deferred = row[:7]
        local, inherited, index = row[8], row[9], row[11]
        exclusion = kind == "x"
        behind = self._indexes.indexes.get(index)
        elements: tuple[IndexElement, ...] = ()
        if exclusion and behind is not None:
            behind = self._indexes.with_operators(index, rows.operators.get(oid, ()))
            elements = behind.elements
        return Constraint(
            _KEYS[kind],  # type: ignore[arg-type]  # values of the Literal
            name,
            self._names_of(relation, [number for number in key if number] if exclusion else key),
            deferrable=deferrable,
            initially_deferred=deferred,
            index=self._names.relations.get(index),
            include=behind.include if behind is not None else (),
            nulls_not_distinct=behind is not None and behind.nulls_not_distinct,
            without_overlaps=row[19],
            elements=elements,
            method=behind.method if exclusion and behind is not None else None,
            where=behind.where if exclusion and behind is not None else None,
            local=local,
            inherited=inherited,
        )


def domain_constraint(name: str, kind: str, validated: bool, definition: str, texts: Texts) -> Constraint:
    """A constraint of a domain, from its printed definition."""
    if kind == "n":
        return Constraint("not_null", name)
    body = definition.removesuffix(" NOT VALID").removeprefix("CHECK ")
    expression = texts.expression(body)
    columns = expression.columns() if expression is not None else ()
    # A domain's value is called VALUE, which looks like a column.
    named = tuple([column for column in columns if column != "value"])
    return Constraint("check", name, named, expression=expression, validated=validated)
