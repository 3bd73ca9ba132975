"""``dflint impact``: what a change does to everything else."""

from __future__ import annotations

import os

import click
import msgspec

from dflint.app.impact import FORMS, ImpactAnalysis, catalog_of, requested
from dflint.cli import exit_codes, terminal
from dflint.model.errors import InputError
from dflint.model.impact import Impact, to_document

_USAGE = "".join(f"  {name} {' '.join(form.words)}\n" for name, form in FORMS.items())


@click.command(
    short_help="Say what a drop, rename or type change does to everything else.",
    epilog="\b\nChanges:\n" + _USAGE,
)
@click.argument("change", type=click.Choice(list(FORMS)), metavar="CHANGE")
@click.argument("words", nargs=-1, required=True, metavar="NAME…")
@click.option("--db", metavar="DSN", help="Connection string or service=NAME.  [default: env DFLINT_DB]")
@click.option("--catalog", metavar="SNAPSHOT", help="A file that `dflint snapshot take` wrote, in place of a database.")
@click.option(
    "--search-path", metavar="SCHEMAS", default="public", help="For names without a schema.  [default: public]"
)
@click.option("--format", "output_format", type=click.Choice(["text", "json"]), default="text", help="[default: text]")
@click.option("-o", "--output-file", metavar="FILE", help="Write there and not to stdout.")
@click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an internal error.")
def impact(
    *,
    change: str,
    words: tuple[str, ...],
    db: str | None,
    catalog: str | None,
    search_path: str,
    output_format: str,
    output_file: str | None,
) -> int:
    """Say what dropping, renaming, moving or retyping an object does to everything else.

    Every dependent is named with what becomes of it: it blocks the change, goes silently, breaks when it is used,
    changes its meaning, follows, or cannot be known. Names are written as in SQL. Nothing is changed.

    Exit status: 0 nothing breaks; 1 something blocks, goes, breaks, changes or is unknown; 2 what was asked for does
    not exist, or the answer may be incomplete.
    """
    form = FORMS[change]
    if len(words) != len(form.words):
        raise InputError(
            f"{change} takes {len(form.words)} names, not {len(words)}", remedy=f"{change} {' '.join(form.words)}"
        )
    operation = requested(change, words)
    # Late: an event loop is for those who need a server.
    from dflint.cli.running import run

    found_in = run(catalog_of(None if catalog else db or os.environ.get("DFLINT_DB"), catalog))
    path = tuple(part.strip() for part in search_path.split(",") if part.strip())
    found = ImpactAnalysis(found_in, path).of(operation)
    if output_format == "json":
        terminal.write(msgspec.json.format(msgspec.json.encode(to_document(found))).decode() + "\n", output_file)
    else:
        terminal.write(_text(found), output_file)
    return _status(found)


def _status(found: Impact) -> int:
    for reason in found.incomplete_because:
        terminal.say(f"dflint: the answer is incomplete: {reason}")
    if not found.complete:
        return exit_codes.UNUSABLE
    harmless = all(each.effect == "follows" for each in found.dependents) and not found.refused
    return exit_codes.FINE if harmless else exit_codes.FINDINGS


_HEADINGS = {
    "blocks": "Blocks the change (with CASCADE it is dropped)",
    "auto_dropped": "Dropped with it, silently",
    "breaks_later": "Breaks when it is used",
    "changes": "Stays, and means something else",
    "unknown": "Cannot be known",
    "follows": "Follows by itself",
}


def _text(found: Impact) -> str:
    change = f"{found.operation} {found.target}"
    new = found.new_name or found.new_type
    lines = [f"{change} -> {new}" if new else change]
    if found.refused:
        lines.append("PostgreSQL refuses it as it is.")
    for effect, heading in _HEADINGS.items():
        those = [each for each in found.dependents if each.effect == effect]
        if those:
            lines += ["", f"{heading}: {len(those)}"]
        for each in those:
            way = f"  via {' > '.join(each.via)}" if each.via else ""
            places = [f"line {one.line}" for one in each.evidence if one.line is not None]
            lines.append(f"  {each.identity}{way}" + (f"  ({', '.join(places)})" if places else ""))
    if not found.dependents:
        lines.append("Nothing depends on it.")
    return "\n".join(lines) + "\n"
