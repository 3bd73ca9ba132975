"""The use case of ``dflint plan``: what executing a migration will do, step by step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct

from dflint.analysis.risk.sizes import unsized, with_sizes
from dflint.app.called import with_called
from dflint.app.discovery import History, discover, load_sources
from dflint.app.effects import known_facts
from dflint.app.loading import load_file
from dflint.app.request import NEWEST_VERSION
from dflint.app.snapshot import read_live
from dflint.app.snapshot_files import open_snapshot
from dflint.history.fold import Fold
from dflint.model.calibration import STATED, Calibration
from dflint.model.catalog import Catalog, Index, Table
from dflint.model.context import Context
from dflint.model.errors import InputError
from dflint.model.migration import Runner, Section, Span
from dflint.model.names import Name
from dflint.model.operations.base import Operation
from dflint.model.plan import Plan
from dflint.planning.headroom import with_headroom
from dflint.planning.judging import judge_again
from dflint.planning.making import PlanFile, make_plan
from dflint.planning.plan_file import read_plan, step_lines
from dflint.planning.statements import names_in, operations_of, parser
from dflint.plugin.manager import Plugins
from dflint.sql.source_text import SourceText
from dflint.trace.trace_file import is_trace


class PlanRequest(Struct, frozen=True, kw_only=True):
    """What is to be planned.

    Attributes:
        paths: migration files of one history, or one saved plan.
        dsn: of the database it is for.
        snapshot: path of a snapshot of it.
        runner: name of the migration runner; None: detected.
        version: major version of the server.
        plugins: import names of plugin modules.
        keep_dropped: as `dflint.planning.making.make_plan` takes it.
        calibrate: measure how fast the server of the database is, for estimates.
        free_disk: bytes that are free where the database is; None: nobody knows.
    """

    paths: tuple[str, ...]
    dsn: str | None = None
    snapshot: str | None = None
    runner: str | None = None
    version: int | None = None
    plugins: tuple[str, ...] = ()
    keep_dropped: bool = False
    calibrate: bool = False
    free_disk: int | None = None


async def made(request: PlanRequest) -> Plan:
    """The plan of migration files, or a saved plan, judged again where it was edited.

    Raises:
        InputError, SourceError, ServerError: as `plan_files` and `load_plan`; there is not enough disk space for it.
    """
    return with_headroom(await _made(request), request.free_disk)


async def _made(request: PlanRequest) -> Plan:
    if len(request.paths) == 1:
        path = request.paths[0]
        try:
            content = Path(path).read_bytes() if Path(path).is_file() else b""
        except OSError as error:
            raise InputError(f"it cannot be read: {error.strerror}", file=path) from error
        # No statement begins with a brace, and a trace says what it is.
        if content.lstrip().startswith(b"{") and not is_trace(content):
            return await load_plan(content, path, dsn=request.dsn, snapshot=request.snapshot)
    calibration = await calibrated(request.dsn, wanted=request.calibrate)
    return await plan_files(
        request.paths,
        dsn=request.dsn,
        snapshot=request.snapshot,
        runner=request.runner,
        version=request.version,
        plugins=request.plugins,
        keep_dropped=request.keep_dropped,
        calibration=calibration,
    )


async def calibrated(dsn: str | None, *, wanted: bool) -> Calibration:
    """How fast the server of a database is: measured where that is wanted, else stated.

    Raises:
        InputError: there is no server.
        ServerError: it cannot be measured.
    """
    if not wanted:
        return STATED
    if dsn is None:
        raise InputError("only a server can be measured", remedy="give --db DSN, or leave --calibrate out")
    from dflint.catalog.speed import measure_speed
    from dflint.postgres import connect

    async with await connect(dsn, autocommit=True) as connection:
        return await measure_speed(connection)


async def plan_files(
    paths: Sequence[str],
    *,
    dsn: str | None = None,
    snapshot: str | None = None,
    runner: str | None = None,
    version: int | None = None,
    plugins: Sequence[str] = (),
    keep_dropped: bool = False,
    calibration: Calibration = STATED,
) -> Plan:
    """The plan of migration files of one history, in its order.

    Args:
        paths: of the files.
        dsn: the database it is for.
        snapshot: path of a snapshot of it. Without either, the earlier files of the same folder are replayed.
        runner: name of the migration runner; None: detected.
        version: major version of the server; None: that of the database or snapshot, else the newest known.
        plugins: import names of plugin modules.
        keep_dropped: as `dflint.planning.making.make_plan` takes it.
        calibration: what work takes on the server.

    Raises:
        InputError: a statement cannot be executed as it stands, or the files cannot be planned together.
        SourceError, ServerError: a file or the server cannot be read.
    """
    found = await gathered(paths, dsn=dsn, snapshot=snapshot, runner=runner, version=version, plugins=plugins)
    return make_plan(
        found.files,
        found.fold,
        version=found.version,
        called=_called,
        definitions=found.definitions,
        keep_dropped=keep_dropped,
        calibration=calibration,
    )


class Gathered(NamedTuple):
    """Migration files, and what has to be known to plan them.

    Attributes:
        files: that are planned, in their history's order.
        fold: what there is before the first of them.
        version: major version of the server.
        definitions: how the server prints what they name.
    """

    files: list[PlanFile]
    fold: Fold
    version: int
    definitions: dict[str, str]


async def gathered(
    paths: Sequence[str],
    *,
    dsn: str | None,
    snapshot: str | None,
    runner: str | None,
    version: int | None,
    plugins: Sequence[str],
) -> Gathered:
    """Migration files of one history, and what there is before them; arguments and errors as `plan_files`."""
    catalog = await _catalog(dsn, snapshot)
    history = history_of(paths, runner, plugins)
    major = version or (catalog.version if catalog is not None else None) or NEWEST_VERSION
    files = [loaded_file(history, name) for name in history.files if name in history.selected]
    operations = list(chain.from_iterable(operations_of(file.text.text.decode()) for file in files))
    definitions = await _definitions(dsn, operations, catalog, major)
    if dsn is not None and catalog is not None:
        catalog = await _with_sizes(dsn, operations, catalog)
    return Gathered(files, _fold(history, catalog, major), major, definitions)


def plan_sql(
    text: str,
    catalog: Catalog,
    *,
    version: int,
    path: str = "<sql>",
    definitions: Mapping[str, str] | None = None,
    keep_dropped: bool = False,
    calibration: Calibration = STATED,
) -> Plan:
    """The plan of a plain SQL text, split as psql would.

    Args:
        catalog: what exists before.
        version: major version of the server.
        path: how the text is called.
        definitions: as `dflint.planning.undo.undo` takes them.
        keep_dropped: as `dflint.planning.making.make_plan` takes it.
        calibration: what work takes on the server.

    Raises:
        InputError: a statement cannot be executed as it stands.
        SourceError: the text holds a NUL byte.
    """
    source = SourceText(path, text.encode())
    file = PlanFile(path, source, [Section("up", Span(0, len(source.text)))])
    fold = Fold(runner=Runner("psql"), version=version, knowledge=known_facts(), catalog=catalog)
    return make_plan(
        [file],
        fold,
        version=version,
        called=_called,
        definitions=definitions,
        keep_dropped=keep_dropped,
        calibration=calibration,
    )


async def load_plan(content: bytes, path: str, *, dsn: str | None = None, snapshot: str | None = None) -> Plan:
    """A plan from a file; one that was edited by hand is judged again.

    Raises:
        InputError: it is no plan, or was edited where nobody may.
        ServerError: there is no connection.
    """
    plan = read_plan(content, path)
    if plan.hash is not None:
        return plan
    catalog = await _catalog(dsn, snapshot)
    operations = chain.from_iterable(operations_of(step.sql) for step in plan.steps)
    return judge_again(
        plan,
        Catalog() if catalog is None else catalog,
        knowledge=known_facts(),
        called=_called,
        definitions=await _definitions(dsn, operations, catalog, plan.target.pg_version),
        path=path,
        lines=step_lines(content, path),
    )


def _called(contexts: Iterable[Context]) -> tuple[list[Context], list[str]]:
    return with_called(contexts, parser())


async def _catalog(dsn: str | None, snapshot: str | None) -> Catalog | None:
    if dsn is not None:
        return await read_live(dsn)
    return None if snapshot is None else open_snapshot(snapshot).load()


async def _definitions(
    dsn: str | None, operations: Iterable[Operation], catalog: Catalog | None, version: int
) -> dict[str, str]:
    """How the server prints what these operations name, and what refers to that."""
    if dsn is None:
        return {}
    from dflint.catalog.definitions import read_definitions
    from dflint.postgres import connect

    async with await connect(dsn, autocommit=True) as connection:
        names = names_in(operations)
        if catalog is not None:
            names |= _referring(catalog, names)
        return await read_definitions(connection, names, version=version)


async def _with_sizes(dsn: str, operations: Iterable[Operation], catalog: Catalog) -> Catalog:
    """The catalog with sizes of what operations name, and of what refers to that, where it does not know them."""
    from dflint.catalog.activity import read_sizes
    from dflint.postgres import connect

    names = names_in(operations)
    found = {name for name in catalog.relations if name.name in _referring(catalog, names)}
    tables = found | {name for index in found for name in _table_of(catalog, index)}
    missing = unsized(catalog, tables)
    if not missing:
        return catalog
    async with await connect(dsn, autocommit=True) as connection:
        return with_sizes(catalog, await read_sizes(connection, missing))


def _table_of(catalog: Catalog, name: Name) -> Iterator[Name]:
    """The table of an index, and those that a table refers to."""
    relation = catalog.relation(name)
    if isinstance(relation, Index):
        yield relation.table
    elif isinstance(relation, Table):
        yield from (each.references for each in relation.constraints if each.references is not None)


def _referring(catalog: Catalog, names: set[str]) -> set[str]:
    """The tables that refer to those of these names, and to them in turn: a recipe may change them too."""
    found = {name for name in catalog.relations if name.name in names}
    pending = list(found)
    while pending:
        dependents = catalog.dependents_of.get(pending.pop(), ())
        new = {each for each in dependents if isinstance(catalog.relation(each), Table)} - found
        found |= new
        pending += new
    return {name.name for name in found}


def history_of(paths: Sequence[str], runner: str | None, plugins: Sequence[str]) -> History:
    """The one history that some files, or a folder, belong to.

    Raises:
        InputError: they belong to several.
    """
    sources = load_sources(Plugins(list(plugins)).sources())
    histories = discover(paths, sources, None if runner is None else (runner, None))
    if len(histories) != 1:
        raise InputError("the files belong to several folders of migrations", remedy="plan one folder at a time")
    return histories[0]


def loaded_file(history: History, name: str) -> PlanFile:
    """A file of a history, cut up.

    Raises:
        InputError: it cannot be read.
    """
    loaded = load_file(history, name)
    if loaded.source is None or loaded.error is not None:
        error = loaded.error
        assert error is not None
        raise InputError(error.message, file=error.file, line=error.line, column=error.column, remedy=error.remedy)
    return PlanFile(history.path(name), loaded.source, loaded.cut.sections)


def _fold(history: History, catalog: Catalog | None, version: int) -> Fold:
    """What there is before the first file; without a catalog, what the earlier files of its history make."""
    fold = Fold(
        runner=history.runner,
        version=version,
        knowledge=known_facts(),
        catalog=Catalog(basis="replay") if catalog is None else catalog,
        from_the_start=catalog is None and len(history.files) > 1,
    )
    if catalog is None:
        for name in history.files[: history.files.index(min(history.selected, key=history.files.index))]:
            file = loaded_file(history, name)
            fold.begin_change()
            for _ in fold.file(file.text.text, file.sections, parser().parse(file.text.text, file.sections)):
                pass
    fold.begin_change()
    return fold
