from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from dflint.model import user_cache
from dflint.plugin.manager import Plugins
from dflint.rulebook import cache, loader
from dflint.rulebook.compile import Rulebook
from dflint.rulebook.files import rule_files
from tests.rulebook.test_loader import FACTS, RULE

#: The rules that come with dflint name checks.
CHECKS = Plugins().checks()


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "facts.yaml").write_text(FACTS, encoding="utf-8")
    (folder / "slow-index.yaml").write_text(RULE, encoding="utf-8")
    return folder


def sign(folder: Path, checks: dict[str, str] | None = None) -> bytes:
    return cache.signature(rule_files([str(folder)]), checks or {})


def test_what_is_read_is_what_was_written(rules: Path, tmp_path: Path) -> None:
    content = cache.Content(*loader.load(rule_files([str(rules)]), {}))
    cache.write(str(tmp_path / "cache"), sign(rules), content)
    assert cache.read(str(tmp_path / "cache"), sign(rules)) == content
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_any_change_makes_it_stale(rules: Path) -> None:
    first = sign(rules)
    assert sign(rules) == first
    assert sign(rules, {"check": "a:b"}) != first
    rule = rules / "slow-index.yaml"
    rule.write_text(RULE + "\n", encoding="utf-8")
    second = sign(rules)
    os.utime(rule, ns=(1, 1))
    third = sign(rules)
    (rules / "another.yaml").write_text(RULE, encoding="utf-8")
    assert len({first, second, third, sign(rules)}) == 4


@pytest.mark.parametrize("damage", ["truncated", "garbage", "other signature", "empty"])
def test_damage_is_no_error(rules: Path, tmp_path: Path, damage: str) -> None:
    where = tmp_path / "cache"
    book = Rulebook.load([str(rules)], CHECKS, cached=str(where))
    (file,) = where.iterdir()
    data = file.read_bytes()
    file.write_bytes(
        {
            "truncated": data[: len(data) // 2],
            "garbage": data.partition(b"\n")[0] + b"\n\xff\xfe\x00",
            "other signature": b"x" + data,
            "empty": b"",
        }[damage]
    )
    assert Rulebook.load([str(rules)], CHECKS, cached=str(where)).rules == book.rules
    assert file.read_bytes() == data  # mended


def test_a_place_that_cannot_be_written_is_no_error(rules: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    assert "slow-index" in Rulebook.load([str(rules)], CHECKS, cached=str(blocked / "cache")).rules
    assert "slow-index" in Rulebook.load([str(rules)], CHECKS, cached=None).rules


def test_a_fresh_cache_needs_no_yaml(rules: Path, tmp_path: Path) -> None:
    import subprocess

    code = (
        "import sys; from dflint.rulebook.compile import Rulebook;"
        f"Rulebook.load([{str(rules)!r}], {CHECKS!r}, cached={str(tmp_path / 'cache')!r}); print('yaml' in sys.modules)"
    )
    printed = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
        for _ in range(2)
    ]
    assert printed == ["True", "False"]


def test_the_user_says_where_caches_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert user_cache.directory() == "/somewhere/dflint"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert user_cache.directory() != "relative/dflint"
