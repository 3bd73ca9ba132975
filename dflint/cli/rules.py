"""``dflint rule`` and ``dflint rules``: what the rules are, and whether rule files are right."""

from __future__ import annotations

import os

import click
from msgspec.structs import replace

from dflint.app.config import Project
from dflint.app.lint import load_rulebook
from dflint.app.request import LintRequest
from dflint.cli import exit_codes, terminal
from dflint.cli.options import configuration_options, configured
from dflint.model.errors import InputError
from dflint.plugin.manager import Plugins
from dflint.rulebook.compile import Rulebook
from dflint.rulebook.documentation import rule_page, rules_table, vocabulary_page


def _open(project: Project) -> Rulebook:
    request = project.request()
    return load_rulebook(request, Plugins(request.plugins))


@click.command(short_help="Explain a rule.")
@click.argument("name", metavar="ID")
@configuration_options
def rule(name: str, config: str | None, isolated: bool) -> int:
    """Explain a rule: what it finds, why, what to do instead, with examples.

    ID may also be a hazard such as H001, a tag, or a pattern such as `drop-*`: then each rule is explained.
    """
    rulebook = _open(configured(".", config, isolated=isolated))
    terminal.write("\n".join(rule_page(each) for each in rulebook.matching(name)))
    return exit_codes.FINE


@click.group(invoke_without_command=True, short_help="List, verify or document the rules.")
@click.pass_context
def rules(context: click.Context) -> int | None:
    """List, verify or document the rules. Without a command: list."""
    if context.invoked_subcommand is None:
        status: int = context.invoke(list_rules, config=None, isolated=False)
        return status
    return None


@rules.command("list", short_help="List the rules that run.")
@configuration_options
def list_rules(config: str | None, isolated: bool) -> int:
    """List all rules by name, with the level each has here, `off` for those that do not run."""
    rulebook = _open(configured(".", config, isolated=isolated))
    names = sorted(rulebook.rules)
    widest = max((len(name) for name in names), default=0)
    lines = [f"{name:{widest}}  {rulebook.active.get(name, 'off'):7}  {rulebook.rules[name].title}" for name in names]
    terminal.write("".join(f"{line}\n" for line in lines))
    return exit_codes.FINE


@rules.command("check", short_help="Verify rule files.")
@click.argument("paths", nargs=-1, metavar="[PATHS]...")
@configuration_options
def check(paths: tuple[str, ...], config: str | None, isolated: bool) -> int:
    """Verify rule files: those of PATHS, or those that the configuration names. All that is wrong is told at once.

    Risk rules, a decision matrix and recipes among them are verified too.
    """
    project = configured(".", config, isolated=isolated)
    request = project.request()
    if paths:
        request = replace(request, rule_paths=tuple(os.path.abspath(path) for path in paths))
    rulebook = load_rulebook(request, Plugins(request.plugins))
    own = sum(_is_below(rule.file, request) for rule in rulebook.rules.values())
    others = sum(_is_below(file, request) for file in _other_files(request))
    if paths and not own and not others:
        raise InputError(f"no rule files in {', '.join(paths)}", remedy="rule files end in .yaml")
    words = f"{len(rulebook.rules)} rules are well-formed, {own} of them this project's"
    terminal.write(f"{words}, and {others} other files of it\n" if others else f"{words}\n")
    return exit_codes.FINE


def _other_files(request: LintRequest) -> set[str]:
    """The files of risk rules, the matrix and recipes, verified."""
    from dflint.app.assess import risk_book
    from dflint.app.safe_plan import recipe_book

    risk, recipes = risk_book(request.plugins, request.rule_paths), recipe_book(request.plugins, request.rule_paths)
    files = {rule.file for rule in risk.rules} | {row.file for row in risk.rows}
    return files | {recipe.file for recipe in recipes.recipes.values()}


def _is_below(file: str, request: LintRequest) -> bool:
    path = os.path.abspath(file)
    return any(path == root or path.startswith(f"{root}{os.sep}") for root in request.rule_paths)


@rules.command("docs", short_help="Write the rules' documentation as Markdown.")
@click.option("-o", "--output-directory", metavar="DIR", help="One file per rule, and index.md.  [default: stdout]")
@configuration_options
def docs(output_directory: str | None, config: str | None, isolated: bool) -> int:
    """Print the table of rules and the vocabulary of rule files, or write a page for each rule."""
    rulebook = _open(configured(".", config, isolated=isolated))
    index = f"# Rules\n\n{rules_table(rulebook.rules.values())}\n{vocabulary_page()}"
    if output_directory is None:
        terminal.write(index)
        return exit_codes.FINE
    try:
        os.makedirs(output_directory, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot be made: {error.strerror}", file=output_directory) from error
    terminal.write(index, os.path.join(output_directory, "index.md"))
    for each in rulebook.rules.values():
        terminal.write(rule_page(each), os.path.join(output_directory, f"{each.id}.md"))
    return exit_codes.FINE


@rules.command("recipes", short_help="Write the recipes' documentation as Markdown.")
@configuration_options
def recipes(config: str | None, isolated: bool) -> int:
    """Print what each recipe does, costs and means for users, and how recipes of your own are written."""
    from dflint.app.safe_plan import recipe_book
    from dflint.planning.recipes import HOLES
    from dflint.rulebook.recipe_documentation import recipes_page

    request = configured(".", config, isolated=isolated).request()
    book = recipe_book(tuple(request.plugins), tuple(request.rule_paths))
    terminal.write(recipes_page(book.recipes, book.examples, {name: what for name, (what, _) in HOLES.items()}))
    return exit_codes.FINE
