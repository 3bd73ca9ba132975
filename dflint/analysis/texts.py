"""What the bodies of routines refer to by name: nobody but the text knows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from dflint.catalog.identities import printed
from dflint.model.catalog import Catalog, Routine
from dflint.model.impact import Evidence
from dflint.sql.parse import Parser
from dflint.sql.references import BodyReferences, Reference, routine_references

#: A body that holds none of these runs no SQL that it puts together.
_DYNAMIC = "execute"
#: Before a quoted name with escapes.
_ESCAPES = "u&"
#: Languages whose bodies are no text that names objects.
_COMPILED = frozenset({"c", "internal"})


def searchable(text: str) -> str:
    """A text in which a name is found however it is written: case and quotes aside.

    What it finds has to be read; what it does not find is not there.
    """
    return text.lower().replace('"', "").replace("'", "")


def may_name(text: str, names: Iterable[str]) -> bool:
    """Whether a text may hold one of some names; both are `searchable`. Escapes (``U&"…"``) hide any name."""
    return _ESCAPES in text or any(name in text for name in names)


class Body(Struct, frozen=True):
    """A routine with what its body refers to.

    Attributes:
        identity: the routine's.
    """

    identity: str
    routine: Routine
    references: BodyReferences

    def dynamic(self) -> Iterator[Evidence]:
        """Where it runs SQL of which nobody can say what it refers to, or cannot be read at all."""
        for place in self.references.dynamic:
            yield Evidence("dynamic_sql", place.text, place.line)
        if self.references.unreadable is not None:
            yield Evidence("body", self.references.unreadable)


class Texts:
    """The bodies of a catalog's routines; each is read when it may matter, once."""

    def __init__(self, catalog: Catalog, parser: Parser, search_path: tuple[str, ...]) -> None:
        self._catalog, self._parser, self._path = catalog, parser, search_path
        self._read: dict[str, BodyReferences] = {}
        self._routines: Mapping[str, tuple[Routine, str]] = {
            printed(routine): (routine, searchable(routine.body))
            for overloads in catalog.routines.values()
            for routine in overloads or ()
            if routine.body is not None and routine.language not in _COMPILED
        }

    def naming(self, names: frozenset[str]) -> Iterator[Body]:
        """The routines whose bodies hold one of these names, or SQL that is put together when it runs."""
        wanted = [searchable(name) for name in names]
        for identity, (routine, text) in self._routines.items():
            if _DYNAMIC in text or may_name(text, wanted):
                yield Body(identity, routine, self._references(identity, routine))

    def again(self, routine: Routine, catalog: Catalog) -> BodyReferences:
        """What the body of a routine refers to in another catalog."""
        return routine_references(routine, catalog, self._parser, self._path)

    def _references(self, identity: str, routine: Routine) -> BodyReferences:
        found = self._read.get(identity)
        if found is None:
            found = routine_references(routine, self._catalog, self._parser, self._path)
            self._read[identity] = found
        return found


def evidence(reference: Reference) -> Evidence:
    """What shows that a body names an object."""
    own = ".".join(part for part in (reference.schema, reference.name, reference.column) if part is not None)
    return Evidence("body", own, reference.line, reference.column_number)
