"""Which output columns of views a column feeds, through views on views.

It is computed from the views' texts when it is asked for, and held against what the server has recorded: a lineage that
names a column which the view does not need by these records is not believed.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from dflint.model.catalog import Catalog, View
from dflint.model.impact import Dependent, Evidence, Impact
from dflint.model.names import Identity, Name, print_identity
from dflint.sql.lineage import BaseColumn, Lineage, query_lineage
from dflint.sql.parse import Parser

_VIEWS: Final = ("view", "materialized_view")
#: Names are qualified in what the server printed.
_NO_PATH: Final = ()


def with_lineage(impact: Impact, catalog: Catalog, parser: Parser) -> Impact:
    """The same impact, with evidence of which output columns of views the column feeds.

    Args:
        impact: of a change; that of anything but a column comes back as it is.
        catalog: before the change, with the views' texts.
    """
    target = Identity.parse(impact.target)
    if target.kind != "column":
        return impact
    found = _Lineages(impact, catalog, parser).evidence()
    dependents = tuple(
        replace(each, evidence=(*each.evidence, found[each.identity])) if each.identity in found else each
        for each in impact.dependents
    )
    return replace(impact, dependents=dependents)


class _Lineages:
    def __init__(self, impact: Impact, catalog: Catalog, parser: Parser) -> None:
        self._catalog, self._parser = catalog, parser
        columns = (impact.target, *(each.identity for each in impact.dependents))
        #: What is fed: the column, the same of children, and output columns of views.
        self._fed = {_column(each) for each in columns if each.startswith("column:")}
        views = {each.identity: _view(each, catalog) for each in impact.dependents}
        self._views = {identity: view for identity, view in views.items() if view is not None}

    def evidence(self) -> dict[str, Evidence]:
        """View -> what it gets of the column."""
        lineages = {identity: self._lineage(identity, view) for identity, view in self._views.items()}
        made: dict[str, list[str]] = {identity: [] for identity in lineages}
        doubtful: dict[str, list[str]] = {identity: [] for identity in lineages}
        grown = True
        while grown:
            grown = False
            for identity, lineage in lineages.items():
                name = self._views[identity].name
                for column, bases in lineage.columns.items():
                    if column in made[identity] or column in doubtful[identity]:
                        continue
                    if bases is None:
                        doubtful[identity].append(column)
                    elif not self._fed.isdisjoint(bases):
                        made[identity].append(column)
                        self._fed.add((name, column))
                        grown = True
        return {
            identity: _told(lineage, made[identity], doubtful[identity])
            for identity, lineage in lineages.items()
            if lineage.columns
        }

    def _lineage(self, identity: str, view: View) -> Lineage:
        outputs = [column.name for column in view.columns or ()]
        if view.definition is None:
            return Lineage(dict.fromkeys(outputs), "its text is not known")
        found = query_lineage(view.definition.rstrip().rstrip(";"), outputs, self._catalog, _NO_PATH, self._parser)
        recorded = {each.referenced for each in self._catalog.details.dependencies.get(identity, ())}
        unrecorded = [
            column
            for column, bases in found.columns.items()
            if any(_printed(base) not in recorded for base in bases or ())
        ]
        if unrecorded:
            columns = {column: None if column in unrecorded else bases for column, bases in found.columns.items()}
            return Lineage(columns, "the server's records say otherwise")
        return found


def _told(lineage: Lineage, made: list[str], doubtful: list[str]) -> Evidence:
    said = f"feeds {', '.join(made)}" if made else "" if doubtful else "feeds none of its columns"
    doubt = f"may feed {', '.join(doubtful)}: {lineage.reason}" if doubtful else ""
    return Evidence("attribute", "; ".join(part for part in (said, doubt) if part))


def _view(dependent: Dependent, catalog: Catalog) -> View | None:
    kind, _, _ = dependent.identity.partition(":")
    if kind not in _VIEWS:
        return None
    found = catalog.relations.get(Name(*Identity.parse(dependent.identity).parts))
    return found if isinstance(found, View) else None


def _column(identity: str) -> BaseColumn:
    schema, table, column = Identity.parse(identity).parts
    return Name(schema, table), column


def _printed(base: BaseColumn) -> str:
    (schema, table), column = base
    return print_identity("column", schema or "public", table, column)
