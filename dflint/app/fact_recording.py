"""From what a server did with a probe to a fact record, for review: names become roles where there are some."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby, product

from msgspec import Struct

from dflint.app.effects import known_facts
from dflint.catalog.reader import read_catalog
from dflint.facts.probes import NEWEST, OLDEST, Probe
from dflint.facts.records import HEAPS, INDEXES
from dflint.facts.roles import documented, relations_of
from dflint.facts.statement import identity_of
from dflint.history.fold import Fold
from dflint.model.catalog import Catalog
from dflint.model.context import Context
from dflint.model.migration import Runner, Section, Span
from dflint.model.observation import Observation
from dflint.sql.libpg_query import load_library
from dflint.sql.parse import Parser
from dflint.trace.observe_probe import ProbeServer

#: Roles that a reader understands at once; others are taken where these do not do.
_NEAR = (
    "target",
    "table",
    "partition",
    "parent",
    "referenced",
    "referencing",
    "default_partition",
    "children",
    "partitions",
    "index",
    "indexes",
    "column_indexes",
    "converted_indexes",
    "sequence",
    "view",
    "using_table",
    "typed_table",
)

#: Steps that mean much at once.
_WIDE_STEPS = ("planned", "checked", "behind", "tree")


class Recorded(Struct, frozen=True):
    """The record of one probe: the lines of its effect on each major, and the kinds of its operations."""

    probe: Probe
    operations: tuple[str, ...]
    effects: Mapping[int, tuple[str, ...]]


async def record(server: ProbeServer, probe: Probe) -> tuple[tuple[str, ...], tuple[str, ...], Observation]:
    """Run a probe; the kinds of its operations, the lines of its fact's effect, and what was seen.

    Raises:
        InputError: the setup fails.
    """
    async with server.prepared(probe) as prepared:
        catalog = await read_catalog(prepared.observer)
        seen = await prepared.observe()
    if seen.transaction == "refused" and seen.error is None:
        seen = await server.study(probe, seen)
    contexts = _contexts(probe, catalog, server.major)
    kinds = tuple(dict.fromkeys(context.operation.kind for context in contexts))
    return kinds, tuple(_effect_lines(seen, _roles(contexts, catalog))), seen


def _contexts(probe: Probe, catalog: Catalog, major: int) -> list[Context]:
    """What the statement's operations see."""
    text = probe.script.encode()
    section = Section("up", Span(0, len(text)))
    statements = Parser(load_library()).parse(text, [section])[0]
    fold = Fold(runner=Runner("psql"), version=major, knowledge=known_facts(), catalog=catalog)
    # After the last statement the fold goes on to speak of the file's end.
    last = len(statements) - 1
    contexts = fold.file(text, [section], [statements], session=probe.session)
    return [context for context in contexts if context.statement.index == last]


def _roles(contexts: Sequence[Context], catalog: Catalog) -> dict[str, frozenset[str]]:
    """Role -> the identities that play it for any of the operations; the simplest roles first."""
    bases, steps = documented()
    names = [*bases, *(f"{base}.{step}" for base, step in product(bases, steps))]
    found: dict[str, frozenset[str]] = {}
    for role in sorted(names, key=_width):
        identities = {
            identity_of(name, catalog.relations.get(name))
            for context in contexts
            for name in relations_of(role, context)
            if catalog.relations.get(name) is not None
        }
        found[role] = frozenset(identity for identity in identities if identity is not None)
    return {role: identities for role, identities in found.items() if identities}


def _width(role: str) -> int:
    """How little a role says: 0 for those that say most."""
    base, *steps = role.split(".")
    return len(steps) + 2 * (base not in _NEAR) + 2 * any(step in _WIDE_STEPS for step in steps)


def _described(wanted: Iterable[str], roles: Mapping[str, frozenset[str]]) -> list[str]:
    """The fewest of the simplest roles that mean exactly these relations; what plays none of them by identity."""
    left, all_wanted = set(wanted), frozenset(wanted)
    usable = {role: identities for role, identities in roles.items() if identities <= all_wanted}
    chosen: list[str] = []
    for _, group in groupby(usable, key=_width):
        alike = list(group)
        while best := max(
            (role for role in alike if usable[role] & left), key=lambda role: len(usable[role] & left), default=""
        ):
            chosen.append(best)
            left -= usable[best]
    return chosen + sorted(left)


def _effect_lines(seen: Observation, roles: Mapping[str, frozenset[str]]) -> Iterable[str]:
    if seen.error is not None:
        yield f'refused: "{seen.error.sqlstate}"'
        return
    locks = [
        (role, mode)
        for mode in dict.fromkeys(seen.locks.values())
        for role in _described([identity for identity, held in seen.locks.items() if held == mode], roles)
    ]
    if locks:
        yield "locks:"
        for role, mode in locks:
            yield f"  {_quoted(role)}: {mode}"
    for field, identities, natural in (
        ("rewrite", seen.rewrites, HEAPS),
        ("scan", seen.scans, HEAPS),
        ("index_rebuild", seen.index_rebuilds, INDEXES),
    ):
        if identities:
            usual = frozenset[str]().union(*(roles.get(role, frozenset()) for role in natural)) == set(identities)
            described = ", ".join(map(_quoted, _described(identities, roles)))
            yield f"{field}: true" if usual else f"{field}: [{described}]"
    if seen.transaction == "refused":
        yield "transaction: refused"
    if seen.waits_for:
        yield f"waits_for: [{', '.join(seen.waits_for)}]"
    if seen.leftover:
        yield f"leftover_on_timeout: {seen.leftover}"


def _quoted(role: str) -> str:
    return role if role.replace(".", "").replace("_", "").isalpha() else "'" + role.replace("'", "''") + "'"


def printed(records: Iterable[Recorded]) -> str:
    """The records as a fact file. Majors with the same effect share one fact."""
    return "schema: 1\nfacts:\n" + "\n".join(_fact(one) for each in records for one in _by_effect(each))


def _by_effect(recorded: Recorded) -> Iterable[tuple[Recorded, list[int]]]:
    """Runs of neighbouring majors with the same effect."""
    runs: list[list[int]] = []
    for major in sorted(recorded.effects):
        if runs and recorded.effects[runs[-1][-1]] == recorded.effects[major]:
            runs[-1].append(major)
        else:
            runs.append([major])
    return [(recorded, run) for run in runs]


def _fact(one: tuple[Recorded, list[int]]) -> str:
    recorded, majors = one
    several = len(majors) < len(recorded.effects)
    probe, effect = recorded.probe, recorded.effects[majors[0]]
    lines = [f"  - id: {probe.id}{f'-{majors[0]}' if several else ''}"]
    lines.append(f"    operations: [{', '.join(recorded.operations)}]")
    since = majors[0] if several and majors[0] > min(recorded.effects) else probe.since
    until = majors[-1] if several and majors[-1] < max(recorded.effects) else probe.until
    if since > OLDEST:
        lines.append(f"    since: {since}")
    if until < NEWEST:
        lines.append(f"    until: {until}")
    lines.append("    effect:" if effect else "    effect: {}")
    lines += [f"      {line}" for line in effect]
    lines.append(f"    note: seen on {', '.join(map(str, majors))}")
    return "\n".join(lines) + "\n"
