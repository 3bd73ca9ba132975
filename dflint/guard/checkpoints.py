"""Migrations with checkpoints: validators before, during and after, and back to where it began when one fails."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

import psycopg
from msgspec import Struct

from dflint.guard.own_checks import assertion, command
from dflint.guard.queries import LookingSession
from dflint.guard.workload import ApplicationWorkload
from dflint.model.errors import DflintError, InputError, nearest
from dflint.plugin.manager import load
from dflint.plugin.validators import QueryError, Situation, Stage, TableName, Validator, Verdict

_STAGES: tuple[Stage, ...] = ("pre_migration", "during_migration", "post_migration")

#: Between two looks at the server while the migration runs, in seconds.
_PAUSE = 0.2


# --- what is asked for ------------------------------------------------------------------------------------------------


class Asked(Struct, frozen=True):
    """A validator as a checkpoint names it."""

    stage: Stage
    named: str
    validator: Validator
    options: Mapping[str, Any]
    required: bool


def asked_for(checkpoints: Iterable[Mapping[str, Any]], known: Mapping[str, str]) -> tuple[Asked, ...]:
    """The validators that checkpoints name, in order.

    Args:
        checkpoints: each ``{"stage": …, "validators": […], "required": True}``. A validator is its name; a mapping with
            ``name`` and its options; ``{"sql": query}``, whose single value must be true; ``{"command": [words]}``, a
            program that must exit with 0, such as the application's tests; or an async function of a `Situation`.
        known: name -> reference, as plugins contribute them.

    Raises:
        InputError: a checkpoint is malformed, or names an unknown stage or validator.
        PluginError: a validator fails to load.
    """
    asked = []
    for place, checkpoint in enumerate(checkpoints, 1):
        if unknown := set(checkpoint) - {"stage", "validators", "required"}:
            raise InputError(
                f"checkpoint {place} has an unknown key {min(unknown)!r}", remedy="keys: stage, validators, required"
            )
        stage = checkpoint.get("stage")
        if stage not in _STAGES:
            raise InputError(
                f"checkpoint {place} has no stage of the known: {stage!r}",
                remedy=nearest(str(stage), _STAGES) or f"stages: {', '.join(_STAGES)}",
            )
        required = bool(checkpoint.get("required", True))
        for given in checkpoint.get("validators", ()):
            named, validator, options = _validator(given, place, known)
            asked.append(Asked(stage, named, validator, options, required))
    return tuple(asked)


def _validator(given: Any, place: int, known: Mapping[str, str]) -> tuple[str, Validator, Mapping[str, Any]]:
    """What a checkpoint names: its name there, the validator, and the options for it."""
    if callable(given):
        name = getattr(given, "__name__", "function")
        return name, Validator(name, given), {}
    options = dict(given) if isinstance(given, Mapping) else {"name": given}
    if "sql" in options:
        name = str(options.get("name", "sql"))
        return name, Validator(name, assertion(str(options["sql"]))), {}
    if "command" in options:
        words = options["command"]
        if isinstance(words, str) or not isinstance(words, Sequence) or not words:
            raise InputError(f"the command of checkpoint {place} is no list of words", remedy='["pytest", "-q"]')
        name = str(options.get("name", "command"))
        return name, Validator(name, command([str(word) for word in words])), {}
    name = str(options.pop("name", ""))
    if name not in known:
        raise InputError(
            f"checkpoint {place} names an unknown validator {name!r}",
            remedy=nearest(name, known) or f"validators: {', '.join(sorted(known))}",
        )
    return name, load(known[name]), options


# --- what comes of it -------------------------------------------------------------------------------------------------


class CheckpointResult(Struct, frozen=True):
    """What one validator said at one stage.

    Attributes:
        stage: when.
        validator: its canonical name.
        named: the name that the checkpoint used.
        ok: None when it could not be found out, which does not pass.
        required: False makes a failure a warning.
        message: one line.
        details: figures and objects; empty unless detailed reporting was asked for.
        samples: how often it was asked; more than once while the migration ran.
        duration_s: seconds it took in all.
    """

    stage: Stage
    validator: str
    named: str
    ok: bool | None
    required: bool
    message: str
    details: Mapping[str, Any]
    samples: int
    duration_s: float

    @property
    def passed(self) -> bool:
        """Whether it was found good."""
        return self.ok is True


class FailureDetails(Struct, frozen=True):
    """Why a migration was given up; printed, it is one line."""

    stage: str
    validator: str
    reason: str
    details: Mapping[str, Any] = {}

    def __str__(self) -> str:
        return self.reason


class ValidationResult(Struct, frozen=True, kw_only=True):
    """How a migration with checkpoints went.

    Attributes:
        all_checkpoints_passed: the migration was done and every required validator passed.
        checkpoint_results: in the order in which they were asked.
        failed_checkpoint: ``stage:validator``; ``migration`` for the migration itself; None when all passed.
        failure_reason: one line.
        failure_details: the same with what the validator found.
        rollback_completed: everything was verified to be as before: the catalog, and the rows of the tables named.
        not_covered: what was not taken back or not verified, and why.
        warnings: failures of validators that were not required.
        said_before: what was known before the start that cannot be taken back.
    """

    all_checkpoints_passed: bool
    checkpoint_results: tuple[CheckpointResult, ...]
    failed_checkpoint: str | None = None
    failure_reason: str | None = None
    failure_details: FailureDetails | None = None
    rollback_completed: bool = False
    not_covered: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    said_before: tuple[str, ...] = ()


class CheckpointFailed(Exception):
    """A required validator did not pass."""

    def __init__(self, result: CheckpointResult) -> None:
        super().__init__(result.message)
        self.result = result


# --- what is run ------------------------------------------------------------------------------------------------------


class Migration(Protocol):
    """Something that changes the database, and can take it back as far as possible."""

    async def prepare(self) -> tuple[str, ...]:
        """Note how things are; what is known already that cannot be taken back, in words."""

    async def run(self) -> None:
        """Do it.

        Raises:
            Exception: it failed; whatever the migration raises.
        """

    async def take_back(self) -> tuple[str, ...]:
        """Bring back what was before; what was not brought back, or not verified, in words. Empty: all was verified."""


class Checkpoints:
    """The validators of one migration, and what they have said so far."""

    def __init__(
        self,
        asked: Sequence[Asked],
        session: LookingSession,
        *,
        tables: tuple[TableName, ...] = (),
        workload: tuple[str, ...] = (),
        detailed: bool = False,
    ) -> None:
        """Say what to ask where; nothing happens yet.

        Args:
            asked: the validators.
            session: looks at the database for all of them.
            tables: what they look at; empty: everything.
            workload: the user's own queries that stand for the application.
            detailed: keep the validators' details.
        """
        self.results: list[CheckpointResult] = []
        self._asked = asked
        self._session = session
        self._tables = tables
        self._memory: dict[str, Any] = {}
        self._workload = ApplicationWorkload(session, tables, workload)
        self._detailed = detailed

    async def note(self) -> None:
        """Let the validators of later stages note what they will compare with."""
        for asked in self._asked:
            if asked.validator.before is not None and asked.stage != "pre_migration":
                with suppress(QueryError):
                    # Whoever has nothing to compare with says so when asked.
                    await asked.validator.before(self._situation(asked, "pre_migration"))

    async def stage(self, stage: Stage) -> None:
        """Ask the validators of a stage.

        Raises:
            CheckpointFailed: a required one does not pass.
        """
        failed = None
        for asked in self._asked:
            if asked.stage == stage:
                began = time.perf_counter()
                verdict = await self._verdict(asked)
                result = self._result(asked, verdict, 1, time.perf_counter() - began)
                self.results.append(result)
                if failed is None and asked.required and not result.passed:
                    failed = result
        if failed is not None:
            raise CheckpointFailed(failed)

    async def meanwhile(self, running: asyncio.Future[None]) -> None:
        """Ask the validators of the stage between again and again until the migration has ended.

        Raises:
            CheckpointFailed: a required one does not pass; its failure, or its last word, is among the results.
        """
        said: dict[int, tuple[Asked, Verdict, int, float]] = {}
        failed: Asked | None = None
        watched = [asked for asked in self._asked if asked.stage == "during_migration"]
        while watched and failed is None:
            for place, asked in enumerate(watched):
                _, last, samples, spent = said.get(place, (asked, Verdict(True, ""), 0, 0.0))
                began = time.perf_counter()
                verdict = await self._verdict(asked)
                # A failure that was not required stays said.
                kept = last if samples and last.ok is not True else verdict
                said[place] = (asked, kept, samples + 1, spent + time.perf_counter() - began)
                if asked.required and verdict.ok is not True:
                    failed = asked
                    break
            if running.done():
                break
            await asyncio.wait([running], timeout=_PAUSE)
        found = {id(asked): self._result(*heard) for heard in said.values() for asked in [heard[0]]}
        self.results += found.values()
        if failed is not None:
            raise CheckpointFailed(found[id(failed)])

    def _situation(self, asked: Asked, stage: Stage) -> Situation:
        return Situation(stage, self._session, self._tables, self._memory, asked.options, self._workload)

    async def _verdict(self, asked: Asked) -> Verdict:
        try:
            return await asked.validator.check(self._situation(asked, asked.stage))
        except QueryError as error:
            return Verdict(None, f"it could not be found out: {error}", {"sqlstate": error.sqlstate})

    def _result(self, asked: Asked, verdict: Verdict, samples: int, spent: float) -> CheckpointResult:
        details = verdict.details if self._detailed else {}
        return CheckpointResult(
            asked.stage,
            asked.validator.name,
            asked.named,
            verdict.ok,
            asked.required,
            verdict.message,
            details,
            samples,
            spent,
        )


async def migrate(migration: Migration, checkpoints: Checkpoints, *, rollback_on_failure: bool) -> ValidationResult:
    """Run a migration between its checkpoints.

    Args:
        migration: what to run.
        checkpoints: whom to ask.
        rollback_on_failure: take it back when a required validator or the migration itself fails, or this is cancelled.

    Raises:
        asyncio.CancelledError: its notes say what was not taken back.
    """
    said_before = await migration.prepare()
    await checkpoints.note()
    try:
        await checkpoints.stage("pre_migration")
        await _run(migration, checkpoints)
        await checkpoints.stage("post_migration")
    except CheckpointFailed as failure:
        failed = FailureDetails(
            failure.result.stage, failure.result.validator, failure.result.message, failure.result.details
        )
    except _MigrationFailed as failure:
        failed = FailureDetails("migration", "", str(failure))
    except asyncio.CancelledError as cancelled:
        for problem in await _take_back(migration) if rollback_on_failure else ():
            cancelled.add_note(problem)
        raise
    else:
        return ValidationResult(
            all_checkpoints_passed=True,
            checkpoint_results=tuple(checkpoints.results),
            warnings=_warnings(checkpoints),
            said_before=said_before,
        )
    not_covered: tuple[str, ...] = ("a rollback was not asked for",)
    if rollback_on_failure:
        not_covered = await _take_back(migration)
    return ValidationResult(
        all_checkpoints_passed=False,
        checkpoint_results=tuple(checkpoints.results),
        failed_checkpoint=f"{failed.stage}:{failed.validator}" if failed.validator else failed.stage,
        failure_reason=failed.reason,
        failure_details=failed,
        rollback_completed=rollback_on_failure and not not_covered,
        not_covered=not_covered,
        warnings=_warnings(checkpoints),
        said_before=said_before,
    )


async def _take_back(migration: Migration) -> tuple[str, ...]:
    try:
        return await migration.take_back()
    except psycopg.Error as error:
        return (f"the session that was to take it back failed: {' '.join(str(error).split())}",)


class _MigrationFailed(Exception):
    """The migration itself raised."""


async def _run(migration: Migration, checkpoints: Checkpoints) -> None:
    running = asyncio.ensure_future(migration.run())
    try:
        await checkpoints.meanwhile(running)
    except BaseException:
        running.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await running
        raise
    try:
        await running
    except Exception as error:
        reason = error.message if isinstance(error, DflintError) else " ".join(str(error).split())
        raise _MigrationFailed(f"the migration failed: {reason or type(error).__name__}") from error


def _warnings(checkpoints: Checkpoints) -> tuple[str, ...]:
    return tuple(
        f"{result.stage}:{result.validator}: {result.message}"
        for result in checkpoints.results
        if not result.required and not result.passed
    )
