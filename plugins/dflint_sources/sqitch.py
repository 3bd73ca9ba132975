"""Sqitch: ``sqitch.plan`` says what is deployed and in which order; psql runs it."""

from __future__ import annotations

import re

from dflint.model.migration import Runner, Section, Span
from dflint.plugin import Claim, Directory, MigrationFile, Sections, Source


class Sqitch:
    """Sqitch with its PostgreSQL engine: each statement commits by itself unless the script says BEGIN."""

    name = "sqitch"

    def claim(self, directory: Directory) -> Claim | None:
        """Marked by ``sqitch.plan``."""
        if not directory.has("sqitch.plan"):
            return None
        files = self.files(directory)
        return Claim(Runner(self.name, reason="sqitch.plan lies in the folder"), files, ("deploy", "revert", "verify"))

    def files(self, directory: Directory) -> tuple[str, ...]:
        """The deploy scripts in the order of the plan, each followed by its revert script."""
        deploy, revert = _script_folders(directory)
        plan = directory.read("sqitch.plan") if directory.has("sqitch.plan") else None
        if plan is None:
            top = directory.folder(deploy)
            changes = [] if top is None else [name[:-4] for name in top.files if name.endswith(".sql")]
        else:
            changes = _changes(plan.decode("utf-8", "replace"))
        paths = (f"{folder}/{change}.sql" for change in changes for folder in (deploy, revert))
        return tuple(path for path in dict.fromkeys(paths) if _exists(directory, path))

    def sections(self, file: MigrationFile) -> Sections:
        """The whole file."""
        reverts = re.search(r"(?:^|/)revert[^/]*/", file.path) is not None
        reason = "sqitch runs the script with psql, which commits each statement by itself"
        return Sections((Section("down" if reverts else "up", Span(0, len(file.text)), reason=reason),))


def _script_folders(directory: Directory) -> tuple[str, str]:
    """Where ``sqitch.conf`` puts the scripts; ``deploy`` and ``revert`` unless it says otherwise."""
    found = {"deploy": "deploy", "revert": "revert"}
    content = directory.read("sqitch.conf") if directory.has("sqitch.conf") else None
    for line in (content or b"").decode("utf-8", "replace").splitlines():
        setting = re.match(r"\s*(deploy|revert)_dir\s*=\s*\"?([^\"#;]+)", line)
        if setting:
            found[setting[1]] = setting[2].strip().removeprefix("./").rstrip("/")
    return found["deploy"], found["revert"]


def _changes(plan: str) -> list[str]:
    """The scripts' names in order. A change planned again after a tag keeps its older script as ``name@tag``."""
    names: list[str] = []
    waiting: dict[str, int] = {}  # change -> its place in names
    tags: list[tuple[int, str]] = []  # how many changes came before the tag, the tag
    for line in plan.splitlines():
        found = re.match(r"\s*([-+@%#]?)\s*([^\s\[#]+)", line)
        if found is None or found[1] in ("%", "#"):
            continue
        if found[1] == "@":
            tags.append((len(names), found[2]))
        elif found[1] != "-":
            name = found[2]
            if name in waiting:
                older = waiting[name]
                tag = next((tag for before, tag in tags if before > older), None)
                names[older] = f"{name}@{tag}" if tag else name
            waiting[name] = len(names)
            names.append(name)
    return names


def _exists(directory: Directory, path: str) -> bool:
    *folders, name = path.split("/")
    here: Directory | None = directory
    for folder in folders:
        here = here.folder(folder) if here is not None else None
    return here is not None and here.has(name)


SOURCE: Source = Sqitch()
