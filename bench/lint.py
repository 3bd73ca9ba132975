"""How fast is ``dflint lint``, side by side with squawk, in one run.

    python bench/lint.py [FOLDER]

Without a folder, one is generated (see generate.py). Every figure is a ratio of wall times, the median of interleaved
pairs, so that a noisy machine disturbs both sides alike. Beside it stands the ratio of CPU times, which other programs
change less. Exit status 1 when a budget is missed. README.md says what is reached, and why not more.
"""

from __future__ import annotations

import os
import statistics
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from generate import write

SCRIPTS = Path(sysconfig.get_path("scripts"))
ROUNDS = 7
#: Installed packages have their bytecode; a checkout must be allowed to keep it too.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def run(command: list[str]) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds and peak MiB of the command's own process."""
    start = time.perf_counter()
    with open(os.devnull, "w") as null:
        pid = os.posix_spawn(
            command[0],
            command,
            ENVIRONMENT,
            file_actions=[(os.POSIX_SPAWN_DUP2, null.fileno(), 1), (os.POSIX_SPAWN_DUP2, null.fileno(), 2)],
        )
        _, _, usage = os.wait4(pid, 0)
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def compare(name: str, ours: list[str], theirs: list[str], budget: float, rounds: int = ROUNDS) -> bool:
    """Time pairs and print the ratio of the medians' pair against its budget."""
    run(ours)
    run(theirs)
    ratios, works, peaks, seconds = [], [], [], []
    for _ in range(rounds):
        wall, work, peak = run(ours)
        other, other_work, _ = run(theirs)
        ratios.append(wall / other)
        works.append(work / other_work)
        peaks.append(peak)
        seconds.append((wall, other))
    ratio = statistics.median(ratios)
    verdict = "ok" if ratio <= budget else "MISSED"
    ours_s = statistics.median(s[0] for s in seconds)
    theirs_s = statistics.median(s[1] for s in seconds)
    print(
        f"{name:<44} {ratio:6.2f}x  (budget {budget}x)  {verdict}   {ours_s:.3f} s / {theirs_s:.3f} s, "
        f"CPU time {statistics.median(works):.2f}x, peak {max(peaks):.0f} MiB"
    )
    return ratio <= budget and max(peaks) <= 80


def main() -> int:
    with tempfile.TemporaryDirectory() as scratch:
        if len(sys.argv) > 1:
            folder = Path(sys.argv[1])
        else:
            folder = Path(scratch) / "migrations"
            write(folder)
        files = sorted(str(path) for path in folder.rglob("*.sql") if path.is_file())
        sizes = sum(os.path.getsize(path) for path in files)
        print(f"{len(files)} files, {sizes / 1e6:.1f} MB")
        lint = [str(SCRIPTS / "dflint"), "lint", "--format", "concise", "--fail-level", "never"]
        dflint = [*lint, str(folder)]
        squawk = [str(SCRIPTS / "squawk"), "--reporter", "gcc", *files]
        small = Path(scratch) / "one" / "0001_small.sql"
        small.parent.mkdir()
        small.write_text(_SMALL)
        one = [*lint, str(small)]
        python = [sys.executable, "-c", "pass"]
        # Outcomes of histories that did not change are kept between runs; --no-cache judges everything anew.
        held = [
            compare("folder, one process / squawk", [*dflint, "--processes", "1"], squawk, 1.0),
            compare("folder, two processes / squawk", [*dflint, "--processes", "2"], squawk, 0.7),
            compare("folder, one process, all anew / squawk", [*dflint, "--no-cache"], squawk, 1.0),
            compare(
                "folder, two processes, all anew / squawk", [*dflint, "--no-cache", "--processes", "2"], squawk, 0.7
            ),
            compare("one 30-line file / python -c pass", one, python, 8.0, 25),
            compare("one 30-line file, anew / python -c pass", [*one, "--no-cache"], python, 8.0, 25),
        ]
    return 0 if all(held) else 1


_SMALL = """\
-- Comments belong to posts, and are created by users.
CREATE TABLE comment (
    id serial PRIMARY KEY,
    creator_id int NOT NULL,
    post_id int NOT NULL,
    parent_id int,
    content text NOT NULL,
    removed boolean DEFAULT false NOT NULL,
    published timestamp NOT NULL DEFAULT now(),
    updated timestamp
);

CREATE TABLE comment_like (
    id serial PRIMARY KEY,
    user_id int NOT NULL,
    comment_id int REFERENCES comment ON UPDATE CASCADE ON DELETE CASCADE NOT NULL,
    score smallint NOT NULL,
    published timestamp NOT NULL DEFAULT now(),
    UNIQUE (comment_id, user_id)
);

CREATE TABLE comment_saved (
    id serial PRIMARY KEY,
    comment_id int REFERENCES comment ON UPDATE CASCADE ON DELETE CASCADE NOT NULL,
    published timestamp NOT NULL DEFAULT now()
);

ALTER TABLE post ADD COLUMN comment_count int;
CREATE INDEX post_creator_idx ON post (creator_id);
"""

if __name__ == "__main__":
    raise SystemExit(main())
