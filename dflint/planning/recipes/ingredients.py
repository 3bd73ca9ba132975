"""What a recipe works with: one operation, its texts, and names that are free."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Final

from dflint.model.catalog import Catalog, Index
from dflint.model.context import Context
from dflint.model.errors import InputError, nearest
from dflint.model.names import Name
from dflint.model.operations.base import Operation
from dflint.model.quoting import quote_identifier
from dflint.model.schema import Constraint
from dflint.planning.recipes.holes import HOLE, HOLES, NEW, new_constraint, new_index, taken
from dflint.sql.clauses import Clauses, clauses_of

#: Bytes of an identifier.
_LONGEST: Final = 63


class Kitchen:
    """One operation, and what is needed to write SQL about it (see `dflint.plugin.recipes.Ingredients`).

    Attributes:
        context: just before the operation.
        sql: its statement.
        version: major version of the server.
        dropped: see there.
    """

    def __init__(
        self,
        context: Context,
        sql: str,
        definitions: Mapping[str, str] | None = None,
        dropped: Constraint | Index | None = None,
    ) -> None:
        self.context: Context = context
        self.dropped: Constraint | Index | None = dropped
        self.sql: str = sql
        self.version: int = context.version
        self._definitions = definitions or {}
        self._names: dict[tuple[Name, str], str] = {}

    @property
    def operation(self) -> Operation:
        """The operation itself."""
        return self.context.operation

    @property
    def target(self) -> Name:
        """The relation that it is about, with its schema."""
        name = self.operation.target
        if name is None:
            raise InputError(f"{self.operation.kind} is about no relation")
        return self.context.resolve(name)

    @cached_property
    def clauses(self) -> Clauses:
        """The texts of its parts."""
        return clauses_of(self.sql, self.operation.clause)

    @cached_property
    def after(self) -> Catalog:
        """What there is after it."""
        if self.context.foresee is None:
            return self.context.catalog
        return self.context.foresee().after

    def chosen_constraint(self) -> str | None:
        """The name that the server will choose for the constraint that is added."""
        return new_constraint(self)

    def chosen_index(self) -> str | None:
        """The name that the server will choose for the index that is made."""
        return new_index(self)

    def fill(self, template: str) -> str:
        """SQL from a template; see `dflint.planning.recipes.holes.HOLES`.

        Raises:
            InputError: there is no such hole, or the operation has nothing for it.
        """
        parts: list[str] = []
        end = 0
        for found in HOLE.finditer(template):
            parts.append(template[end : found.start()])
            end = found.end()
            parts.append(found.group()[0] if found["name"] is None else self._filled(found["name"], found["argument"]))
        return "".join((*parts, template[end:]))

    def new_name(self, what: str, column: str | None = None, table: Name | None = None) -> str:
        """A name that nothing in the table's schema has: the table's, the column's, and ``what``.

        Args:
            what: the last word.
            column: another than the operation's.
            table: another than the target, with its schema.
        """
        table = table or self.target
        own = getattr(self.operation, "column", None)
        middle = column or (own if isinstance(own, str) else getattr(own, "name", ""))
        known = (table, f"{middle}_{what}")
        if known not in self._names:
            stem = "_".join(part for part in (table.name, middle) if part)
            for number in range(1000):
                tail = f"_{what}{number or ''}"
                name = _cut(stem, _LONGEST - len(tail.encode())) + tail
                if not taken(self, name, table) and name not in self._names.values():
                    self._names[known] = name
                    break
        return self._names[known]

    def definition(self, identity: str) -> str | None:
        """How the server prints an object; None where nobody asked it."""
        return self._definitions.get(identity)

    def _filled(self, name: str, argument: str | None) -> str:
        if name == NEW and argument is not None:
            return quote_identifier(self.new_name(argument))
        if name not in HOLES or argument is not None:
            raise InputError(f"a recipe has no hole {{{name}}}", remedy=nearest(name, [*HOLES, NEW]))
        return HOLES[name][1](self)


def _cut(text: str, length: int) -> str:
    """The text in at most so many bytes, without half a character."""
    return text.encode()[:length].decode("utf-8", "ignore")
