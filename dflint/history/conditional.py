"""Operations that may or may not run: what they would change becomes unknown.

The operation is applied as if it ran; then, for everything it wrote, only what is the same before and after is kept.
"""

from __future__ import annotations

from typing import TypeVar

from msgspec.structs import replace

from dflint.history.draft import Draft
from dflint.model.catalog import Catalog, Table
from dflint.model.names import Name

Part = TypeVar("Part")


def keep_common(before: Catalog, draft: Draft) -> None:
    """Turn the draft of an operation that ran into one where it may have run or not."""
    for where, key in sorted(draft.touched or (), key=str):
        draft.doubted |= _names(getattr(before, where).get(key)) ^ _names(getattr(draft, where).get(key))
        if where == "relations" and isinstance(key, Name):
            _keep_relation(before, draft, key)
        elif getattr(before, where).get(key, _MISSING) != getattr(draft, where).get(key, _MISSING):
            _forget(draft, where, key)


_MISSING = object()
#: Fields whose members have names that conditions ask for.
_NAMED_PARTS = ("columns", "constraints", "triggers", "policies", "attributes")


def _names(found: object) -> set[str]:
    """The names that an object brings: its own and those of its parts."""
    name = getattr(found, "name", None)
    own = {name.name} if isinstance(name, Name) else {name} if isinstance(name, str) else set()
    own.update(part.name for field in _NAMED_PARTS for part in getattr(found, field, None) or () if part.name)
    return {*own, *getattr(found, "values", ())}


def _keep_relation(before: Catalog, draft: Draft, name: Name) -> None:
    if before.relations.get(name, _MISSING) == draft.relations.get(name, _MISSING):
        return
    old, new = before.relations.get(name), draft.relations.get(name)
    if isinstance(old, Table) and isinstance(new, Table):
        draft.put(common_table(old, new))
    else:
        draft.forget(name)


def _forget(draft: Draft, where: str, key: Name | str) -> None:
    if isinstance(key, Name):
        if where == "types":
            draft.remove_type(key, forget=True)
        else:
            draft.remove_routines(key, forget=True)
    elif where == "schemas":
        draft.put_schema(key, None, forget=True)
    elif where == "extensions":
        draft.put_extension(key, None, forget=True)
    elif where == "publications":
        draft.put_publication(key, None, forget=True)
    else:
        draft.put_other(key, None, forget=True)


def common_table(old: Table, new: Table) -> Table:
    """What is certain of a table that is one or the other: it is no longer completely known."""
    differing = {
        field: getattr(_PLAIN, field)
        for field in Table.__struct_fields__
        if field not in _PARTS and getattr(old, field) != getattr(new, field)
    }
    return replace(
        old,
        **differing,
        columns=_common(old.columns, new.columns),
        constraints=_common(old.constraints, new.constraints),
        triggers=_common(old.triggers, new.triggers),
        rules=_common(old.rules, new.rules),
        policies=_common(old.policies, new.policies),
        parents=_common(old.parents, new.parents),
        complete=False,
    )


_PARTS = frozenset({"name", "columns", "constraints", "triggers", "rules", "policies", "parents", "complete"})
#: What a table of which nothing is known looks like.
_PLAIN = Table(Name("public", "t"), complete=False)


def _common(old: tuple[Part, ...], new: tuple[Part, ...]) -> tuple[Part, ...]:
    return old if old == new else tuple([part for part in old if part in new])
