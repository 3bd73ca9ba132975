"""Conditions about the target, the transaction, the session's settings and the operation's effect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dflint.facts import role_steps, subjects
from dflint.facts.condition import BOOL, NUMBER, TEXT, TEXTS, Condition
from dflint.facts.dependents import dependents_beside, going_together, identities_of, subject_identities
from dflint.facts.refusal_order import first_refusal
from dflint.model.catalog import UNKNOWN, CompositeType, Index, Sequence, Table, Unknown, View
from dflint.model.context import Context
from dflint.model.locks import MODES, blocks_reads, blocks_writes
from dflint.model.names import Name

Answer = bool | Unknown


def _newness(context: Context, name: Name | Unknown | None) -> Answer:
    if name is UNKNOWN:
        return UNKNOWN
    if name is None:
        return False
    new = context.is_new(name)
    return UNKNOWN if new is None else new


# --- target ---------------------------------------------------------------------------------------------------------


def target_new(context: Context) -> Answer:
    """The relation that the operation is about was created by this very change: nobody else uses it."""
    return _newness(context, subjects.relation_name(context))


def table_new(context: Context) -> Answer:
    """The table was created by this very change; for an index or sequence, the table it belongs to."""
    name = subjects.table_name(context)
    # An index that this change did not make belongs to a table that it did not make either.
    return _newness(context, subjects.relation_name(context) if name is UNKNOWN else name)


def target_exists(context: Context) -> Answer:
    """The target exists before the operation (for CREATE: something of its name is there already)."""
    return subjects.names_existing(context)


def target_kind(context: Context) -> str | Unknown | None:
    """What kind of relation the target really is; null when there is none of that name."""
    if context.operation.target is None:
        return None
    found = context.relation(context.operation.target)
    if found is UNKNOWN:
        return UNKNOWN
    if isinstance(found, Table):
        return "table" if found.foreign_server is None else "foreign_table"
    if isinstance(found, View):
        return "materialized_view" if found.materialized else "view"
    names = {Index: "index", Sequence: "sequence", CompositeType: "composite_type"}
    return None if found is None else names[type(found)]


def _table_test(test: Callable[[Table], bool]) -> Callable[[Context], Answer]:
    def answer(context: Context) -> Answer:
        found = subjects.table(context)
        if isinstance(found, Table):
            # What a table that was only altered does not show, it may have all the same.
            return test(found) or (False if found.complete else UNKNOWN)
        return UNKNOWN if found is UNKNOWN else False

    return answer


def target_temporary(context: Context) -> bool:
    """The table is temporary: only this session sees it."""
    # Nobody but the session itself can have made it, so that what is not in sight is not temporary.
    own = getattr(context.operation, "persistence", None)
    if own is not None:
        return bool(own == "temporary")
    name, found = subjects.table_name(context), subjects.table(context)
    in_temporary_schema = isinstance(name, Name) and name.schema == "pg_temp"
    return in_temporary_schema or (isinstance(found, Table) and found.persistence == "temporary")


def target_unlogged(context: Context) -> Answer:
    """The table is unlogged."""
    own = getattr(context.operation, "persistence", None)
    return _table_test(lambda table: table.persistence == "unlogged")(context) if own is None else own == "unlogged"


def target_partitioned(context: Context) -> Answer:
    """The table is partitioned: it has partitions and no rows of its own."""
    return _table_test(lambda table: table.partition_by is not None)(context)


def target_partition(context: Context) -> Answer:
    """The table is a partition."""
    return _table_test(lambda table: table.bound is not None)(context)


def target_foreign(context: Context) -> Answer:
    """The table is a foreign table."""
    return _table_test(lambda table: table.foreign_server is not None)(context)


def target_has_children(context: Context) -> Answer:
    """The table has partitions or inheritance children."""
    name = subjects.table_name(context)
    if isinstance(name, Name):
        if context.catalog.children_of.get(name):
            return True
        found = context.catalog.table(name)
        known = context.catalog.closed or found is None or (isinstance(found, Table) and found.complete)
        return False if known else UNKNOWN
    return UNKNOWN if name is UNKNOWN else False


def target_in_use(context: Context) -> bool:
    """DROP without CASCADE: other objects need what is dropped. Only `dflint effects` asks; for rules it is false."""
    if context.foresee is None or getattr(context.operation, "cascade", False):
        return False
    column = subjects.column_name(context)
    if subjects.names_existing(context) is not True or (column is not None and subjects.column(context) is None):
        return False
    if len(context.statement.operations) > 1 and column is None:
        # In a list the things that go may need each other.
        going = going_together(context)
        start = [text for name in sorted(going) for text in identities_of(context.catalog, name)]
        children = (child for name in going for child in context.catalog.children_of.get(name, ()))
        if any(child not in going for child in children):
            return True
        return dependents_beside(context, start or subject_identities(context), going)
    change = context.foresee()
    going = change.touched if column is None else frozenset[Name]()
    return not change.happens or dependents_beside(context, subject_identities(context), going)


def owner_same(context: Context) -> Answer:
    """OWNER TO: it is the owner already."""
    found = None if context.operation.target is None else context.relation(context.operation.target)
    owner = getattr(found, "owner", None)
    if owner is None and found is not None and found is not UNKNOWN:
        identity = context.identity()
        owner = None if identity is None else context.catalog.details.owners.get(identity)
    wanted = getattr(context.operation, "owner", None)
    if owner is None or wanted is None:
        return UNKNOWN
    return bool(owner == wanted)


def target_referenced(context: Context) -> Answer:
    """Foreign keys of other tables, or its own, refer to the table."""
    name = subjects.table_name(context)
    if not isinstance(name, Name):
        return UNKNOWN if name is UNKNOWN else False
    if any(True for _ in role_steps.referencing((name,), context.catalog)):
        return True
    return False if context.catalog.closed else UNKNOWN


def target_complete(context: Context) -> bool:
    """All columns and constraints of the table are known."""
    found = subjects.table(context)
    return isinstance(found, Table) and found.complete


# --- other relations ------------------------------------------------------------------------------------------------


def referenced_new(context: Context) -> Answer:
    """Every table that the operation's own foreign keys refer to was created by this very change."""
    answers = [_newness(context, name) for name in subjects.referenced_names(context)]
    if False in answers:
        return False
    return UNKNOWN if UNKNOWN in answers else bool(answers)


