"""Generate a folder of migrations with the mix of real ones, for side-by-side timing.

5,200 files in 13 histories of different runners' layouts, about 30 lines in the median; roughly a third of the files
hold something that both dflint and squawk report. The same seed gives the same bytes.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

WORDS = "account order invoice payment line item stock user session event audit ticket comment label team role".split()
TYPES = "bigint text boolean integer timestamptz jsonb uuid numeric(12,2) varchar(80)".split()


class Writer:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.tables: list[str] = []

    def table(self) -> str:
        return self.random.choice(self.tables) if self.tables else "accounts"

    def new_table(self) -> str:
        name = f"{self.random.choice(WORDS)}_{self.random.choice(WORDS)}_{len(self.tables)}"
        self.tables.append(name)
        columns = ",\n".join(
            f"    {self.random.choice(WORDS)}_{i} {self.random.choice(TYPES)}{self.random.choice(['', ' NOT NULL'])}"
            for i in range(self.random.randint(4, 14))
        )
        index = f"CREATE INDEX {name}_idx ON {name} (id);\n" if self.random.random() < 0.5 else ""
        return (
            f"-- The {name} table keeps what its name says.\nCREATE TABLE {name} (\n    id bigserial PRIMARY KEY,\n"
            f"{columns},\n    created_at timestamptz NOT NULL DEFAULT now()\n);\n{index}"
        )

    def function(self) -> str:
        table = self.table()
        return (
            f"CREATE OR REPLACE FUNCTION touch_{table}() RETURNS trigger LANGUAGE plpgsql AS $$\nBEGIN\n"
            "    IF NEW.created_at IS NULL THEN\n        NEW.created_at := now();\n    END IF;\n"
            f"    INSERT INTO {table} (created_at) SELECT now() WHERE EXISTS (SELECT 1 FROM {table} WHERE id = 1);\n"
            "    RETURN NEW;\nEND\n$$;\n"
        )

    def rows(self) -> str:
        table = self.table()
        values = ",\n".join(
            f"    ({i}, 'some text of ordinary length {i}', '2024-01-{i % 28 + 1:02}')"
            for i in range(self.random.randint(5, 40))
        )
        return f"INSERT INTO {table} (id, title, created_at) VALUES\n{values};\n"

    def safe(self) -> str:
        table, word = self.table(), self.random.choice(WORDS)
        return self.random.choice(
            [
                f"ALTER TABLE {table} ADD COLUMN {word}_note text;\n",
                f"ALTER TABLE {table} ADD COLUMN {word}_flag boolean DEFAULT false;\n",
                f"COMMENT ON TABLE {table} IS 'What {word} is about';\n",
                f"GRANT SELECT, INSERT ON {table} TO application;\n",
                (
                    f"CREATE OR REPLACE VIEW {table}_recent AS\n    SELECT id, created_at\n    FROM {table}\n"
                    "    WHERE created_at > now() - interval '7 days'\n    ORDER BY created_at DESC;\n"
                ),
            ]
        )

    def risky(self) -> str:
        table, other, word = self.table(), self.table(), self.random.choice(WORDS)
        return self.random.choice(
            [
                f"CREATE INDEX {table}_{word}_{self.random.randint(0, 999)} ON {table} ({word}_0);\n",
                (
                    f"ALTER TABLE {table} ADD CONSTRAINT {table}_{word}_fk\n"
                    f"    FOREIGN KEY ({word}_0) REFERENCES {other} (id);\n"
                ),
                f"ALTER TABLE {table} ALTER COLUMN {word}_1 SET NOT NULL;\n",
                f"ALTER TABLE {table} ALTER COLUMN {word}_1 TYPE bigint;\n",
                f"ALTER TABLE {table} RENAME COLUMN {word}_1 TO {word}_old;\n",
                f"ALTER TABLE {table} DROP COLUMN {word}_2;\n",
                f"DROP TABLE {table};\n",
            ]
        )

    def up(self, number: int) -> str:
        parts = [f"-- Migration {number}\n"]
        if number < 12 or self.random.random() < 0.4:
            parts.append(self.new_table())
        parts += [self.safe() for _ in range(self.random.randint(1, 4))]
        if self.random.random() < 0.3:
            parts.append(self.function())
        if self.random.random() < 0.25:
            parts.append(self.rows())
        if self.random.random() < 0.36:
            parts.append(self.risky())
        return "\n".join(parts)


def write(root: Path, files: int = 400, seed: int = 1) -> int:
    """Write the folder; return the number of SQL files."""
    layouts = "psql goose dbmate migrate diesel prisma flyway psql2 goose2 prisma2 flyway2 supabase drizzle".split()
    for offset, layout in enumerate(layouts):
        writer = Writer(seed * 100 + offset)
        base = root / layout
        for number in range(1, files + 1):
            text = writer.up(number)
            _place(base, layout, number, text)
        if layout == "diesel":
            (base / "diesel.toml").write_text('[migrations_directory]\ndir = "migrations"\n')
        if layout.startswith("prisma"):
            (base / "prisma/migrations/migration_lock.toml").write_text('provider = "postgresql"\n')
        if layout == "drizzle":
            (base / "meta").mkdir(exist_ok=True)
            entries = ",".join(f'{{"idx":{n},"tag":"{n:04}_step"}}' for n in range(1, files + 1))
            (base / "meta/_journal.json").write_text(f'{{"dialect":"postgresql","entries":[{entries}]}}')
    return files * len(layouts)


def _place(base: Path, layout: str, number: int, text: str) -> None:
    if layout.startswith("goose"):
        path = base / f"{number:05}_step.sql"
        body = text.replace("CREATE OR REPLACE FUNCTION", "-- +goose StatementBegin\nCREATE OR REPLACE FUNCTION")
        body = body.replace("$$;\n", "$$;\n-- +goose StatementEnd\n")
        text = f"-- +goose Up\n{body}"
    elif layout == "dbmate":
        path = base / f"{20240000 + number}_step.sql"
        text = f"-- migrate:up\n{text}\n-- migrate:down\n"
    elif layout == "migrate":
        path = base / f"{number:06}_step.up.sql"
    elif layout == "diesel":
        path = base / "migrations" / f"{20240000 + number}_step" / "up.sql"
    elif layout.startswith("prisma"):
        path = base / "prisma/migrations" / f"{20240000000000 + number}_step" / "migration.sql"
    elif layout.startswith("flyway"):
        path = base / f"V{number}__step.sql"
    elif layout == "supabase":
        path = base / "supabase/migrations" / f"{20240000000000 + number}_step.sql"
    else:
        path = base / f"{number:04}_step.sql"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


if __name__ == "__main__":
    print(write(Path(sys.argv[1])), "files")
