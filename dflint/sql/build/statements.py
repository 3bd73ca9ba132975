"""Building the operations of any statement; what cannot be built is opaque."""

from __future__ import annotations

from dflint.model.operations.base import Opaque, Operation
from dflint.sql.build.nodes import Node, Unread, single
from dflint.sql.build.registry import Builder, builder
from dflint.sql.libpg_query import LibPgQuery


def build(stmt: Node, library: LibPgQuery) -> tuple[Operation, ...]:
    """The operations of a wrapped statement node, one `Opaque` where it holds something unknown or nests too deep."""
    kind, node = single(stmt)
    function = _builder(kind)
    if function is None:
        return (Opaque(reason=f"{kind} is not known", node=kind),)
    try:
        return tuple(function(node, library))
    except Unread as unread:
        return (Opaque(reason=f"{kind} holds what is not known: {unread}", node=kind),)
    except RecursionError:
        return (Opaque(reason="nests too deep to be analysed", node=kind),)
    except (KeyError, ValueError, TypeError, IndexError) as error:
        # A shape the builder did not expect is not understood either.
        return (Opaque(reason=f"{kind} has an unexpected shape: {error!r}", node=kind),)


_FOUND: dict[str, Builder | None] = {}


def _builder(kind: str) -> Builder | None:
    if kind not in _FOUND:
        _FOUND[kind] = builder(kind)
    return _FOUND[kind]
