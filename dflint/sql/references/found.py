"""What a walk through a text has found so far."""

from __future__ import annotations

from collections.abc import Iterable

from dflint.model.names import Name
from dflint.sql.libpg_query import Token
from dflint.sql.references.places import Fragment, Text
from dflint.sql.references.scopes import Base
from dflint.sql.references.values import BodyReferences, Certainty, Form, Kind, Place, Reference


class Found:
    """References of one text, each place once."""

    def __init__(self, text: Text) -> None:
        self.text = text
        self.problem: str | None = None
        #: A statement before made a relation of this name, which then may hide the catalog's.
        self.created: set[str] = set()
        self._references: dict[tuple[int, str, Name, str | None], Reference] = {}
        self._dynamic: dict[tuple[int, str], Place] = {}

    def doubt(self, problem: str) -> None:
        """Note why references may be missing; the first reason is kept."""
        self.problem = self.problem or problem

    def add(
        self,
        token: Token | None,
        kind: Kind,
        name: Name,
        column: str | None = None,
        *,
        form: Form = "name",
        certainty: Certainty = "certain",
        writes: bool = False,
        as_type: bool = False,
        arguments: int | None = None,
    ) -> None:
        """Note a reference at a token; None says that the name does not stand where the parse tree has it."""
        if token is None:
            self.doubt(f"the place of {column or name.name} was not found in the text")
            return
        self.at(
            token.start,
            token.end,
            kind,
            name,
            column,
            form=form,
            certainty=certainty,
            writes=writes,
            as_type=as_type,
            arguments=arguments,
        )

    def at(
        self,
        first: int,
        last: int,
        kind: Kind,
        name: Name,
        column: str | None = None,
        *,
        form: Form = "name",
        certainty: Certainty = "certain",
        writes: bool = False,
        as_type: bool = False,
        arguments: int | None = None,
    ) -> None:
        """Note a reference between two byte offsets."""
        start = self.text.code_point(first)
        line, place = self.text.line(start)
        self._references.setdefault(
            (start, kind, name, column),
            Reference(
                start,
                self.text.code_point(last),
                kind,
                name.schema,
                name.name,
                column,
                line,
                place,
                form,
                certainty,
                writes,
                as_type,
                arguments,
            ),
        )

    def columns(
        self,
        token: Token | None,
        bases: Iterable[Base],
        *,
        form: Form = "name",
        certainty: Certainty = "certain",
        writes: bool = False,
    ) -> None:
        """Note the columns that a token means."""
        for relation, column, named in bases:
            shown: Form = "alias" if form == "name" and not named else form
            self.add(token, "column", relation, column, form=shown, certainty=certainty, writes=writes)

    def dynamic(self, fragment: Fragment | None, expression: str) -> None:
        """Note SQL that is not constant, given by an expression that stands in the fragment."""
        start = end = 0
        if fragment is not None and fragment.places:
            start = self.text.code_point(fragment.token(0).start)
            end = self.text.code_point(fragment.token(len(fragment.places) - 1).end)
        self._dynamic.setdefault((start, expression), Place(start, end, self.text.line(start)[0], expression))

    def result(self) -> BodyReferences:
        """All of it, sorted."""
        dynamic = sorted(self._dynamic.values(), key=lambda place: place.start)
        return BodyReferences(tuple(sorted(self._references.values(), key=_order)), tuple(dynamic), self.problem)


def _order(reference: Reference) -> tuple[int, str, str, str, str]:
    return reference.start, reference.kind, reference.schema or "", reference.name, reference.column or ""
