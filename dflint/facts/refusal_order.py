"""Which of several refusals the server comes to first: statements are looked at in phases, ALTER TABLE in passes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from dflint.facts.passes import adds_constraints, is_part_of_alter_table
from dflint.facts.records import Phase
from dflint.model.catalog import Catalog
from dflint.model.context import Context
from dflint.model.effect import Effect

#: What the server looks at before it carries out any part of a statement.
_EARLY: tuple[Phase, ...] = ("text", "lookup", "preparation")
_ALL: tuple[Phase, ...] = (*_EARLY, "execution", "constraints", "end")


def first_refusal(contexts: Sequence[Context]) -> Effect | None:
    """Why the server certainly refuses the statement: the reason it comes to first; None where it may not refuse.

    Args:
        contexts: of the statement's operations, in the order in which the server works them off; each sees the catalog
            that the ones before it left.
    """
    found = (context.knowledge.refusal(context, phase) for context, phase in _looks(contexts))
    return next((refusal for refusal in found if refusal is not None), None)


def _looks(contexts: Sequence[Context]) -> Iterator[tuple[Context, Phase]]:
    """What the server looks at, in its order."""
    own = [context for context in contexts if context.operation.inside != "routine"]
    # Parts that are commands of their own come one after the other: those of CREATE SCHEMA, or what a routine does.
    together = own if len({_command(context) for context in own}) == 1 else []
    in_text = [_with(context, contexts[0].catalog) for context in sorted(together, key=_clause)]
    for phase in _EARLY:
        yield from ((context, phase) for context in in_text)
    waiting: list[Context] = []
    for context in contexts:
        if context not in together:
            yield from ((context, phase) for phase in _ALL)
            continue
        if waiting and adds_constraints(context.operation):
            yield from ((_with(each, context.catalog), "constraints") for each in waiting)
            waiting.clear()
        yield context, "execution"
        waiting.append(context)
    after = None if not waiting or len(own) == 1 or own[-1].foresee is None else own[-1].foresee().after
    yield from ((each if after is None else _with(each, after), "constraints") for each in waiting)
    yield from ((context, "end") for context in together)


def _command(context: Context) -> str:
    """The command that the operation is a part of: all parts of an ALTER TABLE are of the same."""
    return "alter_table" if is_part_of_alter_table(context.operation) else context.operation.kind


def _clause(context: Context) -> int:
    return context.operation.clause


def _with(context: Context, catalog: Catalog) -> Context:
    """The same operation, looked at when the catalog is another."""
    if catalog is context.catalog:
        return context
    return replace(context, catalog=catalog, answers={}, foresee=None, _effect=None, _locks=None, _resolved={})
