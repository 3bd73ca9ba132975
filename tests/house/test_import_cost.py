"""Starting up is half of what linting one file costs: what is not needed is not imported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

HEAVY = frozenset(
    {
        "asyncio",
        "dataclasses",
        "importlib.metadata",
        "jinja2",
        "jsonschema",
        "multiprocessing",
        "networkx",
        "pathlib",
        "psycopg",
        "rich",
        "sqlglot",
        "subprocess",
        "tomllib",
        "urllib.parse",
        "yaml",
    }
)


def imported(code: str, cwd: Path) -> set[str]:
    """The modules that a fresh interpreter has after running the code."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "plugins"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\nprint(*sorted(sys.modules), file=sys.stderr)"],
        capture_output=True,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": path, "XDG_CACHE_HOME": str(cwd / "cache")},
        check=True,
    )
    return set(done.stderr.decode().split())


def test_the_command_line_imports_nothing_heavy(tmp_path: Path) -> None:
    bare = imported("", tmp_path)
    assert (imported("import dflint.cli.main", tmp_path) - bare) & HEAVY == set()


def test_linting_imports_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "0001_a.sql").write_text("CREATE TABLE t (a int);\nALTER TABLE t ADD b int;\n")
    (tmp_path / "0002_b.sql").write_text("CREATE INDEX i ON t (a); -- dflint: ignore[nonsense]\n")
    bare = imported("", tmp_path)
    code = "from dflint.cli.main import main; main(['lint', '--no-cache', '.'])"
    imported(code, tmp_path)  # fills the cache of rules
    loaded = imported(code, tmp_path)
    assert "dflint.sql.parse" in loaded
    assert (loaded - bare) & HEAVY == set()
