"""What a change does to everything else: the value that impact analyses give."""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

#: What becomes of one dependent.
#:
#: - ``blocks``: the server refuses the change without CASCADE because of it;
#: - ``auto_dropped``: it goes silently with the target;
#: - ``breaks_later``: the change succeeds, the dependent fails when it is used;
#: - ``changes``: it stays and silently means something else;
#: - ``unknown``: it cannot be decided, for example for dynamic SQL;
#: - ``follows``: it is tracked by object number, nothing needs to be done.
DependentEffect = Literal["blocks", "auto_dropped", "breaks_later", "changes", "unknown", "follows"]

#: Where one dependent is affected in several ways, the first of these is reported.
STRONGEST_FIRST: Final[tuple[DependentEffect, ...]] = (
    "blocks",
    "auto_dropped",
    "breaks_later",
    "changes",
    "unknown",
    "follows",
)

EvidenceKind = Literal["pg_depend", "constraint", "body", "dynamic_sql", "attribute"]


class Evidence(Struct, frozen=True):
    """What shows that one object needs another.

    Attributes:
        detail: a constraint's name, the text that names the object, the attribute.
        line, column: the place in the dependent's body, from 1, columns in code points; None where there is none.
    """

    kind: EvidenceKind
    detail: str
    line: int | None = None
    column: int | None = None


class Dependent(Struct, frozen=True):
    """One affected object.

    Attributes:
        identity: its printed identity.
        via: identities on the way from the target (not in it) to the dependent (not in it).
    """

    identity: str
    effect: DependentEffect
    via: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()


class Impact(Struct, frozen=True):
    """Everything that one change affects.

    Attributes:
        operation: the sub-command's name, such as ``drop-column``.
        target: the printed identity of what is changed.
        new_name, new_type: for renames and type changes.
        refused: the server refuses the change as it is (without CASCADE).
        dependents: one entry for each identity, sorted by it.
        incomplete_because: why dependents may be missing; empty is good.
    """

    operation: str
    target: str
    refused: bool
    dependents: tuple[Dependent, ...]
    new_name: str | None = None
    new_type: str | None = None
    incomplete_because: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether nothing can be missing."""
        return not self.incomplete_because


class ImpactDocument(Struct, frozen=True, omit_defaults=True):
    """An impact as JSON, by the project's interface."""

    schema_version: int
    complete: bool
    incomplete_because: tuple[str, ...]
    operation: str
    target: str
    refused: bool
    dependents: tuple[Dependent, ...]
    new_name: str | None = None
    new_type: str | None = None


def to_document(impact: Impact) -> ImpactDocument:
    """The document of an impact."""
    return ImpactDocument(
        1,
        impact.complete,
        impact.incomplete_because,
        impact.operation,
        impact.target,
        impact.refused,
        impact.dependents,
        impact.new_name,
        impact.new_type,
    )
