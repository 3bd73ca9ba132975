"""The use case of ``dflint plan --safe``: what a migration asks for, done by recipes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from itertools import groupby

from msgspec import Struct
from msgspec.structs import replace

from dflint.app.apart import Item
from dflint.app.called import with_called
from dflint.app.effects import known_facts
from dflint.app.plan import PlanRequest, calibrated, gathered
from dflint.app.recipe_choice import Choice, choices, is_done
from dflint.facts.passes import in_passes
from dflint.history.fold import Fold
from dflint.history.foresight import foresee
from dflint.model.calibration import STATED, Calibration
from dflint.model.catalog import Catalog
from dflint.model.context import Context
from dflint.model.migration import Runner, Section, Span, Statement
from dflint.model.operations.session import Begin, Commit, PsqlCommand, Rollback
from dflint.model.plan import Plan, PlanTarget, Step, Timeouts, Undo
from dflint.model.recipe import Recipe, RecipeStep
from dflint.model.session import Session
from dflint.planning.headroom import with_headroom
from dflint.planning.making import Maker, PlanFile, conclude
from dflint.planning.recipes import HOLES
from dflint.planning.statements import parser, statements_of
from dflint.plugin.manager import Plugins
from dflint.rulebook.recipes import RecipeBook, load_recipes
from dflint.sql.parse import text_start
from dflint.sql.source_text import SourceText


class Replaced(Struct, frozen=True, kw_only=True):
    """A statement, or a clause of one, that a recipe takes the place of.

    Attributes:
        statement: as it was written.
        steps: ids of the plan's steps that do it.
    """

    statement: str
    recipe: Recipe
    steps: tuple[str, ...]


class SafePlan(Struct, frozen=True, kw_only=True):
    """A plan by recipes.

    Attributes:
        plan: all steps. Where there is something to be deployed between two of them, a manual step says so.
        replaced: what recipes do, in order.
        kept: statements for which there is no recipe, or no need of one.
        not_followed: statements for which there is one that cannot be followed here, each with the reason.
        opened: transactions and statements that do not happen in one go any more, each in a sentence or two.
    """

    plan: Plan
    replaced: tuple[Replaced, ...]
    kept: tuple[str, ...]
    not_followed: tuple[tuple[str, str], ...] = ()
    opened: tuple[str, ...] = ()

    @property
    def rewritten(self) -> tuple[Replaced, ...]:
        """Those that run something else than the statement itself."""
        return tuple(each for each in self.replaced if not each.recipe.fallback)


@cache
def recipe_book(plugins: tuple[str, ...] = (), paths: tuple[str, ...] = ()) -> RecipeBook:
    """The recipes that come with dflint, and those of plugins and further files.

    Raises:
        RuleErrors: they are malformed.
        PluginError: a plugin cannot be loaded.
    """
    found = Plugins(list(plugins))
    return load_recipes((*found.rule_paths(), *paths), holes=tuple(HOLES), builders=found.recipe_builders())


def safe_plan_sql(
    sql: str,
    catalog: Catalog,
    *,
    version: int,
    path: str = "<sql>",
    definitions: Mapping[str, str] | None = None,
    book: RecipeBook | None = None,
) -> SafePlan:
    """The plan that does what a plain SQL text asks for, by recipes where there are any.

    A transaction of which a statement is replaced is taken apart: no recipe works inside one.

    Args:
        sql: split as psql would.
        catalog: what exists before.
        version: major version of the server.
        path: how the text is called.
        definitions: how the server prints what may have to be made again: see `dflint.planning.undo.undo`.
        book: None: the recipes that come with dflint.

    Raises:
        InputError: a statement cannot be executed as it stands.
        SourceError: the text holds a NUL byte.
    """
    source = SourceText(path, sql.encode())
    return safe_plan(
        [PlanFile(path, source, [Section("up", Span(0, len(source.text)))])],
        _fold(catalog, version),
        version,
        book or recipe_book(),
        definitions,
    )


async def safe_plan_files(request: PlanRequest) -> SafePlan:
    """The plan of migration files of one history, by recipes; errors as `dflint.app.plan.made`."""
    calibration = await calibrated(request.dsn, wanted=request.calibrate)
    found = await gathered(
        request.paths,
        dsn=request.dsn,
        snapshot=request.snapshot,
        runner=request.runner,
        version=request.version,
        plugins=request.plugins,
    )
    book = recipe_book(request.plugins)
    safe = safe_plan(found.files, found.fold, found.version, book, found.definitions, calibration)
    return replace(safe, plan=with_headroom(safe.plan, request.free_disk))


def safe_plan(
    files: Sequence[PlanFile],
    fold: Fold,
    version: int,
    book: RecipeBook,
    definitions: Mapping[str, str] | None = None,
    calibration: Calibration = STATED,
) -> SafePlan:
    """The same of files of one history, after what a fold has replayed.

    Raises:
        InputError: a statement cannot be executed as it stands.
    """
    before = fold.catalog
    ahead = _fold(before, version)
    assembly = _Assembly(Maker(ahead, _called, definitions or {}, calibration=calibration))
    missed: list[tuple[str, str]] = []
    opened: list[str] = []
    for file in files:
        for items in _transactions(file, fold):
            chosen = choices(items, book, definitions or {})
            if not any(each.helps for each in chosen) and items[0].group:
                missed += [(each.item.sql, each.why) for each in chosen if each.why]
                assembly.keep(file.path, [item.sql for item in items], in_transaction=items[0].group > 0)
                continue
            opened += _opened(file.path, items, chosen)
            for each in chosen:
                if is_done(each.item, ahead.catalog):
                    assembly.follow(each.item.sql)
                    continue
                missed += [(each.item.sql, each.why)] if each.why else []
                if each.recipe is None:
                    assembly.keep(file.path, [each.item.sql], in_transaction=False)
                else:
                    assembly.replace(file.path, each.item.sql, each.recipe, each.steps)
    plan = Plan(source=", ".join(file.path for file in files), target=PlanTarget(version), steps=tuple(assembly.steps))
    return SafePlan(
        plan=conclude(plan, before),
        replaced=tuple(assembly.replaced),
        kept=tuple(assembly.kept),
        not_followed=tuple(missed),
        opened=tuple(opened),
    )


def _opened(path: str, items: Sequence[Item], chosen: Sequence[Choice]) -> Iterator[str]:
    """What does not happen in one go any more, in sentences."""
    if items[0].group and len(items) > 1:
        yield (
            f"{path}: the transaction of {len(items)} statements is taken apart, because no recipe works inside one. "
            "What fails half-way stays half done until the plan is resumed or undone."
        )
    for statement, listed in groupby(chosen, key=lambda each: each.of):
        if statement:
            parts = "; ".join(" ".join(each.item.sql.split()) for each in listed)
            yield f"{' '.join(statement.split())} is done clause by clause, in the order of the server: {parts}"


def _transactions(file: PlanFile, fold: Fold) -> Iterator[list[Item]]:
    """The statements, those of one transaction together, and those between transactions."""
    text = file.text
    parsed = [
        [replace(statement, operations=in_passes(statement.operations)) for statement in statements]
        for statements in parser().parse(text.text, file.sections)
    ]
    items = _items(text, map(_foreseeing, fold.file(text.text, file.sections, parsed)))
    for _, together in groupby(items, key=lambda item: item.group):
        yield list(together)


def _items(text: SourceText, contexts: Iterator[Context]) -> Iterator[Item]:
    for _, group in groupby(contexts, key=lambda context: id(context.statement)):
        own = list(group)
        if not own[0].statement.operations or isinstance(own[0].operation, Begin | Commit | Rollback | PsqlCommand):
            continue
        sql = _sql(text, own[0].statement)
        number = own[0].transaction.group if own[0].transaction.open else 0
        yield Item(sql, own, number)


def _sql(text: SourceText, statement: Statement) -> str:
    return text.text[text_start(text.text, statement) : statement.end].decode().rstrip().rstrip(";").rstrip()


class _Assembly:
    """Collects the steps, each planned after all those before it."""

    def __init__(self, maker: Maker) -> None:
        self.steps: list[Step] = []
        self.replaced: list[Replaced] = []
        self.kept: list[str] = []
        self._maker = maker

    def keep(self, path: str, statements: Sequence[str], *, in_transaction: bool) -> None:
        """Statements as they are."""
        self.kept += statements
        script = ";\n".join(statements)
        for step in self._planned(path, f"BEGIN;\n{script};\nCOMMIT" if in_transaction else script):
            self._add(step)

    def replace(self, path: str, statement: str, recipe: Recipe, steps: Sequence[RecipeStep]) -> None:
        """The steps of a recipe in the place of a statement."""
        ids: list[str] = []
        for each in steps:
            if each.kind in ("manual", "check"):
                made = [
                    Step(
                        id="",
                        sql=each.sql,
                        kind="manual" if each.kind == "manual" else "check",
                        group=path,
                        lock_class="none",
                        timeouts=Timeouts(500, 30_000),
                    )
                ]
            else:
                made = list(self._planned(path, _script(each)))
            ids += [self._add(_decorated(step, each, recipe)) for step in made]
        self.replaced.append(Replaced(statement=statement, recipe=recipe, steps=tuple(ids)))

    def follow(self, statement: str) -> None:
        """A statement that changes a column which a recipe has changed already: with another that it belongs to."""
        done = next(each for each in reversed(self.replaced) if "alter_column_type" in each.recipe.applies_to)
        self.replaced.append(Replaced(statement=statement, recipe=done.recipe, steps=done.steps))

    def _planned(self, path: str, script: str) -> tuple[Step, ...]:
        source = SourceText(path, script.encode())
        return self._maker.judge(PlanFile(path, source, [Section("up", Span(0, len(source.text)))]), Session())

    def _add(self, step: Step) -> str:
        number = str(len(self.steps) + 1)
        self.steps.append(replace(step, id=number))
        return number


def _script(step: RecipeStep) -> str:
    if step.kind == "backfill":
        assert step.backfill is not None
        key = f" key={','.join(step.backfill.key)}" if step.backfill.key else ""
        return f"-- dflint: backfill{key} batch={step.backfill.batch}\n{step.sql}"
    return f"BEGIN;\n{step.sql};\nCOMMIT" if ";" in step.sql and len(statements_of(step.sql)) > 1 else step.sql


def _decorated(step: Step, by: RecipeStep, recipe: Recipe) -> Step:
    undo = step.undo
    if by.irreversible is not None:
        undo = Undo(irreversible=by.irreversible)
    elif by.undo is not None:
        undo = Undo(by.undo)
    note = f"{recipe.id}: {by.why}" if by.why else recipe.id
    return replace(
        step,
        undo=undo,
        pre=(*step.pre, *by.pre),
        post=(*step.post, *by.post),
        settings={**step.settings, **by.settings},
        notes=(note, *step.notes),
    )


def _fold(catalog: Catalog, version: int) -> Fold:
    return Fold(runner=Runner("psql"), version=version, knowledge=known_facts(), catalog=catalog)


def _called(contexts: Iterable[Context]) -> tuple[list[Context], list[str]]:
    return with_called(contexts, parser())


def _foreseeing(context: Context) -> Context:
    context.foresee = cache(partial(foresee, context))
    return context
