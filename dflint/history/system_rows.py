"""What the rows of the system catalogs are made of.

An object's OID is stood for by its name: a `Name` for relations, types and routines, the name itself for a schema.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from dflint.history.reading import Reader
from dflint.model.catalog import Relation, Unknown
from dflint.model.names import Name

#: A value in a row; None is SQL's NULL.
Value = str | bool | Name | Unknown | None
Row = dict[str, Value]
#: Values that certain columns must have for a row to count.
Pins = dict[str, Value]

#: Stands for a number above zero that is not known.
POSITIVE: Final = "a positive number"


class System(NamedTuple):
    """One relation of the system.

    Attributes:
        rows: those that the catalog lists; pins only save work.
        schema, parent, name: the columns that say where an object is: its schema, the relation it is a part of, its
            own name; "" where there is none. ``parent`` is a bare name where there is a ``schema``, else an OID.
        kind: what the objects are: relation, part (of a relation), type, label (of an enum), routine, schema,
            extension, publication, or other, of which nothing can be said that is not listed.
        oid: the column of the OID that follows from schema and name.
    """

    rows: Callable[[Reader, Pins], Iterable[Row]]
    schema: str = ""
    name: str = ""
    kind: str = "other"
    parent: str = ""
    oid: str = ""


def relations(reader: Reader, schema: Value, name: Value) -> Iterator[Relation]:
    """The known relations of that schema and name, where they are given."""
    if isinstance(schema, str) and isinstance(name, str):
        found = reader.known(Name(schema, name))
        if found is not None:
            yield found
        return
    for key, relation in reader.relations.items():
        if relation is None or (isinstance(name, str) and key.name != name):
            continue
        if not isinstance(schema, str) or key.schema == schema:
            yield relation


def parents(reader: Reader, pins: Pins, schema: str, parent: str) -> Iterator[Relation]:
    """The known relations that have the parts asked for."""
    pinned = pins.get(parent)
    if isinstance(pinned, Name):
        yield from relations(reader, pinned.schema, pinned.name)
    else:
        yield from relations(reader, pins.get(schema), pinned)
