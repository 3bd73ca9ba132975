"""The use case of ``dflint assess``: what may go wrong when statements run, with the reasons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache, partial
from itertools import groupby
from typing import Final

from msgspec.structs import replace

from dflint.analysis.impact import command_of
from dflint.analysis.risk import Question, StepView, assess
from dflint.analysis.risk.harms import KINDS
from dflint.analysis.risk.views import made_here
from dflint.app.called import with_called
from dflint.app.effects import known_facts, span_of
from dflint.app.impact import ImpactAnalysis
from dflint.app.plan import plan_sql
from dflint.app.surroundings import Surroundings
from dflint.facts.passes import in_passes
from dflint.facts.statement import statement_effects
from dflint.history.fold import Fold
from dflint.history.foresight import foresee
from dflint.model.calibration import STATED, Calibration
from dflint.model.catalog import Catalog
from dflint.model.context import Context
from dflint.model.effect import StatementEffects
from dflint.model.errors import InputError, NotFound
from dflint.model.impact import Impact
from dflint.model.migration import Runner, Section, Span
from dflint.model.plan import Plan, Step
from dflint.model.risk import Circumstances, RiskAssessment
from dflint.planning.statements import parser, statements_of
from dflint.plugin.manager import Plugins
from dflint.plugin.manager import load as load_reference
from dflint.rulebook.risk import RiskBook, load_risk
from dflint.sql.source_text import SourceText

#: What rows of the matrix may require; how each is found out, `dflint.app.required_checks` says.
TOOLS: Final = (
    "validation",
    "not-null-handler",
    "dependencies",
    "risk",
    "mitigation",
    "rename-analysis",
    "foreign-keys",
    "performance",
    "index-usage",
    "lock",
    "snapshot",
    "rehearsal",
)


@cache
def risk_book(plugins: tuple[str, ...] = (), paths: tuple[str, ...] = ()) -> RiskBook:
    """The risk rules and the matrix that come with dflint, and those of plugins and further files.

    Raises:
        RuleErrors: they are malformed.
        PluginError: a plugin cannot be loaded.
    """
    found = Plugins(list(plugins))
    return load_risk((*found.rule_paths(), *paths), harms=KINDS, tools=TOOLS, checks=found.risk_checks())


def assess_sql(
    sql: str,
    surroundings: Surroundings,
    *,
    operation: str | None = None,
    circumstances: Circumstances | None = None,
    impacts: Sequence[Impact] = (),
    book: RiskBook | None = None,
    calibration: Calibration = STATED,
) -> RiskAssessment:
    """What may go wrong when statements run as they are written.

    Args:
        sql: the statements, split as psql would.
        operation: what it is called; None: by the kind of its first operation.
        circumstances: under which they run; None: nothing is promised.
        impacts: what they do to other objects, where it was looked up already.
        book: None: the rules that come with dflint.
        calibration: what work takes on the server.

    Raises:
        InputError: a statement cannot be executed as it stands.
    """
    plan = plan_sql(sql, surroundings.catalog, version=surroundings.version, calibration=calibration)
    return assess_plan(
        plan, surroundings, operation=operation, sql=sql, circumstances=circumstances, impacts=impacts, book=book
    )


def assess_plan(
    plan: Plan,
    surroundings: Surroundings,
    *,
    operation: str | None = None,
    sql: str | None = None,
    circumstances: Circumstances | None = None,
    impacts: Sequence[Impact] = (),
    book: RiskBook | None = None,
) -> RiskAssessment:
    """What may go wrong when a plan is executed, by the same rules as for what it replaces.

    Raises:
        InputError: the plan is for another schema.
    """
    used = book or risk_book()
    walk = _Walk(surroundings, {each.target: each for each in impacts})
    views = [walk.view(step) for step in plan.steps]
    contexts = [context for view in views for context in view.contexts]
    question = Question(
        operation=operation or (contexts[0].operation.kind if contexts else "nothing"),
        target=(contexts[0].identity() if contexts else None) or "",
        sql=sql if sql is not None else ";\n".join(step.sql for step in plan.steps),
        plan=plan,
        steps=views,
        catalog=surroundings.catalog,
        after=walk.catalog,
        activity=surroundings.activity,
        circumstances=circumstances or Circumstances(),
    )
    checks = {rule.check: load_reference(rule.check) for rule in used.rules if rule.check}
    judged = [context for context in contexts if not made_here(context, question)]
    return assess(question, used.rules, used.matching(judged), checks)


def statements_with_contexts(plan: Plan, surroundings: Surroundings) -> Iterator[tuple[str, list[Context]]]:
    """The statements of a plan, each with the contexts of its operations, as the ones before it leave the schema."""
    walk = _Walk(surroundings, {})
    for step in plan.steps:
        contexts = walk.view(step).contexts
        grouped = [list(group) for _, group in groupby(contexts, key=lambda context: id(context.statement))]
        texts = statements_of(step.sql) if grouped else []
        yield from zip(texts, grouped, strict=False)


def catalog_after(plan: Plan, surroundings: Surroundings) -> Catalog:
    """What there is after a plan."""
    walk = _Walk(surroundings, {})
    for step in plan.steps:
        walk.view(step)
    return walk.catalog


class _Walk:
    """Goes through the steps of a plan, each judged as the ones before it leave the schema."""

    def __init__(self, surroundings: Surroundings, impacts: dict[str, Impact]) -> None:
        self._start = surroundings
        self._impacts = impacts
        self._analysis: ImpactAnalysis | None = None
        self._fold = Fold(
            runner=Runner("psql"),
            version=surroundings.version,
            knowledge=known_facts(),
            catalog=surroundings.catalog,
        )

    @property
    def catalog(self) -> Catalog:
        """As the steps so far leave it."""
        return self._fold.catalog

    def view(self, step: Step) -> StepView:
        """One step with what its statements are and do."""
        if step.kind in ("check", "manual"):
            return StepView(step, (), ())
        body = step.sql if step.kind != "tx" else f"BEGIN;\n{step.sql};\nCOMMIT"
        contexts: list[Context] = []
        effects: list[StatementEffects] = []
        for own, effect in self._statements(body):
            if own[0].operation.kind in ("begin", "commit"):
                continue
            contexts += own
            effects.append(effect)
        return StepView(step, contexts, effects, [found for each in contexts if (found := self._impact(each))])

    def _statements(self, body: str) -> Iterator[tuple[list[Context], StatementEffects]]:
        text = SourceText("<step>", body.encode())
        sections = [Section("up", Span(0, len(text.text)))]
        parsed = [
            [replace(statement, operations=in_passes(statement.operations)) for statement in statements]
            for statements in parser().parse(text.text, sections)
        ]
        folded = self._fold.file(text.text, sections, parsed)
        for _, group in groupby(map(_foreseeing, folded), key=lambda context: id(context.statement)):
            own = list(group)
            found, unread = with_called(own, parser())
            if own[0].statement.operations:
                yield own, statement_effects(found, text.path, span_of(text, own[0].statement), unread)

    def _impact(self, context: Context) -> Impact | None:
        """What an operation on something that was there before does to other objects."""
        operation = context.operation
        try:
            command_of(operation)
        except KeyError:
            return None
        known = self._impacts.get(context.identity() or "")
        if known is not None:
            return known
        if self._analysis is None:
            self._analysis = ImpactAnalysis(self._start.catalog, self._start.search_path)
        try:
            return self._analysis.of(operation)
        except (NotFound, InputError):
            # The plan itself made it, or nothing is known of it: its effects say so.
            return None


def _foreseeing(context: Context) -> Context:
    context.foresee = cache(partial(foresee, context))
    return context
