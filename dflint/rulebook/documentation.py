"""The rulebook as Markdown: each rule with its examples, the table of all rules, and the vocabulary."""

from __future__ import annotations

from collections.abc import Iterable

from dflint.facts.roles import documented
from dflint.facts.vocabulary import document, vocabulary
from dflint.rulebook.rule import Example, Rule


def rule_page(rule: Rule) -> str:
    """All there is to know about one rule."""
    hazards = ", ".join(rule.hazards) or "none"
    parts = [
        f"# {rule.id}",
        rule.title + ".",
        f"Level: {rule.level}. Confidence: {rule.confidence}. Hazards: {hazards}. {_versions(rule)}"
        + ("" if rule.default else " Off until selected."),
        f"> {rule.message}",
        "## Why",
        rule.why,
        "## What to do instead",
        _code(rule.fix),
    ]
    if rule.facts:
        parts += ["## Rests on", "\n".join(f"- `{fact}`" for fact in rule.facts)]
    parts += ["## Raised by", *(_example(each) for each in rule.bad), "## Silent on", *(_example(e) for e in rule.good)]
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def rules_table(rules: Iterable[Rule]) -> str:
    """A table of rules, by id."""
    lines = ["| rule | level | hazards | what |", "|---|---|---|---|"]
    for rule in sorted(rules, key=lambda each: each.id):
        off = "" if rule.default else " (off by default)"
        lines.append(f"| `{rule.id}` | {rule.level} | {', '.join(rule.hazards)} | {rule.title}{off} |")
    return "\n".join(lines) + "\n"


def vocabulary_page() -> str:
    """The named conditions and the roles: what `when` and `locks` may name."""
    bases, steps = ("\n".join(f"| `{name}` | {meaning} |" for name, meaning in each.items()) for each in documented())
    return (
        f"### Named conditions\n\n{document(vocabulary())}\n### Roles\n\n"
        "A role is one of these, followed by any number of steps, with dots between them: `children.indexes`.\n\n"
        f"| role | who |\n|---|---|\n{bases}\n\n| step | to whom |\n|---|---|\n{steps}\n"
    )


def _versions(rule: Rule) -> str:
    if rule.since is None and rule.until is None:
        return "All supported versions of PostgreSQL."
    if rule.until is None:
        return f"PostgreSQL {rule.since} and later."
    return f"PostgreSQL up to {rule.until}." if rule.since is None else f"PostgreSQL {rule.since} to {rule.until}."


def _code(text: str) -> str:
    return f"```\n{text.rstrip()}\n```"


def _example(example: Example) -> str:
    circumstances = [
        example.note,
        "" if example.runner == "psql" else f"run by {example.runner}",
        "in a transaction" if example.in_transaction else "",
        f"PostgreSQL {example.pg_version}" if example.pg_version else "",
    ]
    said = "; ".join(each for each in circumstances if each)
    before = f"-- earlier migration:\n{example.before.rstrip()}\n-- this migration:\n" if example.before else ""
    sql = f"```sql\n{before}{example.sql.rstrip()}\n```"
    return f"{said[0].upper()}{said[1:]}:\n\n{sql}" if said else sql
