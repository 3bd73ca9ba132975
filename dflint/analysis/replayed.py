"""The needs of a replayed history's objects that only its texts show: views, rules, policies, SQL-standard bodies.

PostgreSQL reads such a text once, when it runs the statement, and keeps what it means. So must a replay: names are
resolved against the catalog of that moment, and follow the renames that come later.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from immutables import Map
from msgspec.structs import replace

from dflint.analysis.edges.edge import Names
from dflint.analysis.impact.calls import fitting
from dflint.catalog.identities import printed
from dflint.model.catalog import Catalog, Dependency, Routine, View
from dflint.model.context import Context
from dflint.model.names import Identity, Name
from dflint.model.operations.objects import (
    AlterPolicy,
    CreateMaterializedView,
    CreateOther,
    CreatePolicy,
    CreateRoutine,
    CreateRule,
    CreateView,
    RenameColumn,
    RenameObject,
    SetObjectSchema,
)
from dflint.model.schema import Parameter
from dflint.sql.clipping import assigned, query_of, rule_of, standard_body_of, statistics_of, within_parentheses
from dflint.sql.parse import Parser
from dflint.sql.references import (
    BodyReferences,
    Reference,
    expression_references,
    query_references,
    routine_references,
    rule_references,
)

#: The functions of an aggregate, with how many arguments each is called; 0: its own, and the state.
_AGGREGATE_PARTS: Final = {
    "sfunc": 0,
    "msfunc": 0,
    "minvfunc": 0,
    "finalfunc": 1,
    "mfinalfunc": 1,
    "combinefunc": 2,
    "serialfunc": 1,
    "deserialfunc": 2,
}
_RELATIONS: Final = frozenset({"table", "view", "materialized_view", "foreign_table", "index", "sequence"})
_ROUTINES: Final = frozenset({"function", "procedure", "routine", "aggregate"})
_TYPES: Final = frozenset({"type", "domain"})


class Holder(NamedTuple):
    """What has a text: ``part`` is the name of a rule or policy; a policy's two expressions are two texts."""

    kind: str
    name: Name
    part: str = ""
    clause: str = ""


