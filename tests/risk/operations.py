"""The decision matrix's operations on one small schema."""

from __future__ import annotations

from typing import Any, Final

from dflint.app.operation_types import statement_for

SCHEMA: Final = """
CREATE TABLE depts (id int PRIMARY KEY, name text);
CREATE TABLE users (id bigint PRIMARY KEY, email text, age int, name varchar(50), deprecated_field text,
                    department_id int CONSTRAINT users_department_fk REFERENCES depts);
CREATE INDEX users_email ON users (email);
"""

#: Operation and details -> the level that the specification's matrix gives it.
MATRIX: Final[tuple[tuple[str, dict[str, Any], str], ...]] = (
    ("add_nullable_column", {"column_name": "nick", "data_type": "text"}, "LOW"),
    ("add_not_null_column", {"column_name": "nick", "data_type": "text", "default_value": "O'Brien"}, "MEDIUM"),
    ("drop_column", {"column_name": "deprecated_field"}, "HIGH"),
    ("rename_column", {"column_name": "email", "new_name": "mail"}, "MEDIUM"),
    ("change_column_type", {"column_name": "age", "data_type": "bigint"}, "HIGH"),
    ("rename_table", {"new_name": "people"}, "CRITICAL"),
    ("drop_table", {}, "CRITICAL"),
    ("add_foreign_key", {"column_name": "age", "references_table": "depts", "references_column": "id"}, "MEDIUM"),
    ("drop_foreign_key", {"constraint_name": "users_department_fk"}, "HIGH"),
    ("add_index", {"column_name": "name"}, "LOW"),
    ("drop_index", {"index_name": "users_email"}, "MEDIUM"),
)


def statement(operation: str, details: dict[str, Any]) -> str:
    """The statement of a row, on the table users."""
    return statement_for(operation, "users", None, details)
