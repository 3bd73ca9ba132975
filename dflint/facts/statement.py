"""From the effects of a statement's operations to the effects of the statement: roles become relations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import reduce

from msgspec import Struct

from dflint.facts.outside_knowledge import outside_knowledge
from dflint.facts.passes import is_part_of_alter_table
from dflint.facts.refusal_order import first_refusal
from dflint.facts.role_steps import has_file
from dflint.facts.roles import relations_of
from dflint.facts.subjects import names_existing, relation_name
from dflint.model.catalog import UNKNOWN, Catalog, Index, Relation, Table, View
from dflint.model.catalog import Sequence as SequenceRelation
from dflint.model.context import Context
from dflint.model.effect import Conflicts, Effect, FactUse, Refusal, RoleLock, SqlSpan, StatementEffects, TransactionUse
from dflint.model.locks import blocks_reads, blocks_writes, stronger
from dflint.model.names import Identity, Name
from dflint.model.operations.base import Opaque
from dflint.model.operations.tables import AlterTableOperation


def statement_effects(
    contexts: Sequence[Context], file: str, span: SqlSpan, unread: Iterable[str] = ()
) -> StatementEffects:
    """The effects of one statement.

    Args:
        contexts: of its operations, in the order in which the server works them off; each sees the catalog that the
            ones before it left.
        file: where it stands.
        span: where in the file.
        unread: what else it does that could not be read, in words for users.
    """
    before = contexts[0].catalog if contexts else Catalog()
    modes = [mode for context in contexts if (mode := context.effect.lock("target")) is not None]
    found = _Found(before, reduce(stronger, modes) if modes else None)
    if _transaction_forbidden(contexts):
        found.refusal = Refusal("25001", f"it cannot run in a transaction: {contexts[0].transaction.reason}")
    elif (refused := first_refusal(contexts)) is not None:
        found.refuse(refused)
    for context in contexts:
        found.add(context)
    found.rebuilds.update(_made_again(contexts, found.locks))
    found.unknown.update(dict.fromkeys((*unread, *outside_knowledge(contexts, found.locks))))
    locks = dict(sorted(found.locks.items()))
    return StatementEffects(
        file=file,
        line=span.line,
        sql_span=span,
        operations=tuple(
            context.operation.kind
            for context in sorted(contexts, key=lambda each: each.operation.clause)
            if context.operation.inside != "routine"
        ),
        locks=locks,
        rewrites=tuple(sorted(found.rewrites)),
        scans=tuple(sorted(found.scans)),
        index_rebuilds=tuple(sorted(found.rebuilds)),
        transaction=found.transaction,
        refused_by_server=found.refusal,
        waits_for=tuple(sorted(found.waits_for)),
        leftover_on_timeout=found.leftover,
        conflicts_with=Conflicts(
            any(map(blocks_reads, locks.values())), any(map(blocks_writes, locks.values())), bool(locks)
        ),
        rests_on=tuple(found.facts.values()),
        unknown=() if found.refusal is not None else tuple(found.unknown),
        invalidates_prepared=found.invalidates_prepared,
        lock_count=len(locks),
    )


Wanted = Callable[[Relation, Catalog], bool]


#: Roles of relations that ALTER TABLE opens in the mode of its lock on the table.
_OPENED = frozenset({"children", "partitions", "index"})


class _Found(Struct):
    """What the operations so far do.

    Attributes:
        before: the catalog before the statement.
        together: the strongest mode in which a part of the statement locks its target.
    """

    before: Catalog
    together: str | None = None
    locks: dict[str, str] = {}
    rewrites: set[str] = set()
    scans: set[str] = set()
    rebuilds: set[str] = set()
    transaction: TransactionUse = "allowed"
    refusal: Refusal | None = None
    waits_for: set[str] = set()
    leftover: str | None = None
    facts: dict[str, FactUse] = {}
    unknown: dict[str, None] = {}
    invalidates_prepared: bool = False

    def add(self, context: Context) -> None:
        """Add one operation."""
        if self._gone_already(context):
            return
        effect = context.effect
        if _does_nothing(context):
            self.transaction = effect.transaction if self.transaction != "refused" else self.transaction
            return
        for lock in effect.locks:
            mode = self._mode(lock, effect, context)
            for identity in self._identities(lock.role, context):
                held = self.locks.get(identity)
                self.locks[identity] = mode if held is None else stronger(held, mode)
        self._add_files(effect, context)
        if effect.transaction != "allowed" and self.transaction != "refused":
            self.transaction = effect.transaction
        self.waits_for.update(effect.waits_for)
        self.leftover = self.leftover or effect.leftover_on_timeout or None
        for fact in effect.facts:
            self.facts[fact] = FactUse(fact, effect.confidence)
        self.unknown.update(dict.fromkeys(effect.unknown))
        self._doubt(context)
        self.invalidates_prepared = self.invalidates_prepared or effect.invalidates_prepared

    def _mode(self, lock: RoleLock, effect: Effect, context: Context) -> str:
        """The mode of a lock. ALTER TABLE settles one for all its parts, and opens in it whatever they go on to."""
        together = self.together if isinstance(context.operation, AlterTableOperation) else None
        if together is None or lock.role not in _OPENED or lock.mode != effect.lock("target"):
            return lock.mode
        return stronger(lock.mode, together)

    def _gone_already(self, context: Context) -> bool:
        """Whether an earlier name of the same DROP list has taken this one with it."""
        operation, before = context.operation, self.before
        if operation.clause < 1 or not operation.kind.startswith("drop_") or operation.target is None:
            return False
        name = before.resolve(operation.target, context.session.search_path)
        return before.relations.get(name) is not None and context.catalog.relations.get(name) is None

    def refuse(self, effect: Effect) -> None:
        """Note that the server refuses the statement."""
        self.refusal = Refusal(effect.refused, effect.note or "PostgreSQL does not allow this")
        for fact in effect.facts:
            self.facts[fact] = FactUse(fact, effect.confidence)

    def _doubt(self, context: Context) -> None:
        """Name what the catalog does not show of the relation that the operation is about."""
        operation, catalog = context.operation, context.catalog
        if isinstance(operation, Opaque):
            if operation.rejected:
                self.refusal = Refusal("42601", operation.reason)
                self.unknown.clear()
            else:
                self.unknown[f"what it does: {operation.reason}"] = None
            return
        self.unknown.update(dict.fromkeys(catalog.incomplete))
        name = None if catalog.closed else relation_name(context)
        if name is not None and not operation.kind.startswith("create_table"):
            relation = catalog.relation(name)
            if relation is UNKNOWN or (isinstance(relation, Table) and not relation.complete):
                self.unknown[f"the definition of {name}, its indexes, and what depends on it"] = None

    def _add_files(self, effect: Effect, context: Context) -> None:
        for roles, happens, found in (
            (effect.rewritten, _has_heap, self.rewrites),
            (effect.scanned, _has_heap, self.scans),
            (effect.rebuilt, _has_index_file, self.rebuilds),
        ):
            for role in roles:
                found.update(self._identities(role, context, happens))
        for value, what in (
            (effect.rewrite, "whether it rewrites a table"),
            (effect.scan, "whether it reads a table from end to end"),
            (effect.index_rebuild, "whether it builds an index"),
        ):
            if value is None and not effect.unknown:
                self.unknown[what] = None

    def _identities(self, role: str, context: Context, wanted: Wanted | None = None) -> Iterable[str]:
        """The printed identities of the relations of that role that existed before the statement."""
        before, now = self.before, context.catalog
        for name in relations_of(role, context):
            relation = now.relations.get(name)
            if relation is None and now.relation(name) is None:
                continue
            if (
                before is not now
                and before.relations.get(name) is None
                and (before.closed or isinstance(relation, (Index, SequenceRelation)))
            ):
                continue
            if wanted is None or relation is None or wanted(relation, now):
                found = identity_of(name, relation if relation is not None else before.relations.get(name))
                if found is not None:
                    yield found


def _made_again(contexts: Sequence[Context], locks: Mapping[str, str]) -> Iterator[str]:
    """The indexes that one part of the statement drops and another makes again under the same name."""
    if len(contexts) < 2 or not all(is_part_of_alter_table(each.operation) for each in contexts):
        return
    last = contexts[-1]
    if last.foresee is None:
        return
    for identity in locks:
        if not identity.startswith("index:"):
            continue
        name = Name(*Identity.parse(identity).parts)
        if all(isinstance(context.catalog.relations.get(name), Index) for context in contexts):
            continue
        after = last.foresee().after
        again = after.relations.get(name)
        if again is not None and _has_index_file(again, after):
            yield identity


def _transaction_forbidden(contexts: Sequence[Context]) -> bool:
    """Whether one of the operations cannot run in the transaction that is open: the server looks at that first."""
    return any(
        bool(context.transaction.open) and not _does_nothing(context) and context.effect.transaction == "refused"
        for context in contexts
    )


def _does_nothing(context: Context) -> bool:
    """IF EXISTS, and there is no such thing."""
    return bool(getattr(context.operation, "if_exists", False)) and names_existing(context) is False


def identity_of(name: Name, relation: Relation | None) -> str | None:
    """The printed identity of a relation, None for composite types.

    One of which nothing is known is taken for a table.
    """
    kind = "table"
    if isinstance(relation, Table):
        kind = "table" if relation.foreign_server is None else "foreign_table"
    elif isinstance(relation, Index):
        kind = "index"
    elif isinstance(relation, View):
        kind = "materialized_view" if relation.materialized else "view"
    elif isinstance(relation, SequenceRelation):
        kind = "sequence"
    elif relation is not None:
        return None
    return str(Identity(kind, (name.schema or "public", name.name)))


def _has_heap(relation: Relation, catalog: Catalog) -> bool:
    return not isinstance(relation, (Index, SequenceRelation)) and has_file(relation, catalog)


def _has_index_file(relation: Relation, catalog: Catalog) -> bool:
    return isinstance(relation, Index) and has_file(relation, catalog)