class ReplayedNeeds:
    """Collects, operation by operation, what the texts of a history need.

    Use: `note` each context that a fold gives, then `added` to the catalog that it leaves.
    """

    def __init__(self, parser: Parser, version: int) -> None:
        self._parser, self._version = parser, version
        self._held: dict[Holder, BodyReferences | None] = {}
        self._moved_routines: set[Name] = set()

    def note(self, context: Context, text: bytes) -> None:
        """Take note of one operation, before which the catalog is the context's.

        Args:
            text: of the file in which it stands.
        """
        operation, statement = context.operation, context.statement
        sql = "" if operation.inside else text[statement.start : statement.end].decode(errors="replace")
        self.read(operation, sql, context.catalog, context.session.search_path)

    def read(self, operation: object, sql: str, catalog: Catalog, path: tuple[str, ...]) -> None:
        """As `note`.

        Args:
            sql: the statement; empty where it has no text of its own, as in a DO block.
        """
        if isinstance(operation, CreateView | CreateMaterializedView):
            self._read_view(operation, sql, catalog, path)
        elif isinstance(operation, CreateRule):
            table = catalog.resolve(operation.target, path)
            found = rule_of(sql, self._parser.library) if sql else None
            self._held[Holder("rule", table, operation.name)] = (
                None if found is None else rule_references(found, table, catalog, path, self._parser)
            )
        elif isinstance(operation, CreatePolicy | AlterPolicy):
            self._read_policy(operation, sql, catalog, path)
        elif isinstance(operation, CreateRoutine):
            if operation.body is None and operation.language in (None, "sql"):
                self._read_routine(operation, sql, catalog, path)
        elif isinstance(operation, CreateOther):
            self._read_other(operation, sql, catalog, path)
        elif isinstance(operation, RenameObject | SetObjectSchema):
            self._moved(operation, catalog, path)
        elif isinstance(operation, RenameColumn):
            self._column_renamed(operation, catalog, path)

    def added(self, catalog: Catalog) -> Catalog:
        """The catalog with the needs of its objects, as a server records them, and with its version.

        What could not be read stays without an entry: `Graph` then says by name that its needs are not known.
        """
        names = Names(catalog)
        needs: dict[str, tuple[Dependency, ...] | None] = {}
        for holder, read in self._held.items():
            identity = _identity(holder, catalog, names)
            if identity is None:
                continue
            before = needs.get(identity, ())
            found = (
                None if read is None or read.unreadable else _dependencies(identity, read.references, catalog, names)
            )
            needs[identity] = None if found is None or before is None else tuple(dict.fromkeys((*before, *found)))
        known = Map({identity: found for identity, found in needs.items() if found is not None})
        details = replace(catalog.details, dependencies=catalog.details.dependencies.update(known))
        routines = catalog.routines
        for name in self._moved_routines:
            if name not in routines:
                # What still calls it by that name is not what it seems.
                routines = routines.set(name, None)
        return replace(catalog, details=details, routines=routines, version=catalog.version or self._version)

    # --- texts --------------------------------------------------------------------------------------------------------

    def _read_view(
        self, operation: CreateView | CreateMaterializedView, sql: str, catalog: Catalog, path: tuple[str, ...]
    ) -> None:
        name = operation.target if operation.target.schema else Name(_created_in(path), operation.target.name)
        if isinstance(operation, CreateMaterializedView) and operation.if_not_exists and catalog.relations.get(name):
            return
        found = query_of(sql, self._parser.library) if sql else None
        recursive = isinstance(operation, CreateView) and operation.recursive
        read = None if found is None or recursive else query_references(found, catalog, path, self._parser)
        self._held[Holder("view", name)] = read

    def _read_policy(
        self, operation: CreatePolicy | AlterPolicy, sql: str, catalog: Catalog, path: tuple[str, ...]
    ) -> None:
        table = catalog.resolve(operation.target, path)
        for clause, given in (("using", operation.using), ("check", operation.check)):
            if given is not None:
                found = within_parentheses(sql, clause, self._parser.library) if sql else None
                self._held[Holder("policy", table, operation.name, clause)] = (
                    None if found is None else expression_references(found, table, catalog, path, self._parser)
                )
        if isinstance(operation, CreatePolicy):
            self._held.setdefault(Holder("policy", table, operation.name, "using"), BodyReferences())

    def _read_routine(self, operation: CreateRoutine, sql: str, catalog: Catalog, path: tuple[str, ...]) -> None:
        name = operation.target if operation.target.schema else Name(_created_in(path), operation.target.name)
        body = standard_body_of(sql, self._parser.library) if sql else None
        parameters = tuple(
            replace(each, type=replace(each.type, name=catalog.resolve_type(each.type.name, path)))
            for each in operation.parameters
        )
        routine = Routine(name, operation.routine, parameters, operation.returns, "sql", body=body)
        read = None if body is None else routine_references(routine, catalog, self._parser, path)
        self._held[Holder("routine", name, printed(routine))] = read

    def _read_other(self, operation: CreateOther, sql: str, catalog: Catalog, path: tuple[str, ...]) -> None:
        if operation.target is None:
            return
        schema = operation.target.schema or _created_in(path)
        name = Name(schema, operation.target.name)
        if operation.object_kind == "statistics":
            found = statistics_of(sql, self._parser.library) if sql else None
            read = None if found is None else query_references(found, catalog, path, self._parser)
            self._held[Holder("statistics", name)] = read
        elif operation.object_kind == "aggregate" and operation.arguments is not None:
            parameters = (
                Parameter(None, replace(each, name=catalog.resolve_type(each.name, path)))
                for each in operation.arguments
            )
            routine = Routine(name, "aggregate", tuple(parameters))
            self._held[Holder("routine", name, printed(routine))] = self._of_aggregate(operation, sql, catalog, path)

    def _of_aggregate(
        self, operation: CreateOther, sql: str, catalog: Catalog, path: tuple[str, ...]
    ) -> BodyReferences:
        """The functions that an aggregate is made of, each with the number of arguments that it is called with."""
        count = len(operation.arguments or ())
        found = []
        for option, _value in operation.options:
            arguments = _AGGREGATE_PARTS.get(option)
            name = assigned(sql, option, self._parser.library) if arguments is not None else None
            if arguments is not None and name is not None:
                for schema in (name.schema,) if name.schema is not None else path:
                    if catalog.routines.get(Name(schema, name.name)):
                        called = count + 1 if arguments == 0 else arguments
                        found.append(Reference(0, 0, "function", schema, name.name, arguments=called))
                        break
        # A final function may take the arguments too.
        extra = not sql or any(option.endswith("finalfunc_extra") for option, _ in operation.options)
        return BodyReferences(tuple(found), (), "its functions are not known" if extra else None)

    # --- renames ------------------------------------------------------------------------------------------------------

    def _moved(self, operation: RenameObject | SetObjectSchema, catalog: Catalog, path: tuple[str, ...]) -> None:
        kind = operation.object_kind
        new_name = operation.new_name if isinstance(operation, RenameObject) else None
        schema = operation.schema if isinstance(operation, SetObjectSchema) else None
        if kind == "schema" and new_name is not None:
            old = operation.target.name
            self._swap(lambda name: Name(new_name, name.name) if name.schema == old else name)
            return
        if kind in ("rule", "policy") and new_name is not None and isinstance(operation, RenameObject):
            table = catalog.resolve(operation.on or operation.target, path)
            self._part_renamed(kind, table, operation.target.name, new_name)
            return
        if kind in _ROUTINES:
            known = [Name(each, operation.target.name) for each in path]
            found = (
                operation.target if operation.target.schema else next((n for n in known if n in catalog.routines), None)
            )
        elif kind in _TYPES:
            found = catalog.resolve_type(operation.target, path)
        else:
            found = catalog.resolve(operation.target, path) if kind in _RELATIONS else None
        if found is not None:
            target = Name(schema or found.schema, new_name or found.name)
            routine = kind in _ROUTINES
            if routine:
                self._moved_routines.add(found)
            self._swap(lambda name: target if name == found else name, routines=routine)

    def _swap(self, new: object, *, routines: bool | None = None) -> None:
        assert callable(new)
        held: dict[Holder, BodyReferences | None] = {}
        for holder, read in self._held.items():
            swapped = holder
            if routines is None or routines == (holder.kind == "routine"):
                swapped = holder._replace(name=new(holder.name))
            held[swapped] = read and replace(
                read, references=tuple(_swapped(each, new, routines) for each in read.references)
            )
        self._held = held

    def _part_renamed(self, kind: str, table: Name, old: str, new: str) -> None:
        self._held = {
            holder._replace(part=new) if holder[:3] == (kind, table, old) else holder: read
            for holder, read in self._held.items()
        }

    def _column_renamed(self, operation: RenameColumn, catalog: Catalog, path: tuple[str, ...]) -> None:
        family = {catalog.resolve(operation.target, path)}
        pending = list(family)
        while pending:
            below = [child for child in catalog.children_of.get(pending.pop(), ()) if child not in family]
            family.update(below)
            pending += below
        for holder, read in self._held.items():
            if read is not None:
                references = tuple(
                    replace(each, column=operation.new_name)
                    if each.column == operation.column and Name(each.schema, each.name) in family
                    else each
                    for each in read.references
                )
                self._held[holder] = replace(read, references=references)


