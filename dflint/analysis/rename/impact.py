"""What renaming a table does, and whether it can be done so that nothing breaks."""

from __future__ import annotations

from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from dflint.analysis.graph import Graph
from dflint.analysis.impact import impact
from dflint.analysis.rename.edits import BodyEdit, edited, means_same
from dflint.analysis.targets import target_of
from dflint.analysis.texts import Texts, evidence
from dflint.model.catalog import Catalog, Relation, Table
from dflint.model.errors import InputError
from dflint.model.impact import Dependent, Impact
from dflint.model.names import Identity, Name
from dflint.model.operations.objects import RenameObject
from dflint.sql.parse import Parser

#: Of a name, in bytes; the server cuts longer ones.
LONGEST: Final = 63


class UnsafeRename(InputError):
    """A plan was asked for that would leave something broken.

    Attributes:
        objects: printed identities of what stands in the way.
    """

    def __init__(self, message: str, objects: tuple[str, ...]) -> None:
        super().__init__(message, remedy="look at these objects, then ask for the plan with proceed=True")
        self.objects = objects


class RenameImpact(Struct, frozen=True, kw_only=True):
    """What a rename does to everything else.

    Attributes:
        table: the table's name, with its schema.
        new_name: without a schema.
        impact: every dependent, with its effect.
        relation: the table, as it is.
        edits: the routines whose bodies name the table, written anew.
        catalog: what it rests on.
        search_path: of those who call the routines.
    """

    table: Name
    new_name: str
    impact: Impact
    relation: Table
    edits: tuple[BodyEdit, ...]
    catalog: Catalog
    search_path: tuple[str, ...]

    @property
    def current_name(self) -> str:
        """The table's name, with its schema."""
        return str(self.table)

    @property
    def total_dependencies(self) -> tuple[Dependent, ...]:
        """Every dependent."""
        return self.impact.dependents

    @property
    def view_dependencies(self) -> tuple[Dependent, ...]:
        """Views and materialized views. The server follows: nothing has to be updated."""
        return self._of("view", "materialized_view")

    @property
    def fk_dependencies(self) -> tuple[Dependent, ...]:
        """Foreign keys of the table, and of others that refer to it."""
        return self._of("fk")

    @property
    def procedure_dependencies(self) -> tuple[Dependent, ...]:
        """Functions and procedures, trigger functions among them."""
        return self._of("function", "procedure", "aggregate")

    @property
    def trigger_dependencies(self) -> tuple[Dependent, ...]:
        """Triggers on the table, and triggers elsewhere whose functions name it."""
        return self._of("trigger")

    @property
    def breaking(self) -> tuple[Dependent, ...]:
        """What fails or changes its meaning after the rename when nothing else is done."""
        return tuple(each for each in self.impact.dependents if each.effect in ("breaks_later", "changes"))

    @property
    def can_rename_safely(self) -> bool:
        """Whether nothing is unknown, and every object that would break has an edit."""
        return not self.reasons()

    def reasons(self, *, edits: bool = True, view: bool = False) -> tuple[str, ...]:
        """Why the rename is not known to be safe; empty is good.

        Args:
            edits: the plan has the edits.
            view: the plan has a compatibility view of the old name.
        """
        said = list(self.impact.incomplete_because)
        if self.impact.refused:
            said.append("the server refuses the rename")
        for each in self.unresolved(edits=edits, view=view):
            shown = "; ".join(f"line {e.line}: {e.detail}" if e.line else e.detail for e in each.evidence)
            said.append(f"{each.identity}: {_WHY[each.effect]}{f' ({shown})' if shown else ''}")
        return tuple(said)

    def unresolved(self, *, edits: bool = True, view: bool = False) -> tuple[Dependent, ...]:
        """The dependents that would break, change or of which nobody can say, with such a plan."""
        mended = {each.identity for each in self.edits} if edits else set()
        left: list[Dependent] = []
        for each in self.impact.dependents:
            if each.effect in ("unknown", "blocks"):
                left.append(each)
            elif each.effect in ("breaks_later", "changes"):
                # What only uses something broken is whole again with it.
                cause = each.via[0] if each.via else each.identity
                if cause not in mended and not (view and each.effect == "breaks_later"):
                    left.append(each)
        return tuple(left)

    def _of(self, *kinds: str) -> tuple[Dependent, ...]:
        return tuple(each for each in self.impact.dependents if Identity.parse(each.identity).kind in kinds)


_WHY: Final = {
    "unknown": "nobody can say whether it names the table",
    "blocks": "it stands in the way",
    "breaks_later": "it fails when it is used",
    "changes": "it would mean something else",
}


def analyse(
    operation: RenameObject,
    catalog: Catalog,
    after: Catalog,
    parser: Parser,
    *,
    graph: Graph | None = None,
    search_path: tuple[str, ...] = ("public",),
) -> RenameImpact:
    """What renaming a table does.

    Args:
        operation: the rename.
        catalog: what exists.
        after: what exists after the rename.
        parser: reads bodies.
        graph: of the catalog, where it has been made already.
        search_path: for names without a schema.

    Raises:
        NotFound: there is no such table.
        InputError: it is no table, or the new name cannot be used.
    """
    target = target_of(operation, catalog, search_path)
    assert target.relation is not None
    table, relation = target.relation, catalog.relations.get(target.relation)
    if not isinstance(relation, Table):
        raise InputError(f"{table} is no table", remedy="views, sequences and indexes are renamed with ALTER alone")
    _check_new_name(operation.new_name, table, catalog)
    texts = Texts(catalog, parser, search_path)
    found = impact(operation, catalog, texts, graph=graph, search_path=search_path)
    broken = {each.identity for each in found.dependents if each.effect in ("breaks_later", "changes", "unknown")}
    edits = []
    for body in texts.naming(frozenset({table.name})):
        if body.identity in broken:
            edit = edited(body, table, operation.new_name, after, parser, search_path)
            edits += [edit] if edit is not None else []
    dependents = _with_captured(found, texts, operation.new_name, table, after, parser, search_path)
    return RenameImpact(
        table=table,
        new_name=operation.new_name,
        impact=replace(found, dependents=dependents),
        relation=relation,
        edits=tuple(sorted(edits, key=lambda each: each.identity)),
        catalog=catalog,
        search_path=search_path,
    )


def _with_captured(
    found: Impact, texts: Texts, new: str, table: Name, after: Catalog, parser: Parser, path: tuple[str, ...]
) -> tuple[Dependent, ...]:
    """The dependents, with the bodies in which the new name meant something else until now."""
    dependents = {each.identity: each for each in found.dependents}
    for body in texts.naming(frozenset({new})):
        if body.identity in dependents or means_same(body, table, new, after, parser, path):
            continue
        shown = tuple(evidence(each) for each in body.references.references if each.name == new)
        dependents[body.identity] = Dependent(body.identity, "changes", (), shown)
    return tuple(dependents[identity] for identity in sorted(dependents))


def _check_new_name(new: str, table: Name, catalog: Catalog) -> None:
    size = len(new.encode())
    if not new or "\0" in new:
        raise InputError(f"{new!r} is no name")
    if size > LONGEST:
        raise InputError(f"{new} has {size} bytes; PostgreSQL cuts names after {LONGEST}", remedy="shorten it")
    there: Relation | None = catalog.relations.get(Name(table.schema, new))
    if there is not None:
        raise InputError(f"{there.name} exists already", remedy="choose another name, or rename that one first")
    if catalog.types.get(Name(table.schema, new)) is not None:
        raise InputError(f"a type {table.schema}.{new} exists, and a table has a type of its name")
