"""What dflint makes of folders of real migrations: crashes, agreement with the grammar, how much is understood.

    python bench/coverage.py FOLDER...

One line for each folder directly below the given ones: files judged, statements that run forward, those understood,
opaque and rejected; files where dflint and PostgreSQL's grammar disagree about a syntax error, and findings by level.
A file whose text holds templates, psql commands or COPY data is left out of the agreement: the grammar alone cannot
read it.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from dflint.app.lint import lint
from dflint.app.request import LintRequest
from dflint.plugin.manager import Plugins
from dflint.sql.libpg_query import GrammarError, TooDeep, load_library
from dflint.sql.mask import mask_psql, mask_templates

LIBRARY = load_library()


def grammar_accepts(text: bytes) -> bool | None:
    """Whether the grammar takes the file as it is; None when it is not the grammar's business."""
    try:
        LIBRARY.parse(text)
    except TooDeep:
        return None
    except GrammarError:
        plain = mask_psql(text)[0] == text == mask_templates(text, psql_variables=True)
        return False if plain else None
    return True


def main() -> int:
    plugins = Plugins()
    totals: Counter[str] = Counter()
    for root in sys.argv[1:]:
        for folder in sorted(path for path in Path(root).iterdir() if path.is_dir()):
            report = lint(LintRequest(paths=(str(folder),), cache=False), plugins)
            rejected = {finding.file for finding in report.findings if finding.rule == "syntax-error"}
            disagree = []
            for file in report.files:
                text = Path(file).read_bytes().removeprefix(b"\xef\xbb\xbf")
                accepts = grammar_accepts(text)
                if accepts is not None and accepts == (file in rejected):
                    disagree.append(file)
            coverage = report.coverage
            levels = Counter(finding.level for finding in report.findings)
            runners = ",".join(sorted({runner.name for _, runner in report.runners}))
            row = Counter(
                files=len(report.files),
                statements=coverage.statements,
                typed=coverage.typed,
                opaque=coverage.opaque,
                rejected=coverage.rejected,
                unread=len(report.errors),
                disagree=len(disagree),
                **levels,
            )
            totals += row
            print(f"{folder.name:<48} {runners:<28}", " ".join(f"{key} {value}" for key, value in row.items() if value))
            for file in disagree[:5]:
                print("    disagrees:", file)
    print("total", dict(totals))
    accepted = totals["typed"] + totals["opaque"]
    print(f"understood: {100 * totals['typed'] / max(accepted, 1):.3f} % of the accepted statements")
    return 1 if totals["disagree"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
