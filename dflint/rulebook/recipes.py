"""Recipes: YAML files below ``rules/recipes``, verified when they are read."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from dflint.facts.fact_reader import expand_kinds
from dflint.facts.fields import Field, Reader, flag, integer, mapping, one_of, some, some_texts, text, texts
from dflint.facts.kinds import Kinds
from dflint.facts.vocabulary import vocabulary
from dflint.facts.when import compile_when
from dflint.facts.when_verification import WhenVerifier
from dflint.facts.yaml_loader import Path
from dflint.model.context import Context
from dflint.model.errors import RuleError, RuleErrors
from dflint.model.recipe import Consequences, Recipe
from dflint.rulebook.documents import documents
from dflint.rulebook.rule import Example

_ID: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_HOLE: Final = re.compile(r"\{\{|\}\}|\{(?P<name>[^{}:]*)(?::(?P<argument>[^{}]*))?\}")
_DIFFERENCES: Final = ("object_names", "column_order", "a_check_more")

RECIPE_FIELDS: Final[Mapping[str, Field]] = {
    "recipe": Field(text, required=True),
    "title": Field(text, required=True),
    "applies_to": Field(some_texts, required=True),
    "after": Field(one_of("drop_constraint", "drop_index")),
    "since": Field(integer),
    "until": Field(integer),
    "when": Field(mapping),
    "fallback": Field(flag),
    "steps": Field(some),
    "build": Field(text),
    "consequences": Field(mapping, required=True),
    "trade_offs": Field(texts),
    "differs": Field(texts),
    "examples": Field(some, required=True),
}


def _sql_or_list(value: Any) -> str | None:
    return None if text(value) is None or some_texts(value) is None else "a statement, or a list of them"


STEP_FIELDS: Final[Mapping[str, Field]] = {
    "sql": Field(text, required=True),
    "why": Field(text, required=True),
    "kind": Field(one_of("run", "backfill", "check", "manual")),
    "since": Field(integer),
    "until": Field(integer),
    "when": Field(mapping),
    "undo": Field(_sql_or_list),
    "irreversible": Field(text),
    "release": Field(integer),
    "key": Field(some_texts),
    "batch": Field(integer),
    "pre": Field(some),
    "post": Field(some),
}
_CHECK_FIELDS: Final[Mapping[str, Field]] = {"name": Field(text, required=True), "sql": Field(text, required=True)}
_CONSEQUENCE_FIELDS: Final[Mapping[str, Field]] = {
    name: Field(text, required=True) for name in Consequences.__struct_fields__
}
_EXAMPLE_FIELDS: Final[Mapping[str, Field]] = {
    "sql": Field(text, required=True),
    "before": Field(text),
    "pg_version": Field(integer),
    "steps": Field(some_texts, required=True),
}


class RecipeBook:
    """Recipes ready to be followed.

    Attributes:
        recipes: by id.
        examples: of each, as pairs of a migration and the statements that come out.
    """

    def __init__(
        self, recipes: Mapping[str, Recipe], examples: Mapping[str, tuple[tuple[Example, tuple[str, ...]], ...]]
    ) -> None:
        self.recipes = recipes
        self.examples = examples
        self._conditions = vocabulary()

    def fitting(self, context: Context, *, after: str = "") -> list[Recipe]:
        """The recipes for an operation as it stands there, fallbacks last; what cannot be told fits.

        Args:
            context: just before the operation.
            after: the kind of the one that is to be replaced with it; "" for none.
        """
        kind, version = context.operation.kind, context.version
        found = [
            recipe
            for recipe in self.recipes.values()
            if kind in recipe.applies_to
            and recipe.after == after
            and (recipe.since or 0) <= version <= (recipe.until or 1000)
            and (not recipe.when or self.holds(recipe.when, context))
        ]
        return sorted(found, key=lambda recipe: (recipe.fallback, recipe.id))

    def holds(self, when: Mapping[str, Any], context: Context) -> bool:
        """Whether conditions hold, or may hold."""
        return compile_when(when, self._conditions).holds(context) is not False


def load_recipes(
    paths: Sequence[str] = (), *, holes: Collection[str], builders: Mapping[str, str] | None = None
) -> RecipeBook:
    """The built-in recipes and those of ``paths``.

    Args:
        paths: further directories or files.
        holes: that templates may have; ``new`` takes a word.
        builders: name -> reference of functions that make steps, as plugins offer them.

    Raises:
        RuleErrors: everything that is wrong, each with file and line.
    """
    problems: list[RuleError] = []
    reading = _Reading(frozenset(holes), builders or {}, problems)
    for document in documents(paths, ("recipe",), problems):
        reading.read(Reader(document, problems))
    if problems:
        raise RuleErrors(problems)
    return RecipeBook(dict(sorted(reading.recipes.items())), reading.examples)


class _Reading:
    def __init__(self, holes: frozenset[str], builders: Mapping[str, str], problems: list[RuleError]) -> None:
        self.recipes: dict[str, Recipe] = {}
        self.examples: dict[str, tuple[tuple[Example, tuple[str, ...]], ...]] = {}
        self._holes = holes
        self._builders = builders
        self._problems = problems
        self._kinds = Kinds()
        self._conditions = vocabulary()

    def read(self, reader: Reader) -> None:
        """One file."""
        before, document = len(self._problems), reader.document
        good = reader.mapping((), document.data, RECIPE_FIELDS, "a recipe")
        identifier = good.get("recipe", "")
        self._identity(reader, identifier)
        kinds = expand_kinds(reader, ("applies_to",), good.get("applies_to", ()), self._kinds)
        self._when(reader, ("when",), good, kinds)
        if ("steps" in good) == ("build" in good):
            reader.problem((), "a recipe has either steps or build", "write steps:, or build: and a function's name")
        if "build" in good and good["build"] not in self._builders:
            reader.unknown(("build",), "builder of steps", good["build"], self._builders)
        for position, word in enumerate(good.get("differs", ())):
            if word not in _DIFFERENCES:
                reader.unknown(("differs", position), "difference", word, _DIFFERENCES)
        steps = [
            self._step(reader, ("steps", position), each, kinds) for position, each in enumerate(good.get("steps", ()))
        ]
        consequences = reader.mapping(
            ("consequences",), good.get("consequences", {}), _CONSEQUENCE_FIELDS, "the consequences"
        )
        examples = [
            reader.mapping(("examples", position), each, _EXAMPLE_FIELDS, "an example")
            for position, each in enumerate(good.get("examples", ()))
        ]
        if len(self._problems) > before:
            return
        self.recipes[identifier] = Recipe(
            id=identifier,
            title=good["title"].strip(),
            applies_to=kinds,
            consequences=Consequences(**{name: words.strip() for name, words in consequences.items()}),
            after=good.get("after", ""),
            since=good.get("since"),
            until=good.get("until"),
            when=good.get("when", {}),
            trade_offs=tuple(each.strip() for each in good.get("trade_offs", ())),
            steps=tuple(steps),
            build=self._builders[good["build"]] if "build" in good else "",
            fallback=good.get("fallback", False),
            differs=tuple(good.get("differs", ())),
            file=document.file,
            line=document.line(("recipe",)),
        )
        self.examples[identifier] = tuple(
            (
                Example(sql=each["sql"], before=each.get("before", ""), pg_version=each.get("pg_version")),
                tuple(each["steps"]),
            )
            for each in examples
        )

    def _identity(self, reader: Reader, identifier: str) -> None:
        stem = os.path.splitext(os.path.basename(reader.document.file))[0]
        if identifier and not _ID.fullmatch(identifier):
            reader.problem(("recipe",), f"the id {identifier!r} is not kebab-case", "such as set-not-null")
        elif identifier and identifier != stem:
            reader.problem(("recipe",), f"the id {identifier!r} is not the file's name {stem!r}", "rename the file")
        elif identifier in self.recipes:
            reader.problem(("recipe",), f"the recipe {identifier!r} is already in {self.recipes[identifier].file}")

    def _when(self, reader: Reader, path: Path, good: Mapping[str, Any], kinds: tuple[str, ...]) -> None:
        if "when" in good and kinds:
            types = {kind: self._kinds.types[kind] for kind in kinds}
            WhenVerifier(reader, self._conditions).verify(path, good["when"], types)

    def _step(self, reader: Reader, path: Path, given: Any, kinds: tuple[str, ...]) -> dict[str, Any]:
        good = reader.mapping(path, given, STEP_FIELDS, "a step")
        self._when(reader, (*path, "when"), good, kinds)
        if good.get("kind") != "manual":
            self._template(reader, (*path, "sql"), good.get("sql", ""))
        undo = good.get("undo", ())
        for each in [undo] if isinstance(undo, str) else undo:
            self._template(reader, (*path, "undo"), each)
        for name in ("pre", "post"):
            for position, check in enumerate(good.get(name, ())):
                where = (*path, name, position)
                found = reader.mapping(where, check, _CHECK_FIELDS, "a check")
                self._template(reader, (*where, "sql"), found.get("sql", ""))
        if (good.get("kind") == "backfill") != ("batch" in good):
            reader.problem(path, "a step of kind backfill has a batch, and no other has one")
        return good

    def _template(self, reader: Reader, path: Path, template: str) -> None:
        for found in _HOLE.finditer(template):
            name = found["name"]
            if name is None:
                continue
            if name == "new" and found["argument"]:
                continue
            if name not in self._holes or found["argument"] is not None:
                reader.unknown(path, "hole", name, self._holes)
