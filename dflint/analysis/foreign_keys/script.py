"""The statements that make a change without stopping others longer than need be, foreign keys included."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dflint.analysis.foreign_keys.impact import AffectedConstraint, FKOperationType, ForeignKeyImpact
from dflint.model.errors import InputError, nearest
from dflint.model.foreign_keys import NOT_VALID_ON_PARTITIONED
from dflint.model.names import Name
from dflint.model.quoting import quote_identifier, quote_literal
from dflint.model.schema import Constraint
from dflint.planning.undo.spelling import constraint_sql, quoted

#: ``minimal_downtime``: short steps, and no scan under a lock that stops writers. ``single_transaction``: all or
#: nothing, and no moment in which a key that stays is not enforced.
STRATEGIES: Final = ("minimal_downtime", "single_transaction")


def statements(impact: ForeignKeyImpact, strategy: str = STRATEGIES[0]) -> tuple[str, ...]:
    """The statements, in order; those of ``single_transaction`` with BEGIN and COMMIT around them.

    Raises:
        InputError: the strategy is unknown.
    """
    if strategy not in STRATEGIES:
        raise InputError(
            f"there is no strategy {strategy!r}",
            remedy=nearest(strategy, STRATEGIES) or f"known are {', '.join(STRATEGIES)}",
        )
    single = strategy == "single_transaction"
    renewed = list(impact.affected_constraints) if not single and _checks_again(impact) else []
    going = [each for each in impact.affected_constraints if _goes_first(each, impact)]
    listed = [drop(each) for each in (*going, *renewed)]
    listed.append(impact.change.statement)
    for each in renewed:
        listed += again(each, in_one=_in_one(each, impact))
    return ("BEGIN", *listed, "COMMIT") if single and len(listed) > 1 else tuple(listed)


def drop(constraint: AffectedConstraint) -> str:
    """The statement that drops a key."""
    return f"{_alter(constraint.key.table)} DROP CONSTRAINT {quote_identifier(constraint.key.name)}"


def again(constraint: AffectedConstraint, *, in_one: bool) -> Iterator[str]:
    """The statements that make a key again as it was, each a step: added without a look at the rows, then validated.

    Args:
        constraint: that was dropped.
        in_one: its rows are looked at when it is added: the server cannot do otherwise.
    """
    key, name = constraint.key, quote_identifier(constraint.key.name)
    definition = definition_of(constraint)
    later = key.validated and key.enforced and not in_one
    yield f"{_alter(key.table)} ADD CONSTRAINT {name} {definition}{' NOT VALID' if later else ''}"
    if constraint.comment is not None:
        yield f"COMMENT ON CONSTRAINT {name} ON {quoted(key.table)} IS {quote_literal(constraint.comment).strip()}"
    if later:
        yield f"{_alter(key.table)} VALIDATE CONSTRAINT {name}"


def definition_of(constraint: AffectedConstraint) -> str:
    """What stands after the key's name: as the server prints it, or as its parts say."""
    if constraint.definition is not None:
        return constraint.definition
    key = constraint.key
    written = Constraint(
        "foreign_key",
        key.name,
        key.columns,
        references=key.references,
        referenced_columns=key.referenced_columns,
        match=key.match,  # type: ignore[arg-type]  # values of the Literal
        on_delete=key.on_delete,
        on_update=key.on_update,
        set_columns=key.set_columns,
        deferrable=key.deferrable,
        initially_deferred=key.initially_deferred,
        validated=key.validated,
        enforced=key.enforced,
        without_overlaps=key.period,
    )
    text = constraint_sql(written, None, None)
    assert text is not None
    return text


def _goes_first(constraint: AffectedConstraint, impact: ForeignKeyImpact) -> bool:
    """Whether it is dropped for itself: it stands in the way, or would have the other table locked for longer."""
    if impact.change.operation not in (
        FKOperationType.DROP_COLUMN,
        FKOperationType.DROP_TABLE,
        FKOperationType.DROP_CONSTRAINT,
    ):
        return False
    if constraint.identity == _target(impact):
        return False
    if constraint.effect == "blocks":
        return constraint.own or constraint.named
    return constraint.effect == "auto_dropped" and constraint.own


def _target(impact: ForeignKeyImpact) -> str | None:
    """The key that the change itself drops."""
    if impact.change.operation is not FKOperationType.DROP_CONSTRAINT:
        return None
    dropped = [each for each in impact.affected_constraints if drop(each) == impact.change.statement]
    return dropped[0].identity if dropped else None


def _checks_again(impact: ForeignKeyImpact) -> bool:
    """Whether the change would check all rows of the keys again while it stops everybody."""
    return impact.change.operation is FKOperationType.MODIFY_COLUMN_TYPE and impact.scans


def _in_one(constraint: AffectedConstraint, impact: ForeignKeyImpact) -> bool:
    too_old = impact.version is None or impact.version < NOT_VALID_ON_PARTITIONED
    return constraint.identity in impact.partitioned and too_old


def _alter(table: Name) -> str:
    return f"ALTER TABLE {quoted(table)}"
