"""The catalog that a migration history makes on an empty database, with what its texts need."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from dflint.analysis.replayed import ReplayedNeeds
from dflint.app.effects import known_facts
from dflint.app.plan import history_of, loaded_file
from dflint.app.request import NEWEST_VERSION
from dflint.history.fold import Fold
from dflint.model.catalog import Catalog
from dflint.model.operations.base import Opaque
from dflint.planning.statements import parser
from dflint.sql.libpg_query import load_library


def history_catalog(
    paths: Sequence[str], *, version: int | None = None, runner: str | None = None, plugins: Sequence[str] = ()
) -> Catalog:
    """Replay a whole history, without a server.

    Args:
        paths: its folder, or files of it.
        version: major version of the server; None: the newest known.
        runner: name of the migration runner; None: detected.
        plugins: import names of plugin modules.

    Returns:
        The catalog. It is incomplete where a statement was not understood.

    Raises:
        InputError: the files belong to several histories.
        SourceError: a file cannot be read.
    """
    major = version or NEWEST_VERSION
    history = history_of(paths, runner, plugins)
    needs = ReplayedNeeds(parser(), major)
    fold = Fold(
        runner=history.runner,
        version=major,
        knowledge=known_facts(),
        catalog=Catalog(basis="replay", closed=True),
        from_the_start=True,
        library=load_library(),
    )
    opaque: list[str] = []
    for name in history.files:
        file = loaded_file(history, name)
        fold.begin_change()
        for context in fold.file(file.text.text, file.sections, parser().parse(file.text.text, file.sections)):
            needs.note(context, file.text.text)
            if isinstance(context.operation, Opaque):
                line, _ = file.text.position(context.statement.start)
                opaque.append(f"{file.path}:{line}: {context.operation.reason}")
    fold.begin_change()
    catalog = needs.added(fold.catalog)
    doubts = [f"whether {each} exists is not known" for each in sorted(fold.doubted)]
    return replace(catalog, incomplete=(*catalog.incomplete, *opaque, *doubts))
