"""Where two catalogs of the same schema differ, fact by fact."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from dflint.model.catalog import Catalog
from dflint.model.expressions import Expr
from dflint.model.schema import Query

#: What a replay cannot know, or what is no part of a schema.
_LEFT_OUT = frozenset({"rows", "bytes", "complete", "at", "owner", "query", "body", "references", "body_understood", "inlined"})


def differences(replayed: Catalog, live: Catalog) -> tuple[int, list[str]]:
    """How many facts agree, and a line for each that does not."""
    agreed = 0
    found = []
    members = live.details.extension_members
    for kind in ("schemas", "relations", "types", "routines", "extensions", "publications"):
        ours = {key: value for key, value in getattr(replayed, kind).items() if value is not None}
        theirs = {key: value for key, value in getattr(live, kind).items() if value is not None}
        for key in sorted({*ours, *theirs}, key=str):
            if any(_is(identity, key) for identity in members):
                continue
            one, other = ours.get(key), theirs.get(key)
            if one is None or other is None:
                if getattr(key, "schema", None) != "pg_temp" and str(key) not in ("public", "plpgsql"):
                    found.append(f"{kind} {key}: only {'on the server' if one is None else 'in the replay'}")
                continue
            left, right = dict(_facts("", one)), dict(_facts("", other))
            for path in {**left, **right}:
                if left.get(path) == right.get(path):
                    agreed += 1
                else:
                    found.append(f"{kind} {key}{path}: replay {left.get(path)!s:.90} | server {right.get(path)!s:.90}")
    return agreed, found


def _is(identity: str, key: Any) -> bool:
    return identity.partition(":")[2].partition("(")[0] == str(key)


def _facts(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Expr):
        yield path, _plain(value)
    elif isinstance(value, Query):
        return
    elif isinstance(value, msgspec.Struct):
        for field in value.__struct_fields__:
            if field not in _LEFT_OUT:
                yield from _facts(f"{path}.{field}", getattr(value, field))
    elif isinstance(value, tuple) and not hasattr(value, "schema"):
        for position, item in enumerate(value):
            name = getattr(item, "name", None)
            yield from _facts(f"{path}[{name or position}]", item)
    else:
        yield path, value


def _plain(expr: Expr) -> str:
    """An expression without casts and spelling."""
    if expr.kind == "cast":
        return _plain(expr.args[0])
    inner = ", ".join(sorted(_plain(arg) for arg in expr.args))
    name = expr.name.name if expr.name else ""
    return f"{expr.kind} {name} {'' if expr.value is None else expr.value}({inner})"
