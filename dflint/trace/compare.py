"""Where a prediction and an observation differ."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from dflint.model.effect import StatementEffects
from dflint.model.locks import stronger
from dflint.model.observation import Observation
from dflint.model.trace import Difference, Prediction, Quantity

#: Errors that nobody can say from a schema, for they rest on rows, on other sessions or on time; and plain mistakes,
#: such as a name that does not exist, of which facts do not speak. SQLSTATEs and their classes.
_NOT_FORESEEN = tuple(
    "08 21 22 23 28 40 53 55P03 57 58 P0 3D 3F 42501 42601 42602 42622 42701 42702 42703 42704 42710 42712 42723 42725 "
    "42883 42P01 42P02 42P03 42P04 42P05 42P06 42P07 42P08 42P09".split()
)


def prediction_of(effects: StatementEffects) -> Prediction:
    """What of a prediction can be compared, and on what it rests."""
    refusal = effects.refused_by_server
    return Prediction(
        locks=effects.locks,
        rewrites=effects.rewrites,
        scans=effects.scans,
        index_rebuilds=effects.index_rebuilds,
        transaction=effects.transaction,
        refused=None if refusal is None else refusal.sqlstate,
        unknown=effects.unknown,
        facts=tuple(dict.fromkeys(use.fact for use in effects.rests_on)),
    )


class Circumstances(Struct, frozen=True, kw_only=True):
    """Under which a statement was observed.

    Attributes:
        held: the strongest mode that the transaction held on each relation before the statement, by identity.
        filled: tables that have at least a page.
        alone: it ran in no transaction block, so that it could show whether it may run in one.
        data: what it does depends on rows: whether triggers fire, how it is planned.
    """

    held: Mapping[str, str] = {}
    filled: frozenset[str] = frozenset()
    alone: bool = False
    data: bool = False


def differences(predicted: Prediction, observed: Observation, under: Circumstances) -> tuple[Difference, ...]:
    """Where the prediction was wrong, sorted by quantity and identity."""
    sqlstate = None if observed.error is None else observed.error.sqlstate
    if sqlstate is not None and predicted.refused is None and sqlstate.startswith(_NOT_FORESEEN):
        return ()
    if predicted.refused != sqlstate:
        return (Difference(what="refusal", identity=None, predicted=predicted.refused, observed=sqlstate),)
    if sqlstate is not None:
        return ()
    return (
        *_of_locks(predicted, observed, under),
        *_of_list("rewrites", predicted.rewrites, observed.rewrites),
        *_of_list("scans", _seen_if_made(predicted, observed, under), observed.scans),
        *_of_list("index_rebuilds", predicted.index_rebuilds, observed.index_rebuilds),
        *_of_use(predicted, observed, under),
    )


def _seen_if_made(predicted: Prediction, observed: Observation, under: Circumstances) -> tuple[str, ...]:
    """The predicted scans without those that show only with rows: a join whose one side is empty reads no other."""
    if under.filled.issuperset(predicted.scans):
        return predicted.scans
    return tuple(identity for identity in predicted.scans if identity in observed.scans)


def _of_locks(predicted: Prediction, observed: Observation, under: Circumstances) -> Iterator[Difference]:
    held = under.held
    for identity in sorted({*predicted.locks, *observed.locks}):
        said, seen = predicted.locks.get(identity), observed.locks.get(identity)
        if said == seen:
            continue
        before = held.get(identity)
        if said is not None and seen is None and before is not None and stronger(before, said) == before:
            # Held already: the statement had nothing to take.
            continue
        weaker = said is not None and (seen is None or stronger(said, seen) == said)
        if weaker and (observed.transaction == "refused" or under.data):
            # Looked at from time to time, so that the strongest moment may have been missed; or it depends on rows.
            continue
        yield Difference(what="locks", identity=identity, predicted=said, observed=seen)


def _of_list(what: Quantity, predicted: Iterable[str], observed: Iterable[str]) -> Iterator[Difference]:
    said, seen = set(predicted), set(observed)
    for identity in sorted(said ^ seen):
        words = ("yes", "no") if identity in said else ("no", "yes")
        yield Difference(what=what, identity=identity, predicted=words[0], observed=words[1])


def _of_use(predicted: Prediction, observed: Observation, under: Circumstances) -> Iterator[Difference]:
    if under.alone and predicted.transaction not in ("unknown", observed.transaction):
        yield Difference(
            what="transaction", identity=None, predicted=predicted.transaction, observed=observed.transaction
        )