def referenced_self(context: Context) -> bool:
    """The operation's foreign keys refer to its own table only."""
    names = subjects.referenced_names(context)
    return bool(names) and all(name == subjects.relation_name(context) for name in names)


def _other_new(field: str) -> Callable[[Context], Answer]:
    def answer(context: Context) -> Answer:
        name = getattr(context.operation, field, None)
        return _newness(context, None if name is None else context.resolve(name))

    return answer


def partition_new(context: Context) -> Answer:
    """The partition that ATTACH or DETACH names was created by this very change."""
    return _other_new("partition")(context)


def parent_new(context: Context) -> Answer:
    """The parent (PARTITION OF, INHERIT, NO INHERIT) was created by this very change."""
    parent = getattr(context.operation, "partition_of", None) or getattr(context.operation, "parent", None)
    return _newness(context, None if parent is None else context.resolve(parent))


def index_exists(context: Context) -> Answer:
    """CREATE INDEX: something of the index's name is already there, in the table's schema."""
    name, target = getattr(context.operation, "name", None), context.target
    if target is None or not isinstance(name, str):
        return False
    found = context.catalog.relation(Name(target.schema, name))
    if found is UNKNOWN:
        # All indexes of a table that the history knows completely are known.
        table = context.catalog.table(target)
        return False if isinstance(table, Table) and table.complete else UNKNOWN
    return found is not None


def index_constraint(context: Context) -> Answer:
    """The index (DROP INDEX, ALTER INDEX, REINDEX INDEX) serves a constraint."""
    found = _index(context)
    return found.constraint is not None if isinstance(found, Index) else UNKNOWN if found is UNKNOWN else False


def index_unique(context: Context) -> Answer:
    """The index (DROP INDEX, ALTER INDEX, REINDEX INDEX) is unique."""
    found = _index(context)
    return found.unique if isinstance(found, Index) else UNKNOWN if found is UNKNOWN else False


def index_valid(context: Context) -> Answer:
    """The index (DROP INDEX, ALTER INDEX, REINDEX INDEX) is valid."""
    found = _index(context)
    return found.valid if isinstance(found, Index) else UNKNOWN if found is UNKNOWN else False


