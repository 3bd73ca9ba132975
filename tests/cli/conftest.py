from __future__ import annotations

from pathlib import Path

import pytest

BLOCKING = "CREATE TABLE t (a int);\n", "CREATE INDEX i ON t (a);\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with two migrations, the second of which blocks writes; it is the working directory."""
    (tmp_path / ".git").mkdir()
    folder = tmp_path / "migrations"
    folder.mkdir()
    for number, text in enumerate(BLOCKING, start=1):
        (folder / f"000{number}_a.sql").write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path
