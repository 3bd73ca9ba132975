"""Conditions about objects beside tables: domains, triggers, rules, policies, types, storage."""

from __future__ import annotations

from collections.abc import Callable

from dflint.facts.condition import BOOL, Condition
from dflint.model.catalog import UNKNOWN, Domain, Index, Table, Unknown
from dflint.model.context import Context

Answer = bool | Unknown

#: Storage parameters that are changed under ACCESS EXCLUSIVE.
_STRONG = frozenset(
    {"user_catalog_table", "autosummarize", "fastupdate", "pages_per_range", "gin_pending_list_limit", "buffering"}
)


def options_strong(context: Context) -> bool:
    """SET (…) or RESET (…): one of the parameters is changed under ACCESS EXCLUSIVE."""
    return any(name in _STRONG for name, _ in getattr(context.operation, "options", ()))


def tablespace_same(context: Context) -> Answer:
    """SET TABLESPACE: the relation is there already."""
    found = None if context.operation.target is None else context.relation(context.operation.target)
    wanted = getattr(context.operation, "tablespace", None)
    if isinstance(found, (Table, Index)):
        return (found.tablespace or "pg_default") == wanted if context.catalog.closed else UNKNOWN
    return UNKNOWN if found is UNKNOWN else False


def access_method_same(context: Context) -> Answer:
    """SET ACCESS METHOD: the relation uses it already."""
    found = None if context.operation.target is None else context.relation(context.operation.target)
    wanted = getattr(context.operation, "method", None) or "heap"
    if found is UNKNOWN or found is None:
        return UNKNOWN
    return (getattr(found, "method", None) or "heap") == wanted


def domain_not_null(context: Context) -> Answer:
    """The domain is NOT NULL already."""
    return _of_domain(context, lambda domain: domain.not_null)


def _of_domain(context: Context, test: Callable[[Domain], bool]) -> Answer:
    target = context.operation.target
    if target is None:
        return False
    name = context.catalog.resolve_type(target, context.session.search_path)
    found = context.catalog.types.get(name, None if context.catalog.closed else UNKNOWN)
    if isinstance(found, Domain):
        return test(found)
    return UNKNOWN if found is UNKNOWN else False


CONDITIONS: tuple[Condition, ...] = (
    Condition("options.strong", BOOL, options_strong, catalog=False),
    Condition("tablespace.same", BOOL, tablespace_same, "the tablespace of {target}"),
    Condition("access_method.same", BOOL, access_method_same, "the access method of {target}"),
    Condition("domain.not_null", BOOL, domain_not_null, "whether the domain {target} is NOT NULL"),
)
