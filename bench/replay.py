"""How well replaying a migration history offline gives the schema that the server has after running it.

    python bench/replay.py [--verbose] FOLDER...

Every history below the folders is run on a scratch server, statement by statement as its runner sends them, and
replayed. Where every statement runs, the two catalogs are compared fact by fact; each difference is printed. What a
replay cannot know is not compared: sizes and extension members. A difference is *unknown* where the replay itself says
so: SQL that was made up at run time ran, or the object's name is that of something whose making depends on a condition
that only data can answer; any other is *different*. A history with a statement that the server refuses is named with
the reason, and left out.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from collections import Counter

import msgspec
import psycopg

from dflint.app.discovery import History, discover
from dflint.app.effects import known_facts
from dflint.app.loading import load_file
from dflint.catalog.comparing import Difference, differences
from dflint.catalog.reader import read_catalog
from dflint.history.fold import Fold
from dflint.model.catalog import Catalog
from dflint.model.errors import DflintError
from dflint.model.names import Name
from dflint.plugin.manager import Plugins, load
from dflint.postgres import start_server
from dflint.sql.libpg_query import load_library
from dflint.sql.parse import Parser


class Refused(Exception):
    """The server refuses a statement of the history."""


async def run(history: History, parser: Parser, dsn: str, version: int) -> tuple[Fold, Catalog]:
    """The fold that has replayed the history, and the live catalog after it."""
    fold = Fold(
        runner=history.runner,
        version=version,
        knowledge=known_facts(),
        catalog=Catalog(basis="replay"),
        from_the_start=True,
        library=parser.library,
    )
    connection = await psycopg.AsyncConnection.connect(dsn, autocommit=True)
    async with connection:
        await connection.execute("SET client_min_messages = error")
        for path in history.files:
            file = load_file(history, path)
            if file.source is None:
                raise Refused(f"{path}: {file.error}")
            text = file.source.text
            parsed = parser.parse(text, file.cut.sections)
            fold.begin_change()
            for _ in fold.file(text, file.cut.sections, parsed):
                pass
            for section, statements in zip(file.cut.sections, parsed, strict=True):
                if section.direction != "up":
                    continue
                texts = [text[statement.start : statement.end].strip().rstrip(b";") for statement in statements]
                try:
                    await send([sql for sql in texts if sql], connection, wrapped=section.wrapping != "none")
                except psycopg.errors.ActiveSqlTransaction:
                    await send([sql for sql in texts if sql], connection, wrapped=False)
                except psycopg.Error as error:
                    raise Refused(f"{path}: {str(error).splitlines()[0]}") from None
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as reader:
        return fold, await read_catalog(reader)


async def send(texts: list[bytes], connection: psycopg.AsyncConnection, *, wrapped: bool) -> None:
    """Send the statements of a section, in one transaction where the runner wraps them."""
    if wrapped:
        await connection.execute("BEGIN")
    try:
        for sql in texts:
            await connection.execute(sql)
    except psycopg.Error:
        await connection.execute("ROLLBACK")
        raise
    if wrapped:
        await connection.execute("COMMIT")


def known_to_be_unknown(one: Difference, fold: Fold) -> bool:
    """Whether the replay says itself that it does not know."""
    names = {*one.what.split(" ", 1)[1].split("."), *one.path.split(".")[1:2]}
    return bool(fold.catalog.incomplete) or not names.isdisjoint(fold.doubted)


def _facts(value: object) -> int:
    """How many single facts a catalog, or a part of one, states."""
    if isinstance(value, Catalog):
        maps = (value.relations, value.types, value.routines, value.schemas, value.extensions, value.publications)
        return sum(_facts(item) for objects in maps for item in objects.values())
    if isinstance(value, msgspec.Struct):
        return sum(_facts(getattr(value, field)) for field in value.__struct_fields__)
    if isinstance(value, tuple) and not isinstance(value, Name):
        return sum(map(_facts, value))
    return 1


async def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("folders", nargs="+")
    options = parser.parse_args()
    plugins = Plugins()
    reader = Parser(load_library())
    sources = [load(reference) for reference in plugins.sources().values()]
    ran, tried = 0, 0
    totals: Counter[str] = Counter()
    async with start_server(settings={"max_locks_per_transaction": "1024"}) as server:
        for folder in options.folders:
            for history in discover((folder,), sources, None, lambda _error: None):
                if not history.files:
                    continue
                name = os.path.relpath(history.directory.real)
                tried += 1
                database = f"history_{tried}"
                await server.create_database(database)
                try:
                    fold, live = await run(history, reader, server.dsn(database), server.major)
                except (Refused, DflintError) as error:
                    if options.verbose:
                        print(f"not run   {name} ({history.runner.name}, {len(history.files)} files): {error}")
                    continue
                ran += 1
                replayed = fold.catalog
                found = differences(replayed, live)
                unknown = [one for one in found if known_to_be_unknown(one, fold)]
                facts = max(_facts(live), len(found), 1)
                totals["facts"] += facts
                totals["different"] += len(found) - len(unknown)
                totals["unknown"] += len(unknown)
                doubts = f"; the replay says: {'; '.join(replayed.incomplete)}" if found and replayed.incomplete else ""
                print(
                    f"{100 * (1 - len(found) / facts):6.2f} %  {name} ({history.runner.name}, "
                    f"{len(history.files)} files, {facts} facts){doubts}"
                )
                for one in found:
                    mark = "unknown  " if one in unknown else "different"
                    print(f"  {mark} {one.what} {one.path}: replay {one.one!s:.100} | server {one.other!s:.100}")
    share = 100 * (1 - (totals["different"] + totals["unknown"]) / max(1, totals["facts"]))
    print(
        f"{ran} histories, {totals['facts']} facts: {share:.3f} % agree, "
        f"{totals['unknown']} unknown, {totals['different']} differ"
    )
    return 0 if ran and not totals["different"] else 1


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))
