"""Conditions about what a publication has, and what ALTER PUBLICATION wants to add or drop."""

from __future__ import annotations

from dflint.facts.condition import BOOL, Condition
from dflint.facts.object_roles import published_children
from dflint.model.catalog import UNKNOWN, Publication, Unknown
from dflint.model.context import Context
from dflint.model.names import Name

Answer = bool | Unknown


def _publication(context: Context) -> Publication | Unknown | None:
    target, catalog = context.operation.target, context.catalog
    if target is None:
        return None
    return catalog.publications.get(target.name, None if catalog.closed else UNKNOWN)


def _listed(context: Context) -> set[Name | str]:
    """The tables, with the children of those without ONLY, and the schemas that the statement lists."""
    tables = (context.resolve(name) for name in getattr(context.operation, "tables", ()))
    return {*tables, *published_children(context), *getattr(context.operation, "schemas", ())}


def member_already(context: Context) -> Answer:
    """ALTER PUBLICATION … ADD: the publication has one of the tables or schemas already."""
    found = _publication(context)
    if not isinstance(found, Publication):
        return UNKNOWN if found is UNKNOWN else False
    return not _listed(context).isdisjoint((*found.tables, *found.schemas))


def member_missing(context: Context) -> Answer:
    """ALTER PUBLICATION … DROP: the publication lacks one of the tables or schemas."""
    found = _publication(context)
    if not isinstance(found, Publication):
        return UNKNOWN if found is UNKNOWN else False
    return not _listed(context) <= {*found.tables, *found.schemas}


def publishes_all(context: Context) -> Answer:
    """The publication is FOR ALL TABLES."""
    found = _publication(context)
    return found.all_tables if isinstance(found, Publication) else UNKNOWN if found is UNKNOWN else False


def tables_exist(context: Context) -> Answer:
    """All tables that CREATE or ALTER PUBLICATION lists exist."""
    answers = [context.relation(name) for name in getattr(context.operation, "tables", ())]
    return False if None in answers else UNKNOWN if UNKNOWN in answers else True


CONDITIONS: tuple[Condition, ...] = (
    Condition("publication.has_already", BOOL, member_already, "what {target} publishes"),
    Condition("publication.lacks", BOOL, member_missing, "what {target} publishes"),
    Condition("publication.all_tables", BOOL, publishes_all, "what {target} publishes"),
    Condition("listed.exist", BOOL, tables_exist, "the tables listed"),
)
