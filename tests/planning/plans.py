"""Plans for tests: of a text, on an empty database of which all is known, or on none."""

from __future__ import annotations

from dflint.app.plan import plan_sql
from dflint.model.catalog import Catalog
from dflint.model.plan import Plan
from tests.app.test_effects import catalog

SHOP = """
create table users (id int primary key, email text not null unique, age int);
create table orders (id bigint primary key, customer int, total numeric);
create table events (at timestamp not null, what text) partition by range (at);
create table events_1 partition of events for values from ('2024-01-01') to ('2024-02-01');
create table events_2 partition of events for values from ('2024-02-01') to ('2024-03-01');
create table keyless (a int);
"""


def plan(sql: str, setup: str | None = SHOP, version: int = 18) -> Plan:
    """The plan of a text on a database made by another; None: nothing is known of the database."""
    known = Catalog.unknown() if setup is None else catalog(setup, version)
    return plan_sql(sql, known, version=version, path="migration.sql")
