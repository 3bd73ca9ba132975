"""Contexts built by hand, for tests of facts and rules."""

from __future__ import annotations

from typing import Any

from immutables import Map
from msgspec.structs import replace

from dflint.model.catalog import Catalog, Relation, Routine, UserType
from dflint.model.context import Context, Knowledge
from dflint.model.dependencies import links, type_links
from dflint.model.effect import Effect
from dflint.model.expressions import Expr, Type
from dflint.model.migration import Runner, Section, Span, Statement
from dflint.model.names import Name
from dflint.model.operations.base import Operation
from dflint.model.schema import Column
from dflint.model.session import Session, Setting, Transaction


class NoKnowledge:
    """Knows no effects."""

    def effect(self, operation: Operation, context: Context) -> Effect:
        return Effect()

    def locks(self, context: Context) -> tuple[tuple[Name, str], ...]:
        return ()

    def named_in_body(self, routine: Routine) -> tuple[Name, ...]:
        return ()

    def refusal(self, context: Context, phase: str) -> Effect | None:
        return None


def public(name: str) -> Name:
    return Name("public", name)


def builtin(name: str, *modifiers: str, dimensions: int = 0) -> Type:
    return Type(Name("pg_catalog", name), modifiers, dimensions)


def catalog_of(
    *relations: Relation, types: tuple[UserType, ...] = (), routines: tuple[Routine, ...] = (), closed: bool = False
) -> Catalog:
    known: dict[Name, Relation | None] = {relation.name: relation for relation in relations}
    own_types: dict[Name, UserType | None] = {each.name: each for each in types}
    own_routines: dict[Name, tuple[Routine, ...] | None] = {each.name: (each,) for each in routines}
    reverse: dict[str, dict[Name, tuple[Name, ...]]] = {}
    for relation in relations:
        for name, key in sorted(links(relation)):
            of_map = reverse.setdefault(name, {})
            of_map[key] = (*of_map.get(key, ()), relation.name)
    for each in types:
        for name, key in type_links(each):
            of_map = reverse.setdefault(name, {})
            of_map[key] = (*of_map.get(key, ()), each.name)
    catalog = Catalog(
        basis="replay",
        closed=closed,
        relations=Map(known),
        types=Map(own_types),
        routines=Map(own_routines),
    )
    maps: dict[str, Map[Name, tuple[Name, ...]]] = {name: Map(of_map) for name, of_map in reverse.items()}
    return replace(catalog, **maps)


def context_of(
    operation: Operation,
    catalog: Catalog | None = None,
    *,
    knowledge: Knowledge | None = None,
    beside: tuple[Operation, ...] = (),
    before: Catalog | None = None,
    created: frozenset[Name] = frozenset(),
    maybe_created: frozenset[Name] = frozenset(),
    settings: dict[str, str] | None = None,
    transaction: Transaction | None = None,
    version: int = 18,
) -> Context:
    catalog = catalog or Catalog()
    statement = Statement(0, 0, 0, (*beside, operation))
    return Context(
        operation=operation,
        statement=statement,
        section=Section("up", Span(0, 0)),
        runner=Runner("psql"),
        catalog=catalog,
        change_start=before if before is not None else catalog,
        created=created,
        maybe_created=maybe_created,
        session=Session(tuple((name, Setting(value)) for name, value in (settings or {}).items())),
        transaction=transaction or Transaction("none"),
        log=(),
        statements=(statement,),
        version=version,
        knowledge=knowledge or NoKnowledge(),
    )


def column(name: str, type_: Type | None = None, **fields: Any) -> Column:
    return Column(name, type_ or builtin("int4"), **fields)


def col(name: str) -> Expr:
    return Expr("column", Name(None, name))


def constant(value: str | bool) -> Expr:
    return Expr("constant", value=value)


def call(name: str, *args: Expr, schema: str | None = None) -> Expr:
    return Expr("function", Name(schema, name), args)


def operator(symbol: str, *args: Expr) -> Expr:
    return Expr("operator", Name(None, symbol), args)
