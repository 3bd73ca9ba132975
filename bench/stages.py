"""Where the time of ``dflint lint`` goes, stage by stage, as a share of squawk's CPU time on the same folder.

    python bench/stages.py [FOLDER]

Without a folder, one is generated (see generate.py). All is judged anew, in one process. CPU time, for wall time
depends on what else the machine does: squawk works on all cores, dflint on one.
"""

from __future__ import annotations

import gc
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

sys.path.insert(0, str(Path(__file__).parent))
import msgspec
from generate import write
from lint import SCRIPTS, run

from dflint.app.discovery import discover, load_sources
from dflint.app.judging import Judge
from dflint.app.lint import load_rulebook
from dflint.app.loading import load_file, wanted_files
from dflint.app.outcome import Settings
from dflint.app.request import LintRequest
from dflint.history.fold import Fold
from dflint.model.catalog import Catalog
from dflint.plugin.manager import Plugins
from dflint.sql.libpg_query import GrammarError, LibPgQuery, load_library
from dflint.sql.parse import Parser

T = TypeVar("T")
ROUNDS = 3


def main() -> int:
    with tempfile.TemporaryDirectory() as scratch:
        if len(sys.argv) > 1:
            folder = Path(sys.argv[1])
        else:
            folder = Path(scratch) / "migrations"
            write(folder)
        stages: dict[str, float] = {}
        gc.disable()
        for _ in range(ROUNDS):
            for name, seconds in measured(folder).items():
                stages[name] = min(seconds, stages.get(name, seconds))
        theirs = squawk(folder)
    print(f"squawk: {theirs:.2f} s of CPU time = 1")
    for name, seconds in stages.items():
        print(f"{name:<44} {seconds:6.2f} s {seconds / theirs:6.2f}")
    return 0


def squawk(folder: Path) -> float:
    """CPU seconds of a run, the least of some."""
    files = sorted(str(path) for path in folder.rglob("*.sql") if path.is_file())
    found = []
    for _ in range(ROUNDS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run([str(SCRIPTS / "squawk"), "--reporter", "gcc", *files])
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(found)


def measured(folder: Path) -> dict[str, float]:
    """CPU seconds of each stage; each includes nothing of those before it."""
    seconds: dict[str, float] = {}

    def timed(name: str, work: Callable[[], T]) -> T:
        start = time.process_time()
        result = work()
        seconds[name] = time.process_time() - start
        return result

    request = LintRequest(paths=(str(folder),), cache=False)
    plugins = Plugins()
    rules = timed("rules from their cache", lambda: load_rulebook(request, plugins))
    library = load_library()
    histories = timed("finding the files", lambda: discover(request.paths, load_sources(plugins.sources())))
    texts = timed(
        "floor: reading", lambda: [Path(h.directory.real, f).read_bytes() for h in histories for f in h.files]
    )
    trees = timed(
        "floor: PostgreSQL's grammar, in C", lambda: [tree for text in texts if (tree := parsed(library, text))]
    )
    timed("floor: decoding its JSON, in C", lambda: [None for tree in trees if msgspec.json.decode(tree) is None])
    floor = sum(seconds[name] for name in seconds if name.startswith("floor"))
    catalog = Catalog(basis="replay")
    judge = Judge(Settings(version=18), rules, rules.facts, Parser(library), catalog)
    loaded = timed(
        "reading, and cutting into sections", lambda: [[load_file(h, f) for f in wanted_files(h)] for h in histories]
    )
    files = timed(
        "parsing, decoding and building operations", lambda: [[judge.parse(one) for one in each] for each in loaded]
    )

    def fold() -> None:
        for history, each in zip(histories, files, strict=True):
            folded = Fold(runner=history.runner, version=18, knowledge=rules.facts, catalog=catalog)
            for file in each:
                if file.loaded.source is not None:
                    folded.begin_change()
                    for _ in folded.file(file.loaded.source.text, file.loaded.cut.sections, file.statements):
                        pass

    timed("transactions, settings and replay", fold)
    timed(
        "the same, rules and findings", lambda: [judge.judge(h, each) for h, each in zip(histories, files, strict=True)]
    )
    seconds["rules and findings"] = (
        seconds.pop("the same, rules and findings") - seconds["transactions, settings and replay"]
    )
    seconds["sum"] = sum(seconds.values()) - floor
    return seconds


def parsed(library: LibPgQuery, text: bytes) -> bytes | None:
    """The tree as JSON; None of what the grammar rejects."""
    try:
        return library.parse(text)
    except GrammarError:
        return None


if __name__ == "__main__":
    raise SystemExit(main())
