"""The needs that a server records, derived from the values of a catalog that was replayed without one.

What values do not show is said to be unknown, by the dependent's identity.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from dflint.analysis.edges.edge import Edge, Names, recorded, shown
from dflint.analysis.edges.relations import own_triggers
from dflint.catalog.identities import printed
from dflint.facts.key_indexes import may_rely_on
from dflint.facts.volatility import is_known
from dflint.model.catalog import Catalog, Domain, Index, Routine, Table, View
from dflint.model.expressions import Expr, Type
from dflint.model.names import Identity, Name
from dflint.model.schema import Constraint
from dflint.sql.references import takes

#: Where names without a schema are looked for: a replay does not keep the search_path of each expression.
_PATH: Final = ("public",)
#: Languages that every server has of its own.
_BUILT_IN: Final = frozenset({"internal", "c", "sql"})
#: Kinds of objects that need nothing but schemas.
_FREE: Final = frozenset({"role", "tablespace", "language", "database", "access_method", "foreign_data_wrapper"})
#: Index methods for whose operator classes few look to extensions.
_OWN_CLASSES: Final = frozenset({"btree", "hash", "brin"})
#: Functions that extensions bring, of those whose names are known.
_OF_EXTENSIONS: Final = frozenset(
    """crypt digest gen_random_bytes gen_salt hmac unaccent uuid_generate_v1 uuid_generate_v1mc uuid_generate_v3
    uuid_generate_v4 uuid_generate_v5""".split()
)
#: As in `dflint.analysis.edges.relations`.
_GENERATION_NEEDS: Final = 15


class Derived:
    """What a replayed catalog says of needs.

    Attributes:
        unknown: identities of objects, and of columns, whose needs are not all known; filled by `edges`.
    """

    def __init__(self, catalog: Catalog, names: Names) -> None:
        self._catalog, self._names = catalog, names
        self.unknown: set[str] = set(catalog.incomplete)
        #: Routines outside the path: another search_path may have found them.
        self._elsewhere: dict[str, list[Routine]] = {}
        for name, overloads in catalog.routines.items():
            if name.schema not in _PATH:
                self._elsewhere.setdefault(name.name, []).extend(overloads or ())

    def edges(self) -> Iterator[Edge]:
        """The edges that a live catalog has beside those of its values."""
        for relation in self._catalog.relations.values():
            if isinstance(relation, Table):
                yield from self._of_table(relation)
            elif isinstance(relation, Index):
                yield from self._of_index(relation)
            elif isinstance(relation, View):
                yield from self._of_triggers(relation)
                self._doubt_types(relation)
        for kind in self._catalog.types.values():
            if isinstance(kind, Domain):
                yield from self._of_domain(kind)
        for overloads in self._catalog.routines.values():
            for routine in overloads or ():
                yield from self._of_routine(routine)
        self._doubt_texts()
        yield recorded("language:plpgsql", "extension:plpgsql", "e")

    # --- relations ----------------------------------------------------------------------------------------------------

    def _of_table(self, table: Table) -> Iterator[Edge]:
        names = self._names
        for column in table.columns:
            identity = names.part("default", table.name, column.name)
            yield from self._of_expression(identity, column.default)
            if column.type is not None:
                if self._is_strange(column.type):
                    self.unknown.add(names.part("column", table.name, column.name))
                if column.default is not None and self._is_converted(column.default, column.type):
                    yield from self._of_type(identity, column.type)
            if column.generated is not None:
                version = self._catalog.version
                if version is None or version >= _GENERATION_NEEDS:
                    yield from self._of_expression(identity, column.generated)
                else:
                    own = names.column(table.name, column.name)
                    for edge in self._of_expression(own, column.generated):
                        yield edge._replace(need="a")
        for constraint in table.constraints:
            if constraint.name is not None and constraint.kind != "foreign_key":
                identity = names.part("constraint", table.name, constraint.name)
                yield from self._of_constraint(identity, constraint, table.name)
            elif constraint.name is not None and len(may_rely_on(table.name, constraint, self._catalog)) > 1:
                # It relies on one of several unique indexes.
                self.unknown.add(names.part("fk", table.name, constraint.name))
        if table.of_type is not None:
            needed = names.type(table.of_type)
            if needed is not None:
                yield recorded(names.relation(table.name), needed, "n")
        if table.partition_by is not None:
            for element in table.partition_by.elements:
                yield from self._of_expression(names.relation(table.name), element.expression)
        yield from self._of_triggers(table)

    def _of_constraint(self, identity: str, constraint: Constraint, table: Name) -> Iterator[Edge]:
        yield from self._of_expression(identity, constraint.expression, table)
        yield from self._of_expression(identity, constraint.where, table)
        for element in constraint.elements:
            yield from self._of_expression(identity, element.expression)

    def _of_triggers(self, relation: Table | View) -> Iterator[Edge]:
        shown_ones = own_triggers(relation, self._catalog) if isinstance(relation, Table) else relation.triggers
        for trigger in shown_ones:
            identity = self._names.part("trigger", relation.name, trigger.name)
            found = [each for each in self._catalog.routines.get(trigger.function) or () if not each.parameters]
            if found:
                yield recorded(identity, printed(found[0]), "n")
            yield from self._of_expression(identity, trigger.when, relation.name)

    def _of_index(self, index: Index) -> Iterator[Edge]:
        identity = self._names.relation(index.name)
        table = self._catalog.relations.get(index.table)
        columns = {each.name: each.type for each in getattr(table, "columns", None) or ()}
        for element in index.elements:
            if index.constraint is None:
                yield from self._of_expression(identity, element.expression, index.table)
            kind = columns.get(element.column or "")
            chosen = element.operator_class is not None or index.method not in _OWN_CLASSES
            if (kind is not None and self._is_strange(kind)) or (chosen and self._catalog.extensions):
                # Its operator class may be one that an extension brought.
                self.unknown.add(identity)
        if self._may_be_another(index, table):
            self.unknown.add(identity)
        if index.constraint is None:
            yield from self._of_expression(identity, index.where, index.table)

    def _may_be_another(self, index: Index, table: object) -> bool:
        """Whether a partition's index may be the one that the server took for one of the partitioned table's.

        It compares indexes after it has put the bodies of SQL functions in the place of their calls.
        """
        if not isinstance(table, Table) or table.bound is None or index.constraint is not None:
            return False
        called = [name for element in index.elements if element.expression for name in element.expression.functions()]
        own = (each for name in called for each in self._catalog.routines.get(self._catalog.resolve(name, _PATH)) or ())
        return any(each.language == "sql" for each in own)

    # --- types and routines -------------------------------------------------------------------------------------------

    def _of_domain(self, domain: Domain) -> Iterator[Edge]:
        yield from self._of_expression(printed(domain), domain.default)
        for constraint in domain.constraints:
            if constraint.name is not None:
                identity = self._names.part("constraint", domain.name, constraint.name)
                yield from self._of_expression(identity, constraint.expression)

    def _of_routine(self, routine: Routine) -> Iterator[Edge]:
        identity = printed(routine)
        for kind in (*(each.type for each in routine.parameters), routine.returns):
            yield from self._of_type(identity, kind)
        for parameter in routine.parameters:
            yield from self._of_expression(identity, parameter.default)
        if routine.language is not None and routine.language not in _BUILT_IN:
            yield recorded(identity, str(Identity("language", (routine.language,))), "n")

    def _of_type(self, identity: str, kind: Type | None) -> Iterator[Edge]:
        if kind is not None and not kind.reference and kind.name.schema != "pg_catalog":
            needed = self._names.type(self._catalog.resolve_type(kind.name, _PATH))
            if needed is not None:
                yield recorded(identity, needed, "n")
            else:
                # It has another name now, or came with an extension.
                self.unknown.add(identity)

    def _is_strange(self, kind: Type) -> bool:
        """Whether it is a type that the history did not make: of an extension."""
        if kind.reference or kind.name.schema == "pg_catalog":
            return False
        return self._names.type(self._catalog.resolve_type(kind.name, _PATH)) is None

    def _is_converted(self, default: Expr, kind: Type) -> bool:
        """Whether the server keeps the default as a value of the column's type, and so needs that."""
        found = self._catalog.types.get(self._catalog.resolve_type(kind.name, _PATH))
        return default.kind == "constant" or (isinstance(found, Domain) and not kind.dimensions)

    # --- expressions --------------------------------------------------------------------------------------------------

    def _of_expression(self, identity: str, expression: Expr | None, relation: Name | None = None) -> Iterator[Edge]:
        """The functions and types that it names; a constant beside a column of the relation has the column's type."""
        if expression is None:
            return
        for each in expression.walk():
            if relation is not None and any(part.kind == "constant" for part in each.args):
                for part in each.args:
                    if part.kind == "column" and part.name is not None:
                        yield from self._of_constant(identity, relation, part.name.name)
            if each.type is not None:
                yield from self._of_type(identity, each.type)
            if each.kind == "function" and each.name is not None:
                yield from self._of_call(identity, each.name, len(each.args))

    def _of_constant(self, identity: str, relation: Name, column: str) -> Iterator[Edge]:
        table = self._catalog.relations.get(relation)
        for each in getattr(table, "columns", None) or ():
            if each.name == column and each.type is not None and not each.type.dimensions:
                name = self._catalog.resolve_type(each.type.name, _PATH)
                # What is compared with a domain has the type that it is over.
                if not isinstance(self._catalog.types.get(name), Domain):
                    yield from self._of_type(identity, each.type)

    def _of_call(self, identity: str, name: Name, arguments: int) -> Iterator[Edge]:
        if name.schema is None and any(takes(each, arguments) for each in self._elsewhere.get(name.name, ())):
            self.unknown.add(identity)
        for schema in (name.schema,) if name.schema is not None else _PATH:
            qualified = Name(schema, name.name)
            known = self._catalog.routines.get(qualified, ())
            if known is None and qualified in self._catalog.routines:
                # It was there, and has another name now, or is gone.
                self.unknown.add(identity)
            fitting = [each for each in known or () if takes(each, arguments)]
            if not known and self._catalog.extensions and (name.name in _OF_EXTENSIONS or not is_known(name.name)):
                self.unknown.add(identity)
            if len(fitting) == 1:
                yield shown(identity, printed(fitting[0]), "n", "body", name.name)
            elif fitting:
                self.unknown.add(identity)

    # --- what values do not show --------------------------------------------------------------------------------------

    def _doubt_types(self, view: View) -> None:
        """A view's columns have types, which its text does not always show."""
        if view.columns is None:
            self.unknown.add(printed(view))
            return
        for column in view.columns:
            if column.type is None:
                self.unknown.add(self._names.part("column", view.name, column.name))

    def _doubt_texts(self) -> None:
        known = self._catalog.details.dependencies
        self.unknown.update(identity for identity in texts_of(self._catalog) if identity not in known)
        for identity, found in self._catalog.others.items():
            if found is not None and identity not in known and identity.partition(":")[0] not in _FREE:
                self.unknown.add(identity)


def texts_of(catalog: Catalog) -> Iterator[str]:
    """The objects of a catalog whose needs only a text shows, or a server's records."""
    for relation in catalog.relations.values():
        if isinstance(relation, View):
            yield printed(relation)
        if isinstance(relation, Table | View):
            yield from _parts(relation.name, "rule", relation.rules)
        if isinstance(relation, Table):
            yield from _parts(relation.name, "policy", [each.name for each in relation.policies])
    for overloads in catalog.routines.values():
        for routine in overloads or ():
            if routine.kind == "aggregate" or (routine.body is None and routine.language in (None, "sql")):
                yield printed(routine)


def _parts(relation: Name, kind: str, parts: Iterable[str]) -> Iterator[str]:
    for part in parts:
        yield str(Identity(kind, (relation.schema or "public", relation.name, part)))