def _index(context: Context) -> Any:
    target = context.operation.target
    return None if target is None else context.relation(target)


# --- transaction and settings ---------------------------------------------------------------------------------------


def transaction_open(context: Context) -> Answer:
    """PostgreSQL sees a transaction block: BEGIN, the runner's own, or several statements in one string."""
    is_open = context.transaction.open
    return UNKNOWN if is_open is None else is_open


def transaction_kind(context: Context) -> str | Unknown:
    """What made the transaction; `none` when the statement is its own."""
    kind = context.transaction.kind
    return UNKNOWN if kind == "unknown" else kind


def transaction_first_statement(context: Context) -> bool:
    """No earlier statement of the transaction has done anything but steer the session."""
    earlier = context.earlier
    return not earlier or earlier[0].statement is context.statement


_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "min": 60_000.0, "h": 3_600_000.0, "d": 86_400_000.0, "": 1.0}


def milliseconds(value: str) -> int | None:
    """A duration as PostgreSQL's settings take it, in milliseconds; None when it is none."""
    text = value.strip().strip("'").strip()
    digits = len(text)
    while digits and not (text[digits - 1].isdigit() or text[digits - 1] == "."):
        digits -= 1
    try:
        amount = float(text[:digits])
    except ValueError:
        return None
    unit = _UNITS.get(text[digits:].strip())
    if unit is None or amount < 0:
        return None
    result = amount * unit
    return max(1, round(result)) if result else 0


def _duration(name: str) -> Callable[[Context], int | Unknown | None]:
    def answer(context: Context) -> int | Unknown | None:
        setting = context.session.setting(name)
        if setting is None or setting.value is None:
            return None
        found = milliseconds(setting.value)
        return UNKNOWN if found is None else found

    answer.__doc__ = f"{name} in milliseconds, 0 for off; null when nothing in sight sets it."
    return answer


def version(context: Context) -> int:
    """The server's major version that is judged for."""
    return context.version


# --- effect ---------------------------------------------------------------------------------------------------------


def _known(value: bool | None) -> Answer:
    return UNKNOWN if value is None else value


def effect_rewrite(context: Context) -> Answer:
    """The table's heap is written anew."""
    return _known(context.effect.rewrite)


def effect_scan(context: Context) -> Answer:
    """A table is read from end to end while the lock is held."""
    return _known(context.effect.scan)


def effect_index_rebuild(context: Context) -> Answer:
    """An index is built or rebuilt while the lock is held."""
    return _known(context.effect.index_rebuild)


def effect_long(context: Context) -> Answer:
    """It rewrites, scans or builds an index: the lock is held for a time that grows with the table."""
    effect = context.effect
    parts = (effect.rewrite, effect.scan, effect.index_rebuild)
    return True if True in parts else UNKNOWN if None in parts else False


def effect_transaction(context: Context) -> str | Unknown:
    """Whether the server lets the operation run in a transaction block."""
    found = context.effect.transaction
    return UNKNOWN if found == "unknown" else found


def effect_refused(context: Context) -> str | None:
    """The SQLSTATE of a certain refusal, whatever the transaction; null when there is none."""
    refused = first_refusal((context,))
    return None if refused is None else refused.refused


def effect_waits_for(context: Context) -> tuple[str, ...]:
    """Whom it waits for beside holders of conflicting locks."""
    return context.effect.waits_for


def effect_leftover(context: Context) -> str | None:
    """What a cancelled run leaves behind: `invalid_index`, `detach_pending`; null for nothing."""
    return context.effect.leftover_on_timeout or None


def effect_blocks_reads(context: Context) -> Answer:
    """SELECT on some relation has to wait."""
    return _blocks(context, blocks_reads)


def effect_blocks_writes(context: Context) -> Answer:
    """INSERT, UPDATE and DELETE on some relation have to wait."""
    return _blocks(context, blocks_writes)


def _blocks(context: Context, blocks: Callable[[str], bool]) -> Answer:
    answer: Answer = False
    for lock in context.effect.locks:
        if blocks(lock.mode):
            if lock.certain:
                return True
            answer = UNKNOWN
    return answer


