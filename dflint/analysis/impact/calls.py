"""Which routines a call in a text may mean."""

from __future__ import annotations

from dflint.model.catalog import Catalog, Routine
from dflint.model.names import Name
from dflint.sql.references import Reference, takes


def fitting(call: Reference, catalog: Catalog) -> list[Routine]:
    """The routines of the name that take as many arguments as the call gives."""
    overloads = catalog.routines.get(Name(call.schema, call.name)) or ()
    return [each for each in overloads if call.arguments is None or takes(each, call.arguments)]
