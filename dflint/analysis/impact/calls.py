"""Which routines a call in a text may mean."""

from __future__ import annotations

from dflint.model.catalog import Catalog, Routine
from dflint.model.names import Name
from dflint.sql.references import Reference


def fitting(call: Reference, catalog: Catalog) -> list[Routine]:
    """The routines of the name that take as many arguments as the call gives."""
    overloads = catalog.routines.get(Name(call.schema, call.name)) or ()
    return [each for each in overloads if call.arguments is None or _takes(each, call.arguments)]


def _takes(routine: Routine, count: int) -> bool:
    # The outputs of a procedure are arguments of its CALL.
    outputs = () if routine.kind == "procedure" else ("out",)
    given = [each for each in routine.parameters if each.mode not in ("table", *outputs)]
    needed = [each for each in given if each.default is None and each.mode != "variadic"]
    return len(needed) <= count and (count <= len(given) or any(each.mode == "variadic" for each in given))
