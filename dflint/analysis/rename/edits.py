"""Editing the bodies of routines at the places that name a renamed table, and reading them again before use."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from dflint.analysis.texts import Body
from dflint.model.catalog import Catalog, Routine
from dflint.model.names import Name
from dflint.model.quoting import quote_identifier
from dflint.sql.parse import Parser
from dflint.sql.references import Reference, routine_references

#: How the server begins the body in what pg_get_functiondef() prints.
_AS: Final = re.compile(r"\nAS (\$[A-Za-z]*\$)")


class BodyEdit(Struct, frozen=True):
    """A routine whose body is written anew.

    Attributes:
        identity: as it is before the rename.
        routine: as it was.
        body: that names the table by its new name.
        places: of the names, as line and column of the old body, from 1.
    """

    identity: str
    routine: Routine
    body: str
    places: tuple[tuple[int, int], ...]


def names_table(reference: Reference, table: Name) -> bool:
    """Whether a place holds the table's own name, so that a rename edits it."""
    named = Name(reference.schema, reference.name) == table
    return named and reference.kind != "column" and reference.form in ("name", "string")


def edited(body: Body, table: Name, new: str, after: Catalog, parser: Parser, path: tuple[str, ...]) -> BodyEdit | None:
    """The routine with the table's new name; None where the edited body would not mean the same.

    Args:
        body: with its references, all of them resolved before the rename.
        table: the old name.
        new: the new one, without its schema.
        after: the catalog after the rename.
        parser: reads the edited body.
        path: the search_path of the callers.
    """
    old = body.routine.body or ""
    places = [each for each in body.references.references if names_table(each, table)]
    if not places or any(each.certainty != "certain" for each in places):
        return None
    text, quoted = old, quote_identifier(new)
    for place in sorted(places, reverse=True):
        written = quoted.replace("'", "''") if place.form == "string" else quoted
        text = text[: place.start] + written + text[place.end :]
    moved = Name(table.schema, new)
    again = routine_references(replace(_taking(body.routine, table, moved), body=text), after, parser, path)
    meant = [_meaning(each, table, moved) for each in body.references.references]
    means = [_meaning(each, table, moved) for each in again.references]
    if again.unreadable != body.references.unreadable or sorted(meant) != sorted(means):
        return None
    return BodyEdit(body.identity, body.routine, text, tuple((each.line, each.column_number) for each in places))


def means_same(body: Body, table: Name, new: str, after: Catalog, parser: Parser, path: tuple[str, ...]) -> bool:
    """Whether a body that is left as it is refers to the same objects after the rename."""
    moved = Name(table.schema, new)
    again = routine_references(_taking(body.routine, table, moved), after, parser, path)
    meant = [_meaning(each, table, moved) for each in body.references.references]
    return sorted(meant) == sorted(_meaning(each, table, moved) for each in again.references)


def _taking(routine: Routine, old: Name, new: Name) -> Routine:
    """The routine as it is after the rename: the table's row type has its new name too."""
    returns = routine.returns
    return replace(
        routine,
        parameters=tuple(
            replace(each, type=replace(each.type, name=new)) if each.type.name == old else each
            for each in routine.parameters
        ),
        returns=replace(returns, name=new) if returns is not None and returns.name == old else returns,
    )


def _meaning(reference: Reference, old: Name, new: Name) -> tuple[str, str, str, str, str]:
    """What a reference means, wherever it stands; the renamed table by its new name."""
    schema, name = new if Name(reference.schema, reference.name) == old else (reference.schema, reference.name)
    return reference.kind, schema or "", name, reference.column or "", reference.form


def definition(edit: BodyEdit, printed: str, table: Name, new: str) -> str | None:
    """The statement that replaces a routine; None where the printed definition is not that of the edited body.

    Args:
        edit: the routine.
        printed: its old definition by pg_get_functiondef() under a search_path without the table's schema.
        table, new: the old name, the new one.
    """
    old = edit.routine.body or ""
    for match in _AS.finditer(printed):
        if printed[match.end() :].rstrip() == f"{old}{match[1]}":
            header = printed[: match.start()]
            tag = _tag(edit.body)
            return f"{_with_new_name(header, table, new)}\nAS {tag}{edit.body}{tag}"
    return None


def _with_new_name(header: str, table: Name, new: str) -> str:
    """Parameters, results and defaults of the table's row type: printed with its schema, and never called."""
    schema = quote_identifier(table.schema or "public")
    pattern = re.escape(f"{schema}.{quote_identifier(table.name)}")
    return re.sub(rf'(?<![\w"$.]){pattern}(?![\w"$.(])', lambda _: f"{schema}.{quote_identifier(new)}", header)


def _tag(text: str) -> str:
    """A dollar quote that the text does not hold."""
    return next(tag for tag in _tags() if tag[:-1] not in text)


def _tags() -> Iterator[str]:
    yield "$function$"
    number = 1
    while True:
        yield f"$function{number}$"
        number += 1
