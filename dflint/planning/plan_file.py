"""Plans as JSON files: written, read strictly, and edited by hand within rules.

Each step carries a digest of what nobody may edit. So an edit is known for what it is, also where the plan's own hash
was taken out, as whoever edits it must.
"""

from __future__ import annotations

import re
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from dflint.model.errors import InputError
from dflint.model.plan import Backfill, Check, Estimate, LockClass, Plan, PlanTarget, Step, StepKind, Timeouts, Undo
from dflint.planning.hashes import fixed_hash, plan_hash
from dflint.planning.json_places import Places

FORMAT: Final = "dflint-plan"
SCHEMA_VERSION: Final = 1

_EDITABLE: Final = "sql, timeouts and backfill.batch of a step may be edited, and steps deleted or put in another order"
_AGAIN: Final = "make the plan anew with dflint plan"
_PATH: Final = re.compile(r"(?P<message>.*?)(?: - at `(?P<path>\$[^`]*)`)?\Z", re.DOTALL)
_BYTE: Final = re.compile(r"\(byte (?P<byte>\d+)\)")
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(?P<name>.*)`\Z", re.DOTALL)


class _FiledTarget(Struct, forbid_unknown_fields=True):
    pg_version: int
    catalog_fingerprint: str


class _FiledTimeouts(Struct, forbid_unknown_fields=True):
    lock_ms: int
    statement_ms: int


class _FiledEstimate(Struct, forbid_unknown_fields=True):
    low_s: float
    high_s: float
    basis: str
    wal_bytes: tuple[int, int] | None = None
    disk_bytes: tuple[int, int] | None = None


class _FiledCheck(Struct, forbid_unknown_fields=True):
    name: str
    sql: str


class _FiledUndo(Struct, forbid_unknown_fields=True, omit_defaults=True):
    sql: tuple[str, ...] | None = None
    irreversible: str | None = None


class _FiledBackfill(Struct, forbid_unknown_fields=True):
    table: str
    key: tuple[str, ...]
    batch: int


class _FiledStep(Struct, forbid_unknown_fields=True):
    id: str
    sql: str
    kind: StepKind
    group: str
    locks: dict[str, str]
    lock_class: LockClass
    timeouts: _FiledTimeouts
    estimate: _FiledEstimate | None
    pre: tuple[_FiledCheck, ...]
    post: tuple[_FiledCheck, ...]
    undo: _FiledUndo
    backfill: _FiledBackfill | None
    digest: str
    settings: dict[str, str] = {}
    notes: tuple[str, ...] = ()


class PlanDocument(Struct, forbid_unknown_fields=True):
    """A plan as a file has it.

    ``digest`` of a step is over what may not be edited by hand.
    """

    format: Literal["dflint-plan"]
    schema_version: Literal[1]
    source: str
    target: _FiledTarget
    steps: tuple[_FiledStep, ...]
    point_of_no_return: str | None
    hash: str | None


def write_plan(plan: Plan) -> bytes:
    """The plan as JSON, indented, keys sorted but for the first two."""
    body = msgspec.to_builtins(plan)
    for filed, step in zip(body["steps"], plan.steps, strict=True):
        filed["digest"] = fixed_hash(step, plan.target)
        filed["undo"] = _undo(step.undo)
    encoded = msgspec.json.encode(body, order="sorted")
    document = b'{"format":"%b","schema_version":%d,%b' % (FORMAT.encode(), SCHEMA_VERSION, encoded[1:])
    return msgspec.json.format(document, indent=2) + b"\n"


def _undo(undo: Undo) -> dict[str, Any]:
    return {"sql": undo.sql or ()} if undo.irreversible is None else {"irreversible": undo.irreversible}


def read_plan(content: bytes, path: str) -> Plan:
    """A plan from a file. One that was edited by hand has no hash: see `dflint.planning.judging.judge_again`.

    Args:
        path: of the file, for errors.

    Raises:
        InputError: it is no plan, or was edited where nobody may, with the line.
    """
    places = Places(content, path)
    try:
        filed = msgspec.json.decode(content, type=PlanDocument)
    except msgspec.ValidationError as error:
        raise _misfit(error, places) from error
    except (msgspec.DecodeError, RecursionError) as error:
        at = _BYTE.search(str(error))
        line = places.end if at is None else content.count(b"\n", 0, int(at["byte"])) + 1
        raise InputError(f"it is no plan: {error}", file=path, line=line, remedy=_AGAIN) from error
    plan = _plan(filed)
    _refuse_doubles(plan, places)
    for index, (step, said) in enumerate(zip(plan.steps, filed.steps, strict=True)):
        _refuse_bad_values(step, index, places)
        if fixed_hash(step, plan.target) != said.digest:
            raise places.error(
                f"$.steps[{index}]",
                f"step {step.id}, or the target, was edited where a plan may not be edited by hand",
                _EDITABLE,
            )
    if plan.hash is not None and plan.hash != plan_hash(plan):
        raise places.error(
            "$.hash", "the plan was edited, and still has the hash of what it was", f'write "hash": null; {_EDITABLE}'
        )
    return plan


def step_lines(content: bytes, path: str) -> list[int]:
    """The line of each step's statements in a file that is a plan."""
    places = Places(content, path)
    count = len(msgspec.json.decode(content, type=PlanDocument).steps)
    return [places.line(f"$.steps[{index}].sql") for index in range(count)]


def schema() -> bytes:
    """The file's JSON Schema (2020-12), as it is kept in ``docs/schemas``."""
    described = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The JSON document of dflint plan, version 1",
        **msgspec.json.schema(PlanDocument),
    }
    text = msgspec.json.encode(described).replace(b"_Filed", b"Plan")
    return msgspec.json.format(text, indent=2) + b"\n"


def _misfit(error: msgspec.ValidationError, places: Places) -> InputError:
    """The error with its line."""
    found = _PATH.match(str(error))
    assert found is not None
    where, message = found["path"] or "$", found["message"]
    unknown = _UNKNOWN.match(message)
    if unknown is not None:
        return places.error(f"{where}.{unknown['name']}", f"a plan has no {unknown['name']!r} here", _EDITABLE)
    what = "this document" if where == "$" else where.removeprefix("$.")
    return places.error(where, f"{what} does not fit a plan: {message[:1].lower()}{message[1:]}", _EDITABLE)


def _refuse_doubles(plan: Plan, places: Places) -> None:
    if places.double is not None:
        where, name = places.double
        raise places.error(where, f"{name!r} stands twice in one object", "take one of them out")
    seen: set[str] = set()
    for index, step in enumerate(plan.steps):
        if step.id in seen:
            raise places.error(f"$.steps[{index}]", f"two steps have the id {step.id!r}", _EDITABLE)
        seen.add(step.id)


def _refuse_bad_values(step: Step, index: int, places: Places) -> None:
    where = f"$.steps[{index}]"
    if not step.sql.strip() and step.kind != "manual":
        raise places.error(f"{where}.sql", f"step {step.id} has no statement", "delete the step instead")
    for name in ("lock_ms", "statement_ms"):
        if not 0 <= getattr(step.timeouts, name) <= _LONGEST_MS:
            raise places.error(
                f"{where}.timeouts.{name}", f"{name} is a number of milliseconds up to {_LONGEST_MS}", "0 is no limit"
            )
    if step.backfill is not None and step.backfill.batch < 1:
        raise places.error(f"{where}.backfill.batch", "a batch has at least one row", "correct the number")


#: PostgreSQL's own limit.
_LONGEST_MS: Final = 2**31 - 1


def _plan(filed: PlanDocument) -> Plan:
    return Plan(
        source=filed.source,
        target=PlanTarget(filed.target.pg_version, filed.target.catalog_fingerprint),
        steps=tuple(_step(step) for step in filed.steps),
        point_of_no_return=filed.point_of_no_return,
        hash=filed.hash,
    )


def _step(filed: _FiledStep) -> Step:
    estimate, backfill = filed.estimate, filed.backfill
    return Step(
        id=filed.id,
        sql=filed.sql,
        kind=filed.kind,
        group=filed.group,
        locks=filed.locks,
        lock_class=filed.lock_class,
        timeouts=Timeouts(filed.timeouts.lock_ms, filed.timeouts.statement_ms),
        estimate=None if estimate is None else Estimate(**msgspec.structs.asdict(estimate)),
        pre=tuple(Check(check.name, check.sql) for check in filed.pre),
        post=tuple(Check(check.name, check.sql) for check in filed.post),
        undo=Undo(None if filed.undo.irreversible is not None else filed.undo.sql or (), filed.undo.irreversible),
        backfill=None if backfill is None else Backfill(backfill.table, backfill.key, backfill.batch),
        settings=filed.settings,
        notes=filed.notes,
    )
