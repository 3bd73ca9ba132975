"""The common ground of all operations."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from msgspec import Struct

from dflint.model.guards import Guard
from dflint.model.names import Name

_HUMP = re.compile(r"(?<!^)(?=[A-Z])")


class Operation(Struct, frozen=True, kw_only=True):
    """One intended change to one object, or one thing a statement does.

    Every kind is a type of its own, named by `kind`. Families whose members differ only in the kind of object (drops,
    renames, changes of owner, …) are one type each and make `kind` from the object's.

    Attributes:
        target: the principal object, as written; None where there is none.
        at: byte offset in the source where the clause begins, -1 when only the statement's place is known.
        clause: which clause of the statement this is, counted from 0 (sub-commands of ALTER TABLE, names in a DROP
            list), -1 when the statement is one operation.
        conditional: runs only if a branch, loop or exception handler of a DO block is entered.
        guards: what a conditional operation waits for: it runs when all are met. Empty: that is not known.
        inside: "" for a top-level statement, "do" inside a DO block, "execute" for a constant EXECUTE string, "routine"
            for what a routine's body would do.
        body_line: inside a DO block, the line of its body, from 1; 0 elsewhere.
    """

    KIND: ClassVar[str] = "operation"
    TARGET_KIND: ClassVar[str] = ""
    target: Name | None = None
    at: int = -1
    clause: int = -1
    conditional: bool = False
    guards: tuple[Guard, ...] = ()
    inside: str = ""
    body_line: int = 0

    def __init_subclass__(cls, **_options: Any) -> None:
        if "KIND" not in cls.__dict__:
            cls.KIND = _HUMP.sub("_", cls.__name__).lower()
        # Rules ask again and again: where a field does not decide, a class attribute answers.
        for name, constant in (("kind", cls.KIND), ("target_kind", cls.TARGET_KIND)):
            inherited = getattr(cls, name)
            if inherited is getattr(Operation, name) or isinstance(inherited, str):
                setattr(cls, name, constant)

    @property
    def kind(self) -> str:
        """The name rules and machine interfaces use, such as ``add_column``."""
        return self.KIND

    @property
    def target_kind(self) -> str:
        """What ``target`` is: the kind part of its identity, such as ``table``."""
        return self.TARGET_KIND


class Opaque(Operation, frozen=True, kw_only=True):
    """A statement dflint could not turn into operations: counted, reported, never dropped.

    Attributes:
        reason: why, one sentence.
        node: the parser's name of the statement ("" for text the grammar rejects).
        rejected: PostgreSQL's grammar refuses the text; ``reason`` is its message.
    """

    reason: str
    node: str = ""
    rejected: bool = False
