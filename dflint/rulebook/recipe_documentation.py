"""The recipes as Markdown: the format of their files, the holes, and each recipe with what it means for users."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dflint.model.recipe import Recipe
from dflint.rulebook.rule import Example


def recipes_page(
    recipes: Mapping[str, Recipe],
    examples: Mapping[str, tuple[tuple[Example, tuple[str, ...]], ...]],
    holes: Mapping[str, str],
) -> str:
    """All recipes, and what their templates may hold.

    Args:
        recipes, examples: by id.
        holes: name -> what it is filled with.
    """
    parts = ["# Recipes", _INTRODUCTION, _table(recipes.values())]
    for identifier, recipe in recipes.items():
        parts += _recipe(recipe, examples.get(identifier, ()))
    parts += ["## Recipes of your own", _FORMAT, "| hole | what fills it |\n|---|---|\n" + _holes(holes)]
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


_INTRODUCTION = """`dflint plan --safe FILE... --db DSN` does by recipes what the files would do under long locks, and
`--explain STEP` says why a step is done so. A plan that was saved (`--save plan.json`) is executed by `dflint exec`: a
step that a person has to do stops it there, and `dflint exec resume` says that it is done.

Each recipe is proven by a test on PostgreSQL 14 and 18, on a table of 200,000 rows, beside writers: no write fails or
is lost, nothing that grows with the table happens while others are stopped, the schema ends where the plain statement's
ends, and what can be taken back leads to where it began."""

_FORMAT = """A recipe is a YAML file in a directory of rules that the configuration or a plugin names. `applies_to` and
`when` are written as in [rules](rule-format.md). Each step has `sql` with holes, `why`, and, where needed, `since`,
`until`, `when`, `kind` (`run`, `backfill` with `batch`, `check`, `manual`), `undo`, `irreversible`, `release`, `pre`
and `post`. In place of `steps`, `build` names a Python function that a plugin offers by the hook `dflint_recipes`; see
`dflint.plugin.recipes`. `after: drop_constraint` is for a recipe that replaces a constraint by another: it takes the
place of the DROP CONSTRAINT as well as of the ADD; `after: drop_index` is the same for indexes. Names and literals in
holes are quoted already; every statement that comes out is parsed before it is shown. `{new:word}` is a name that
nothing has yet, made of the table's name, the column's and the word."""


def _table(recipes: Iterable[Recipe]) -> str:
    lines = ["| recipe | for | what |", "|---|---|---|"]
    for each in recipes:
        kinds = ", ".join(f"`{kind}`" for kind in each.applies_to) if len(each.applies_to) < 4 else "short statements"
        lines.append(f"| [{each.id}](#{each.id}) | {kinds} | {each.title} |")
    return "\n".join(lines)


def _recipe(recipe: Recipe, examples: Iterable[tuple[Example, tuple[str, ...]]]) -> list[str]:
    said = recipe.consequences
    parts = [f"## {recipe.id}", f"{recipe.title}."]
    for example, steps in examples:
        version = f" (PostgreSQL {example.pg_version})" if example.pg_version else ""
        numbered = "\n".join(f"-- {number}\n{step}" for number, step in enumerate(steps, start=1))
        parts += [f"In place of{version}", f"```sql\n{example.sql}\n```", "these steps:", f"```sql\n{numbered}\n```"]
    parts.append(
        "\n".join(
            f"- **{title}.** {words}"
            for title, words in (
                ("Running code", said.running_code),
                ("Prepared statements", said.prepared_statements),
                ("Logical replication", said.logical_replication),
                ("Row-level security", said.row_level_security),
            )
        )
    )
    if recipe.trade_offs:
        parts.append("What it costs:\n\n" + "\n".join(f"- {each}" for each in recipe.trade_offs))
    return parts


def _holes(holes: Mapping[str, str]) -> str:
    return "\n".join(f"| `{{{name}}}` | {what} |" for name, what in sorted(holes.items()))
