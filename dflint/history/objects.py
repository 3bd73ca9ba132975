"""DROP, RENAME, SET SCHEMA and OWNER TO, which name objects of every kind: each kind's own function is chosen here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from dflint.history.constraint_changes import strip_references
from dflint.history.draft import Draft, Refused
from dflint.history.drops import drop_relations, drop_type_users
from dflint.history.indexes import key_columns, remove_index
from dflint.history.naming import clip
from dflint.history.renames import move_relation, move_type, rename_relation
from dflint.history.routines import altered, drop_routine, find, input_types, put_overload
from dflint.history.schemas import drop_other, drop_schema, other_identity
from dflint.history.triggers import (
    drop_policy,
    drop_rule,
    drop_trigger,
    rename_policy,
    rename_rule,
    rename_trigger,
)
from dflint.model.catalog import UNKNOWN, CompositeType, Index, Relation, Routine, Sequence, Table, View
from dflint.model.names import Name
from dflint.model.operations.objects import ChangeOwner, DropObject, RenameObject, SetObjectSchema

#: What each kind of relation is in the catalog.
_RELATIONS: Final[dict[str, type[Relation]]] = {
    "table": Table,
    "foreign_table": Table,
    "view": View,
    "materialized_view": View,
    "sequence": Sequence,
}
_ROUTINES: Final = frozenset({"function", "procedure", "routine", "aggregate"})
_TYPES: Final = frozenset({"type", "domain"})
_RELATION_KINDS: Final = frozenset({*_RELATIONS, "index"})


def _target(operation: DropObject | RenameObject | SetObjectSchema | ChangeOwner) -> Name:
    if operation.target is None:
        raise Refused
    return operation.target


# --- DROP -------------------------------------------------------------------------------------------------------------


def drop_object(draft: Draft, operation: DropObject) -> None:
    """DROP of one object.

    The names of a DROP list are operations of their own, and PostgreSQL lets them depend on each other. In a list
    dependents go along as with CASCADE, because they must be in it too for the statement to succeed.
    """
    kind = operation.object_kind
    in_list = len(draft.together) > 1 if draft.together else operation.clause >= 0
    cascade = operation.cascade or in_list
    if kind in _RELATIONS:
        _drop_relation(draft, operation, _RELATIONS[kind], cascade)
    elif kind == "index":
        _drop_index(draft, operation, cascade)
    elif kind in _TYPES:
        _drop_type(draft, operation, cascade)
    elif kind in _ROUTINES:
        drop_routine(draft, _target(operation), operation.arguments, cascade=cascade)
    elif kind == "schema":
        drop_schema(draft, _target(operation).name, cascade=operation.cascade)
    elif kind == "extension":
        _require(draft.extensions.get(_target(operation).name, UNKNOWN), draft)
        draft.put_extension(_target(operation).name, None)
    elif kind == "publication":
        _require(draft.publications.get(_target(operation).name, UNKNOWN), draft)
        draft.put_publication(_target(operation).name, None)
    elif kind in _ATTACHED_DROPS and operation.on is not None:
        if operation.if_exists and draft.get(draft.resolve(operation.on)) is UNKNOWN:
            # Where there is no such table, the server only says so.
            raise Refused
        _ATTACHED_DROPS[kind](draft, operation.on, _target(operation).name)
    else:
        drop_other(draft, kind, operation.target, operation.arguments, operation.detail)


_ATTACHED_DROPS: Final[dict[str, Callable[[Draft, Name, str], None]]] = {
    "trigger": drop_trigger,
    "rule": drop_rule,
    "policy": drop_policy,
}


def _require(found: object, draft: Draft) -> None:
    if found is None or (found is UNKNOWN and draft.closed):
        raise Refused


def _drop_relation(draft: Draft, operation: DropObject, expected: type[Relation], cascade: bool) -> None:
    name = draft.resolve(_target(operation))
    found = draft.get(name)
    if found is not UNKNOWN and not isinstance(found, expected):
        raise Refused
    if isinstance(found, View) and found.materialized != (operation.object_kind == "materialized_view"):
        raise Refused
    if isinstance(found, Sequence) and found.internal:
        raise Refused
    drop_relations(draft, [name], cascade=cascade)


def _drop_index(draft: Draft, operation: DropObject, cascade: bool) -> None:
    name = draft.resolve(_target(operation))
    found = draft.get(name)
    if found is UNKNOWN:
        draft.remove(name)
        return
    if not isinstance(found, Index) or found.constraint is not None or found.parents:
        raise Refused
    if found.unique and not found.where:
        strip_references(draft, found.table, key_columns(found), cascade, key=True, index=name)
    remove_index(draft, name, cascade=cascade)


def _drop_type(draft: Draft, operation: DropObject, cascade: bool) -> None:
    written = _target(operation)
    name = draft.resolve_type_name(written)
    if name.schema is None:
        name = draft.resolve(written)
    composite = draft.known(name)
    if isinstance(composite, CompositeType):
        drop_relations(draft, [name], cascade=cascade)
        return
    # A sequence or an index may have the name of a type: they have no row type.
    if composite is not None and draft.types.get(name) is None:
        raise Refused
    _require(draft.types.get(name, UNKNOWN), draft)
    drop_type_users(draft, name, cascade)
    draft.remove_type(name)


# --- RENAME -----------------------------------------------------------------------------------------------------------


def rename_object(draft: Draft, operation: RenameObject) -> None:
    """ALTER … RENAME TO."""
    kind, target, new_name = operation.object_kind, operation.target, clip(operation.new_name)
    if kind in _RELATION_KINDS:
        rename_relation(draft, target, new_name, if_exists=operation.if_exists)
    elif kind in _TYPES:
        old = draft.resolve_type_name(target)
        _move_type(draft, old, Name(old.schema, new_name))
    elif kind in _ROUTINES:
        routine = altered(draft, target, operation.arguments)
        _move_routine(draft, routine, Name(routine.name.schema, new_name))
    elif kind == "schema":
        _rename_schema(draft, target.name, new_name)
    elif kind == "publication":
        publication = draft.publications.get(target.name)
        if publication is None or draft.publications.get(new_name) is not None:
            raise Refused
        draft.put_publication(target.name, None)
        draft.put_publication(new_name, replace(publication, name=new_name))
    elif kind in _ATTACHED_RENAMES and operation.on is not None:
        _ATTACHED_RENAMES[kind](draft, operation.on, target.name, new_name)
    else:
        _move_other(draft, operation, kind, Name(target.schema, new_name))


_ATTACHED_RENAMES: Final[dict[str, Callable[[Draft, Name, str, str], None]]] = {
    "trigger": rename_trigger,
    "rule": rename_rule,
    "policy": rename_policy,
}


def _move_type(draft: Draft, old: Name, new: Name) -> None:
    if isinstance(draft.known(old), CompositeType):
        move_relation(draft, old, new)
    else:
        move_type(draft, old, new)


def _move_routine(draft: Draft, routine: Routine, new: Name) -> None:
    others = draft.routines.get(new) or ()
    if find(others, input_types(routine.parameters)) is not None:
        raise Refused
    put_overload(draft, routine, None)
    draft.put_routines(new, (*others, replace(routine, name=new)))
    if input_types(routine.parameters):
        return
    for name in draft.users_of_routine.get(routine.name, ()):
        relation = draft.known(name)
        if isinstance(relation, Table | View):
            triggers = tuple(
                [
                    replace(trigger, function=new) if trigger.function == routine.name else trigger
                    for trigger in relation.triggers
                ]
            )
            draft.put(replace(relation, triggers=triggers))


def _rename_schema(draft: Draft, old: str, new: str) -> None:
    if draft.schemas.get(new) or draft.schemas.get(old, True) is None or old == new:
        raise Refused
    draft.put_schema(new, True)
    for where, member in draft.members(old):
        moved = Name(new, member.name)
        if where == "relations" and draft.known(member) is not None:
            move_relation(draft, member, moved)
        elif where == "types":
            move_type(draft, member, moved)
        elif where == "routines":
            for routine in draft.routines.get(member) or ():
                _move_routine(draft, routine, moved)
    draft.put_schema(old, None)
    for key, extension in list(draft.extensions.items()):
        if extension is not None and extension.schema == old:
            draft.put_extension(key, replace(extension, schema=new))
    for key, publication in list(draft.publications.items()):
        if publication is not None and old in publication.schemas:
            schemas = sorted(new if schema == old else schema for schema in publication.schemas)
            draft.put_publication(key, replace(publication, schemas=tuple(schemas)))


def _move_other(draft: Draft, operation: RenameObject | SetObjectSchema, kind: str, new: Name) -> None:
    old_key = other_identity(draft, kind, operation.target, operation.arguments)
    new_key = other_identity(draft, kind, new, operation.arguments)
    if old_key is None or new_key is None or draft.others.get(new_key):
        raise Refused
    if draft.others.get(old_key, not draft.closed or None) is None:
        raise Refused
    draft.put_other(old_key, None)
    draft.put_other(new_key, True)


# --- SET SCHEMA and OWNER TO ------------------------------------------------------------------------------------------


def set_object_schema(draft: Draft, operation: SetObjectSchema) -> None:
    """ALTER … SET SCHEMA."""
    kind, target, schema = operation.object_kind, operation.target, operation.schema
    if draft.schemas.get(schema, True) is None and kind != "extension":
        raise Refused
    if kind in _RELATION_KINDS:
        old = draft.resolve(target)
        found = draft.known(old)
        if isinstance(found, Index) or (isinstance(found, Sequence) and found.owner_table is not None):
            raise Refused
        if found is None and draft.get(old) is UNKNOWN and operation.if_exists:
            draft.remove(old)
            draft.forget_quietly(Name(schema, old.name))
        else:
            move_relation(draft, old, Name(schema, old.name))
    elif kind in _TYPES:
        name = draft.resolve_type_name(target)
        _move_type(draft, name, Name(schema, name.name))
    elif kind in _ROUTINES:
        routine = altered(draft, target, operation.arguments)
        _move_routine(draft, routine, Name(schema, routine.name.name))
    elif kind == "extension":
        extension = draft.extensions.get(target.name)
        if extension is None:
            raise Refused
        draft.put_extension(target.name, replace(extension, schema=schema))
    else:
        _move_other(draft, operation, kind, Name(schema, target.name))


def change_owner(draft: Draft, operation: ChangeOwner) -> None:
    """ALTER … OWNER TO, of what the catalog keeps an owner for."""
    if operation.target is None or operation.object_kind not in _RELATION_KINDS:
        return
    found = draft.known(draft.resolve(operation.target))
    if isinstance(found, Table | View):
        draft.put(replace(found, owner=operation.owner))
