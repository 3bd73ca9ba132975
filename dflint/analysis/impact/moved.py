"""What a rename or a move makes of the names of objects: old key to new key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from dflint.analysis.targets import Target, tree
from dflint.catalog.identities import printed
from dflint.model.catalog import Catalog, Index, Relation, Routine, Sequence, Table
from dflint.model.expressions import Type
from dflint.model.names import Name
from dflint.model.operations.base import Operation
from dflint.model.operations.objects import RenameColumn, RenameConstraint, RenameObject, SetObjectSchema
from dflint.sql.references import Reference


class Key(Struct, frozen=True):
    """What a text refers to.

    Attributes:
        name: the object; of a column or constraint, its relation.
        part: the column or constraint.
        constraint: the part is a constraint.
    """

    name: Name
    part: str | None = None
    constraint: bool = False


def key_of(reference: Reference) -> Key:
    """The key of a reference."""
    return Key(Name(reference.schema, reference.name), reference.column, reference.kind == "constraint")


class Moved(Struct, frozen=True):
    """The names that a change gives.

    Attributes:
        objects: relations and types, old name -> new one.
        parts: columns and constraints, old key -> new name.
        routine: printed identity of the routine that is renamed or moved; None where another kind of object is.
        routine_name: its old and its new name.
    """

    objects: Mapping[Name, Name]
    parts: Mapping[Key, str]
    routine: str | None = None
    routine_name: tuple[Name, Name] | None = None

    @classmethod
    def of(cls, operation: Operation, target: Target, catalog: Catalog) -> Moved:
        """What an operation renames or moves, and what goes along with it."""
        if isinstance(operation, RenameColumn) and target.relation is not None:
            names = tree(target, catalog)
            return cls({}, {Key(each, operation.column): operation.new_name for each in names})
        if isinstance(operation, RenameConstraint) and target.relation is not None:
            return cls({}, dict(_constraint(target.relation, operation.name, operation.new_name)))
        if not isinstance(operation, RenameObject | SetObjectSchema):
            return cls({}, {})
        old = target.relation or (target.named.name if target.named is not None else None)
        if old is None:
            return cls({}, {})
        new = _new(old, operation)
        if isinstance(target.named, Routine):
            return cls({}, {}, target.identity, (old, new))
        objects = {old: new}
        relation = catalog.relations.get(old)
        if isinstance(operation, SetObjectSchema) and isinstance(relation, Table):
            objects |= {each: Name(new.schema, each.name) for each in _taken_along(old, catalog)}
        parts: dict[Key, str] = {}
        if isinstance(relation, Index) and relation.constraint is not None:
            parts = dict(_constraint(relation.table, relation.constraint, new.name))
        return cls(objects, parts)

    @property
    def words(self) -> frozenset[str]:
        """The old and new names: a text that holds none of them means what it meant, unless it has a star."""
        routines = self.routine_name or ()
        named = {each.name for pair in self.objects.items() for each in pair} | {each.name for each in routines}
        relations = {key.name.name for key in self.parts}
        return frozenset(named | relations | {key.part or "" for key in self.parts} | set(self.parts.values()))

    def key(self, key: Key) -> Key:
        """What a key is called after the change."""
        part = self.parts.get(key, key.part)
        return replace(key, name=self.objects.get(key.name, key.name), part=part)

    def concerns(self, key: Key) -> bool:
        """Whether the key itself gets another name: not only the relation that it is a part of."""
        return key in self.parts or (key.part is None and key.name in self.objects)

    def after(self, routine: Routine) -> Routine:
        """A routine as it is after the change: its types, and itself, by their new names."""
        name = routine.name
        if self.routine_name is not None and self.routine == printed(routine):
            name = self.routine_name[1]
        parameters = tuple(replace(each, type=self._type(each.type)) for each in routine.parameters)
        returns = None if routine.returns is None else self._type(routine.returns)
        return replace(routine, name=name, parameters=parameters, returns=returns)

    def _type(self, kind: Type) -> Type:
        new = self.objects.get(kind.name)
        return kind if new is None else replace(kind, name=new)


def _new(old: Name, operation: RenameObject | SetObjectSchema) -> Name:
    if isinstance(operation, SetObjectSchema):
        return Name(operation.schema, old.name)
    return Name(old.schema, operation.new_name)


def _constraint(table: Name, old: str, new: str) -> Iterator[tuple[Key, str]]:
    yield Key(table, old, constraint=True), new


def _taken_along(table: Name, catalog: Catalog) -> Iterator[Name]:
    """What moves to another schema with a table: its indexes and the sequences of its columns."""
    yield from catalog.indexes_of.get(table, ())
    relation: Relation | None
    for name, relation in catalog.relations.items():
        if isinstance(relation, Sequence) and relation.owner_table == table:
            yield name
