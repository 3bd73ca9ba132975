"""Effects for people: a paragraph for each statement."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dflint.model.effect import EffectsDocument, StatementEffects
from dflint.model.locks import MODES

_WAITING = {
    "writers_of_target": "transactions that write the table",
    "readers_of_target": "transactions that read the table",
    "old_snapshots": "any transaction with an older snapshot",
}


def render(found: EffectsDocument) -> str:
    """The whole answer."""
    parts = [f"PostgreSQL {found.pg_version}"]
    parts += ["\n".join(_statement(statement)) for statement in found.statements]
    return "\n\n".join(parts) + "\n"


def _statement(found: StatementEffects) -> Iterator[str]:
    yield f"{found.file}:{found.line} {', '.join(found.operations)}"
    if found.refused_by_server is not None:
        yield f"  refused: {found.refused_by_server.sqlstate}, {found.refused_by_server.reason}"
    for mode in reversed(MODES):
        locked = [identity for identity, held in found.locks.items() if held == mode]
        if locked:
            yield f"  {mode}: {_listed(locked)}"
    if not found.locks and not found.unknown and found.refused_by_server is None:
        yield "  locks nothing that exists"
    stopped = [word for word, stops in _stopped(found) if stops]
    if stopped:
        yield f"  meanwhile no {', '.join(stopped)}"
    for what, names in (
        ("rewrites", found.rewrites),
        ("scans", found.scans),
        ("builds again", found.index_rebuilds),
    ):
        if names:
            yield f"  {what}: {_listed(names)}"
    if found.transaction != "allowed":
        yield "  not in a transaction" if found.transaction == "refused" else "  whether in a transaction is not known"
    if found.waits_for:
        yield f"  waits for {'; '.join(_WAITING.get(whom, whom) for whom in found.waits_for)}"
    if found.leftover_on_timeout:
        yield f"  leaves behind when it is cancelled: {found.leftover_on_timeout.replace('_', ' ')}"
    for what in found.unknown:
        yield f"  not known: {what}"


def _stopped(found: StatementEffects) -> Iterable[tuple[str, bool]]:
    conflicts = found.conflicts_with
    return (("reads", conflicts.reads), ("writes", conflicts.writes))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
