"""The journal on disk."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dflint.guard.journal_file import JournalFile
from dflint.model.errors import InputError


def test_lines_in_order(tmp_path: Path) -> None:
    journal = JournalFile("a-run", tmp_path / "journal")
    assert journal.lines() == []
    journal.append("lock_timeout", {"holder": 7, "at": tmp_path})
    journal.append("ended")
    first, second = JournalFile("a-run", tmp_path / "journal").lines()
    assert (first["kind"], first["detail"], first["run"]) == (
        "lock_timeout",
        {"holder": 7, "at": str(tmp_path)},
        "a-run",
    )
    assert (second["kind"], second["detail"]) == ("ended", {})
    assert journal.path == tmp_path / "journal" / "a-run.jsonl"
    assert journal.path.stat().st_mode & 0o077 == 0


def test_half_a_line_is_left_out(tmp_path: Path) -> None:
    journal = JournalFile("a-run", tmp_path)
    journal.append("begun")
    with journal.path.open("ab") as stream:
        stream.write(b'{"kind": "do')
    assert [line["kind"] for line in journal.lines()] == ["begun"]


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"):
        JournalFile("a-run", tmp_path / "file").append("begun")


def test_two_processes_do_not_mix_their_lines(tmp_path: Path) -> None:
    code = f"""
from pathlib import Path
from dflint.guard.journal_file import JournalFile
for number in range(50):
    JournalFile("a-run", Path({str(tmp_path)!r})).append("x" * 2000)
"""
    root = Path(__file__).parents[2]
    running = [subprocess.Popen([sys.executable, "-c", code], cwd=root) for _ in range(2)]
    assert [process.wait() for process in running] == [0, 0]
    assert len(JournalFile("a-run", tmp_path).lines()) == 100
