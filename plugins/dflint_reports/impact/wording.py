"""The words and sentences about impacts that all formats share."""

from __future__ import annotations

from collections import Counter
from typing import Final

from dflint.model.impact import STRONGEST_FIRST, DependentEffect, Evidence, Impact
from dflint_reports.wording import count

#: What becomes of a dependent, in a word or two.
SHORT: Final[dict[DependentEffect, str]] = {
    "blocks": "blocks",
    "auto_dropped": "goes with it",
    "breaks_later": "breaks",
    "changes": "changes",
    "unknown": "unknown",
    "follows": "follows",
}
#: And what that means.
MEANING: Final[dict[DependentEffect, str]] = {
    "blocks": "the server refuses the change because of it",
    "auto_dropped": "is dropped too, in silence",
    "breaks_later": "stays, and fails when it is next used",
    "changes": "stays, and silently means something else",
    "unknown": "cannot be decided: somebody has to look",
    "follows": "is adapted by the server, nothing needs to be done",
}
#: So many objects at each end of a long way are named.
_STEPS: Final = 4
_KINDS: Final = {"fk": "foreign key"}
_EVIDENCE: Final = {
    "pg_depend": "recorded by the server",
    "constraint": "constraint",
    "body": "named in its text",
    "dynamic_sql": "runs SQL that it puts together",
    "attribute": "attribute",
}


def kind_word(kind: str) -> str:
    """``materialized view``, ``foreign key``."""
    return _KINDS.get(kind) or kind.replace("_", " ")


def headline(impact: Impact) -> str:
    """The change, as it was asked for."""
    text = f"{impact.operation} {impact.target}"
    if impact.new_name is not None:
        text += f" to {impact.new_name}"
    if impact.new_type is not None:
        text += f" to {impact.new_type}"
    return text


def verdict(impact: Impact) -> str:
    """What happens, in a sentence or two; never that all is well where something is not known."""
    found = Counter(dependent.effect for dependent in impact.dependents)
    without = " without CASCADE" if impact.operation.startswith("drop-") else ""
    parts = [f"The server refuses it{without}." if impact.refused else ""]
    if found["breaks_later"]:
        parts.append(f"{_objects(found['breaks_later'])} will fail when next used.")
    if found["changes"]:
        parts.append(f"{_objects(found['changes'])} will silently mean something else.")
    if not any(parts):
        sure = impact.complete and not found["unknown"]
        parts.append("Nothing breaks." if sure else "Nothing is known to break.")
    if found["auto_dropped"]:
        goes = "goes" if found["auto_dropped"] == 1 else "go"
        parts.append(f"{_objects(found['auto_dropped'])} {goes} with it.")
    if found["unknown"]:
        parts.append(f"{_objects(found['unknown'])} cannot be judged.")
    return " ".join(part for part in parts if part)


def counts(impact: Impact) -> list[tuple[DependentEffect, int]]:
    """How many dependents have each effect that occurs, strongest first."""
    found = Counter(dependent.effect for dependent in impact.dependents)
    return [(effect, found[effect]) for effect in STRONGEST_FIRST if found[effect]]


def shown_by(evidence: Evidence) -> str:
    """What shows a dependency, with its place."""
    words = _EVIDENCE[evidence.kind]
    if evidence.line is not None:
        words += f", line {evidence.line}"
        if evidence.column is not None:
            words += f", column {evidence.column}"
    return f"{words}: {evidence.detail}" if evidence.detail else words


def steps(via: tuple[str, ...]) -> list[str]:
    """The objects on the way to a dependent; of a long way its beginning and its end."""
    left_out = len(via) - 2 * _STEPS
    if left_out <= 1:
        return list(via)
    return [*via[:_STEPS], f"… {left_out:,} more …", *via[-_STEPS:]]


def _objects(number: int) -> str:
    return count(number, "object")
