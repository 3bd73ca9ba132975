"""The use case of ``dflint plan --safe``: what a migration asks for, done by recipes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from itertools import groupby

from msgspec import Struct
from msgspec.structs import replace

from dflint.app.called import with_called
from dflint.app.effects import known_facts
from dflint.app.plan import PlanRequest, gathered
from dflint.facts.passes import in_passes
from dflint.history.fold import Fold
from dflint.history.foresight import foresee
from dflint.model.catalog import Catalog
from dflint.model.context import Context
from dflint.model.errors import InputError
from dflint.model.migration import Runner, Section, Span, Statement
from dflint.model.operations.session import Begin, Commit, PsqlCommand, Rollback
from dflint.model.plan import Plan, PlanTarget, Step, Timeouts, Undo
from dflint.model.recipe import Recipe, RecipeStep
from dflint.model.session import Session
from dflint.planning.making import Maker, PlanFile, conclude
from dflint.planning.recipes import HOLES, Kitchen, rendered
from dflint.planning.statements import parser, statements_of
from dflint.plugin.manager import Plugins
from dflint.plugin.manager import load as load_reference
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
    """

    plan: Plan
    replaced: tuple[Replaced, ...]
    kept: tuple[str, ...]
    not_followed: tuple[tuple[str, str], ...] = ()

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
    """The plan of migration files of one history, by recipes; errors as `dflint.app.plan.plan_files`."""
    found = await gathered(
        request.paths,
        dsn=request.dsn,
        snapshot=request.snapshot,
        runner=request.runner,
        version=request.version,
        plugins=request.plugins,
    )
    return safe_plan(found.files, found.fold, found.version, recipe_book(request.plugins), found.definitions)


def safe_plan(
    files: Sequence[PlanFile],
    fold: Fold,
    version: int,
    book: RecipeBook,
    definitions: Mapping[str, str] | None = None,
) -> SafePlan:
    """The same of files of one history, after what a fold has replayed.

    Raises:
        InputError: a statement cannot be executed as it stands.
    """
    before = fold.catalog
    assembly = _Assembly(Maker(_fold(before, version), _called, definitions or {}))
    missed: list[tuple[str, str]] = []
    for file in files:
        for items in _transactions(file, fold):
            chosen = [_chosen(item, book, definitions or {}) for item in items]
            missed += [(item.sql, why) for item, (_, _, why) in zip(items, chosen, strict=True) if why]
            if not any(recipe and not recipe.fallback for _, recipe, _ in chosen) and items[0].group:
                assembly.keep(file.path, [item.sql for item in items], in_transaction=items[0].group > 0)
                continue
            for item, (found, recipe, _) in zip(items, chosen, strict=True):
                if recipe is None:
                    assembly.keep(file.path, [item.sql], in_transaction=False)
                else:
                    assembly.replace(file.path, item.sql, recipe, found)
    plan = Plan(source=", ".join(file.path for file in files), target=PlanTarget(version), steps=tuple(assembly.steps))
    return SafePlan(
        plan=conclude(plan, before),
        replaced=tuple(assembly.replaced),
        kept=tuple(assembly.kept),
        not_followed=tuple(missed),
    )


class _Item(Struct, eq=False):
    """A statement, or one clause of an ALTER TABLE.

    Attributes:
        group: number of its transaction, 0 outside of one.
    """

    sql: str
    contexts: list[Context]
    group: int


def _transactions(file: PlanFile, fold: Fold) -> Iterator[list[_Item]]:
    """The statements, those of one transaction together."""
    text = file.text
    parsed = [
        [replace(statement, operations=in_passes(statement.operations)) for statement in statements]
        for statements in parser().parse(text.text, file.sections)
    ]
    items = _items(text, map(_foreseeing, fold.file(text.text, file.sections, parsed)))
    numbered = ((number, item) for number, item in enumerate(items))
    for _, together in groupby(numbered, key=lambda pair: (pair[1].group, 0 if pair[1].group else pair[0])):
        yield [item for _, item in together]


def _items(text: SourceText, contexts: Iterator[Context]) -> Iterator[_Item]:
    for _, group in groupby(contexts, key=lambda context: id(context.statement)):
        own = list(group)
        if not own[0].statement.operations or isinstance(own[0].operation, Begin | Commit | Rollback | PsqlCommand):
            continue
        sql = _sql(text, own[0].statement)
        number = own[0].transaction.group if own[0].transaction.open else 0
        yield _Item(sql, own, number)


def _sql(text: SourceText, statement: Statement) -> str:
    return text.text[text_start(text.text, statement) : statement.end].decode().rstrip().rstrip(";").rstrip()


def _chosen(
    item: _Item, book: RecipeBook, definitions: Mapping[str, str]
) -> tuple[tuple[RecipeStep, ...], Recipe | None, str]:
    """The steps of the first recipe that fits and can be followed; else, or beside a fallback, why none can."""
    if len({context.operation.clause for context in item.contexts}) > 1:
        return (), None, ""
    context = item.contexts[0]
    why = ""
    for recipe in book.fitting(context):
        builder = load_reference(recipe.build) if recipe.build else None
        try:
            steps = rendered(recipe, Kitchen(context, item.sql, definitions), book.holds, builder)
        except InputError as error:
            why = error.message
            continue
        if steps:
            return steps, recipe, why if recipe.fallback else ""
    return (), None, why


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
