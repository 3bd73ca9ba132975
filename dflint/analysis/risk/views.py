"""What is assessed: the steps of a plan, each with what its statements are and do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from msgspec import Struct

from dflint.model.catalog import Catalog, Index, Table, View
from dflint.model.context import Context
from dflint.model.effect import StatementEffects
from dflint.model.impact import Impact
from dflint.model.names import Identity, Name
from dflint.model.plan import Plan, Step
from dflint.model.risk import Activity, Circumstances, Harm, RiskEvidence


class StepView(Struct, eq=False):
    """One step, and its statements.

    Attributes:
        contexts: of its statements' operations, in order.
        effects: of its statements.
        impacts: what drops, renames and changes of types do to other objects.
    """

    step: Step
    contexts: Sequence[Context]
    effects: Sequence[StatementEffects]
    impacts: Sequence[Impact] = ()

    def facts(self, effects: StatementEffects) -> tuple[RiskEvidence, ...]:
        """The facts that effects rest on, as evidence."""
        return tuple(RiskEvidence("fact", use.fact) for use in effects.rests_on)

    def fact_ids(self) -> tuple[str, ...]:
        """Of all its statements, each once."""
        return tuple(dict.fromkeys(use.fact for effects in self.effects for use in effects.rests_on))

    def sized(self, kind: str, identity: str, evidence: tuple[RiskEvidence, ...]) -> Harm:
        """Harm that grows with the bytes of a relation."""
        size = self.size(identity)
        if size is None:
            return Harm(kind=kind, objects=(identity,), evidence=evidence, missing=(f"the size of {identity}",))
        found = (*evidence, RiskEvidence("bytes", identity, float(size)))
        return Harm(kind=kind, objects=(identity,), quantities={"bytes": float(size)}, evidence=found)

    def size(self, identity: str) -> int | None:
        """Bytes of a relation before the step; None where not known."""
        found = self._relation(identity)
        return found.bytes if isinstance(found, Table | View | Index) else None

    def rows(self, identity: str) -> int | None:
        """Rows of a table or materialized view before the step, as estimated; None where not known."""
        found = self._relation(identity)
        if not isinstance(found, Table | View):
            return None
        return 0 if found.rows is None and found.bytes == 0 else found.rows

    def _relation(self, identity: str) -> object:
        return self.contexts[0].catalog.relations.get(Name(*Identity.parse(identity).parts)) if self.contexts else None


class Question(Struct, eq=False):
    """What is to be assessed, and all that is known about it.

    Attributes:
        operation: what it is called.
        target: printed identity.
        sql: the statements as written.
        catalog, after: before and after them.
        activity: how the database is used; None where nobody looked.
    """

    operation: str
    target: str
    sql: str
    plan: Plan
    steps: Sequence[StepView]
    catalog: Catalog
    after: Catalog
    activity: Activity | None = None
    circumstances: Circumstances = Circumstances()

    def is_old(self, name: Name) -> bool:
        """Whether a relation is, or may be, there before the plan: what it makes itself nobody else uses."""
        return self.catalog.relation(name) is not None

    def lacks_constraint(self, name: Name, constraint: str) -> bool:
        """Whether a table had a constraint of that name, or may have had it, and has it no more."""
        before, after = self.catalog.relation(name), self.after.relation(name)
        had = not isinstance(before, Table) or before.constraint(constraint) is not None
        return had and not (isinstance(after, Table) and after.constraint(constraint) is not None)

    def calls(self, identities: Sequence[str]) -> dict[str, float]:
        """How often relations are used in a second, where that is known of one of them at least."""
        if self.activity is None:
            return {}
        used = [self.activity.tables[each] for each in identities if each in self.activity.tables]
        return {"calls": sum(each.scans + each.writes for each in used)} if used else {}

    def traffic(self, quantities: dict[str, float]) -> tuple[RiskEvidence, ...]:
        """What `calls` found, as evidence."""
        if "calls" not in quantities:
            return ()
        words = f"{quantities['calls']:.3g} scans and rows written in a second, on average"
        return (RiskEvidence("traffic", words, quantities["calls"]),)


class Counted(TypedDict, total=False):
    """What is known of a number of rows, as a harm takes it."""

    quantities: dict[str, float]
    evidence: tuple[RiskEvidence, ...]
    missing: tuple[str, ...]


def counted(identity: str, view: StepView, *, one: bool = False) -> Counted:
    """The rows of a table, as harm that grows with them has it; ``one``: it is about one of them at most."""
    if one:
        evidence = RiskEvidence("rows", f"one row of {identity} at most, by a unique key", 1.0)
        return {"quantities": {"rows": 1.0}, "evidence": (evidence,)}
    rows = view.rows(identity)
    if rows is None:
        return {"missing": (f"the number of rows of {identity}",)}
    return {
        "quantities": {"rows": float(rows)},
        "evidence": (RiskEvidence("rows", f"{identity}, as estimated", float(rows)),),
    }


def name_of(identity: str) -> Name:
    """The name of a relation."""
    parts = Identity.parse(identity).parts
    return Name(parts[0], parts[1]) if len(parts) > 1 else Name(None, parts[0])


def made_here(context: Context, question: Question) -> bool:
    """Whether an operation is about a relation that the plan itself made: nobody else uses it yet."""
    target = context.operation.target
    if target is None:
        return False
    name = context.resolve(target)
    return context.catalog.relations.get(name) is not None and not question.is_old(name)


def identity_of(name: Name, catalog: Catalog) -> str:
    """The identity of a relation: a table's where nobody knows what it is."""
    found = catalog.relations.get(name)
    kind = "table"
    if isinstance(found, View):
        kind = "materialized_view" if found.materialized else "view"
    return str(Identity(kind, (name.schema or "public", name.name)))


def table_identity(context: Context, name: Name) -> str:
    """The identity of the table that a name means."""
    resolved = context.resolve(name)
    return str(Identity("table", (resolved.schema or "public", resolved.name)))


def column_identity(context: Context, name: Name, column: str) -> str:
    """The identity of a column of the table that a name means."""
    resolved = context.resolve(name)
    return str(Identity("column", (resolved.schema or "public", resolved.name, column)))