def _lock_on(role: str) -> Callable[[Context], str | Unknown | None]:
    def answer(context: Context) -> str | Unknown | None:
        for lock in context.effect.locks:
            if lock.role == role:
                return lock.mode if lock.certain else UNKNOWN
        return None

    answer.__doc__ = f"The lock taken on the {role.replace('_', ' ')}; null for none."
    return answer


_EXISTED = "whether {target} existed before this migration"
_TABLE = "the definition of {target}"
_EFFECT = "{unknown_effect}"
_DURATIONS = ("lock_timeout", "statement_timeout", "transaction_timeout", "idle_in_transaction_session_timeout")

CONDITIONS: tuple[Condition, ...] = (
    Condition("target.new", BOOL, target_new, _EXISTED),
    Condition("target.exists", BOOL, target_exists, "whether {target} exists"),
    Condition(
        "target.kind",
        ("table", "foreign_table", "view", "materialized_view", "index", "sequence", "composite_type"),
        target_kind,
        "what {target} is",
        null=True,
    ),
    Condition("target.temporary", BOOL, target_temporary),
    Condition("target.unlogged", BOOL, target_unlogged, _TABLE),
    Condition("target.partitioned", BOOL, target_partitioned, "whether {table} is partitioned"),
    Condition("target.partition", BOOL, target_partition, "whether {table} is a partition"),
    Condition("target.foreign", BOOL, target_foreign, "whether {table} is a foreign table"),
    Condition("target.has_children", BOOL, target_has_children, "whether {table} has partitions or children"),
    Condition("target.referenced", BOOL, target_referenced, "which foreign keys refer to {target}"),
    Condition("target.in_use", BOOL, target_in_use),
    Condition("owner.same", BOOL, owner_same, "who owns {target}"),
    Condition("target.complete", BOOL, target_complete),
    Condition("table.new", BOOL, table_new, "whether {table} existed before this migration"),
    Condition("referenced.new", BOOL, referenced_new, "whether {referenced} existed before this migration"),
    Condition("referenced.self", BOOL, referenced_self),
    Condition("partition.new", BOOL, partition_new, "whether {partition} existed before this migration"),
    Condition("parent.new", BOOL, parent_new, "whether {parent} existed before this migration"),
    Condition("index.exists", BOOL, index_exists, "whether an index {name} exists"),
    Condition("index.constraint", BOOL, index_constraint, "whether {target} serves a constraint"),
    Condition("index.unique", BOOL, index_unique, "whether {target} is unique"),
    Condition("index.valid", BOOL, index_valid, "whether {target} is valid"),
    Condition("transaction.open", BOOL, transaction_open, "whether it runs in a transaction", catalog=False),
    Condition(
        "transaction.kind",
        ("none", "explicit", "implicit", "runner"),
        transaction_kind,
        "whether it runs in a transaction",
        catalog=False,
    ),
    Condition("transaction.first_statement", BOOL, transaction_first_statement, catalog=False),
    *(
        Condition(f"setting.{name}", NUMBER, _duration(name), f"what {name} is set to", catalog=False, null=True)
        for name in _DURATIONS
    ),
    Condition("version", NUMBER, version, catalog=False),
    Condition("effect.rewrite", BOOL, effect_rewrite, _EFFECT),
    Condition("effect.scan", BOOL, effect_scan, _EFFECT),
    Condition("effect.index_rebuild", BOOL, effect_index_rebuild, _EFFECT),
    Condition("effect.long", BOOL, effect_long, _EFFECT),
    Condition("effect.transaction", ("allowed", "refused"), effect_transaction, _EFFECT),
    Condition("effect.refused", TEXT, effect_refused, null=True),
    Condition("effect.waits_for", TEXTS, effect_waits_for),
    Condition("effect.leftover", TEXT, effect_leftover, null=True),
    Condition("effect.blocks_reads", BOOL, effect_blocks_reads, _EFFECT),
    Condition("effect.blocks_writes", BOOL, effect_blocks_writes, _EFFECT),
    Condition("lock", MODES, _lock_on("target"), _EFFECT, null=True),
    *(
        Condition(f"lock.{role}", MODES, _lock_on(role), _EFFECT, null=True)
        for role in ("referenced", "parent", "partition", "default_partition", "index", "sequence", "view")
    ),
)
