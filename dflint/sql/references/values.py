"""References: where a text names objects of the catalog."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Kind = Literal["relation", "column", "function", "type", "sequence", "constraint"]
Certainty = Literal["certain", "likely", "possible"]
#: How the text names the object: ``name`` and ``string`` (a name inside a string constant that PostgreSQL reads as one)
#: hold the name itself, so that a rename edits them; ``alias`` calls it otherwise; the rest follow from something else.
Form = Literal["name", "string", "alias", "star", "using", "natural"]


class Reference(Struct, frozen=True, order=True):
    """One place of a text that means an object.

    Attributes:
        start, end: offsets of the last part of the name (``email`` in ``u.email``), in code points of the text.
        schema, name: the object; of a column, its relation. ``schema`` is None where no schema is known to hold it.
        column: of a column; of a constraint its own name.
        line, column_number: of ``start``, from 1.
        writes: the statement writes to it here.
        as_type: the relation is named for its row type, or for the type of a column: nothing of it is read.
        arguments: of a function, with how many it is called; None where it is not called, or the number is not known.
    """

    start: int
    end: int
    kind: Kind
    schema: str | None
    name: str
    column: str | None = None
    line: int = 1
    column_number: int = 1
    form: Form = "name"
    certainty: Certainty = "certain"
    writes: bool = False
    as_type: bool = False
    arguments: int | None = None


class Place(Struct, frozen=True):
    """A place where the text runs SQL that is not constant.

    Attributes:
        start, end: offsets in code points; ``end`` equals ``start`` where the text could not be located.
        text: the expression that gives the SQL.
    """

    start: int
    end: int
    line: int
    text: str


class BodyReferences(Struct, frozen=True):
    """What a text refers to.

    Attributes:
        references: sorted by place.
        dynamic: SQL that is put together when it runs: what it refers to is unknown.
        unreadable: why the references may be incomplete, None when they are not.
    """

    references: tuple[Reference, ...] = ()
    dynamic: tuple[Place, ...] = ()
    unreadable: str | None = None