def _swapped(reference: Reference, new: object, routines: bool | None) -> Reference:
    assert callable(new)
    if routines is not None and routines != (reference.kind == "function"):
        return reference
    name = new(Name(reference.schema, reference.name))
    return replace(reference, schema=name.schema, name=name.name)


def _created_in(path: Sequence[str]) -> str:
    return path[0] if path else "public"


def _identity(holder: Holder, catalog: Catalog, names: Names) -> str | None:
    """The printed identity of what holds a text; None of what is there no longer."""
    if holder.kind == "routine":
        overloads = catalog.routines.get(holder.name) or ()
        arguments = holder.part.partition("(")[2]
        return next((printed(each) for each in overloads if printed(each).partition("(")[2] == arguments), None)
    if holder.kind == "statistics":
        identity = str(Identity("statistics", (holder.name.schema or "public", holder.name.name)))
        return identity if catalog.others.get(identity) else None
    relation = catalog.relations.get(holder.name)
    if relation is None:
        return None
    if holder.kind == "view":
        return printed(relation) if isinstance(relation, View) else None
    parts = getattr(relation, "rules", ()) if holder.kind == "rule" else getattr(relation, "policies", ())
    if holder.part not in {getattr(each, "name", each) for each in parts}:
        return None
    return names.part(holder.kind, holder.name, holder.part)


def _dependencies(
    identity: str, references: Iterable[Reference], catalog: Catalog, names: Names
) -> tuple[Dependency, ...] | None:
    """What a text needs; None where that cannot be told."""
    columns = {Name(each.schema, each.name) for each in references if each.kind == "column"}
    found: dict[str, None] = {}
    automatic: set[str] = set()
    for each in references:
        name = Name(each.schema, each.name)
        if each.kind == "column":
            if each.column is not None and catalog.relations.get(name) is not None:
                found[names.column(name, each.column)] = None
                if identity.startswith("statistics:"):
                    automatic.add(names.column(name, each.column))
        elif each.kind in ("relation", "sequence"):
            if name not in columns and catalog.relations.get(name) is not None:
                found[names.relation(name)] = None
        elif each.kind == "type":
            needed = names.type(name)
            if needed is not None:
                found[needed] = None
        elif each.kind == "function":
            possible = fitting(each, catalog)
            if len(possible) > 1:
                return None
            found.update((printed(routine), None) for routine in possible)
        elif each.kind == "constraint" and each.column is not None:
            found[names.part("constraint", name, each.column)] = None
    return tuple(
        Dependency(identity, needed, "a" if needed in automatic else "n") for needed in found if needed != identity
    )
