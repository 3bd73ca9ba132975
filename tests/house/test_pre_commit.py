"""The pre-commit hook, installed by the real pre-commit from a clone, judging a real commit."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def git(directory: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Tester", "-c", "user.email=tester@example.org", "-c", "commit.gpgsign=false"]
    result = subprocess.run(["git", *identity, *arguments], cwd=directory, capture_output=True, text=True, check=True)
    return result.stdout


def clone(target: Path) -> str:
    """A repository with the files as they are now; its commit."""
    target.mkdir()
    names = git(ROOT, "ls-files", "-co", "--exclude-standard", "-z").split("\0")
    for name in filter(None, names):
        source = ROOT / name
        if source.is_file():
            copy = target / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, copy)
    git(target, "init", "--quiet")
    git(target, "add", "--all", "--force")
    git(target, "commit", "--quiet", "-m", "as it is")
    return git(target, "rev-parse", "HEAD").strip()


def test_the_hook_judges_a_commit(tmp_path: Path) -> None:
    hooks = tmp_path / "hooks"
    revision = clone(hooks)
    project = tmp_path / "project"
    (project / "migrations").mkdir(parents=True)
    git(project, "init", "--quiet")
    (project / ".pre-commit-config.yaml").write_text(
        f"repos:\n- repo: {hooks}\n  rev: {revision}\n  hooks:\n  - id: dflint\n"
    )
    first = project / "migrations" / "0001_users.sql"
    first.write_text("CREATE TABLE users (id bigint PRIMARY KEY);\n")
    second = project / "migrations" / "0002_index.sql"
    second.write_text("SET lock_timeout = '2s';\nCREATE INDEX users_id ON users (id);\n")
    git(project, "add", "--all")
    environment = {
        **os.environ,
        "PRE_COMMIT_HOME": str(tmp_path / "pre-commit"),
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
    }

    def hook() -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pre_commit", "run", "--verbose"]
        return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)

    refused = hook()
    assert refused.returncode == 1, refused.stdout + refused.stderr
    assert "migrations/0002_index.sql:2:1: error" in refused.stdout
    assert "0001_users.sql:" not in refused.stdout

    second.write_text("CREATE INDEX CONCURRENTLY users_id ON users (id);\n")
    git(project, "add", "--all")
    accepted = hook()
    assert accepted.returncode == 0, accepted.stdout + accepted.stderr
