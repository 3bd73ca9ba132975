"""Generated names, each case compared with what PostgreSQL 15 chose for the very same statements."""

from __future__ import annotations

import pytest

from dflint.history.naming import joined, object_name
from dflint.model.catalog import Domain, Index, Sequence, Table
from tests.history.replaying import constraint_names, replayed

#: (statements, indexes and sequences, constraints), schema "public" left out.
CASES = [
    (
        "create table t (id serial primary key, email text unique, a int check (a > 0), b int)",
        ["t_email_key", "t_id_seq", "t_pkey"],
        ["t_a_check", "t_email_key", "t_pkey"],
    ),
    (
        "create table t (id bigserial primary key unique, b smallserial, c int generated always as identity)",
        ["t_b_seq", "t_c_seq", "t_id_seq", "t_pkey"],
        ["t_pkey"],
    ),
    (
        "create table t (a int, b int, unique (a, b), unique (a) include (b), primary key (b, a))",
        ["t_a_b_key", "t_a_b_key1", "t_pkey"],
        ["t_a_b_key", "t_a_b_key1", "t_pkey"],
    ),
    (
        "create table t (a int check (b > 0), b int check (a < b), c int check (true), check (a > 1), check (a > 2))",
        [],
        ["t_a_check", "t_a_check1", "t_b_check", "t_check", "t_check1"],
    ),
    (
        "create table t (a int, b int, exclude using btree (a with =), exclude using btree ((a + b) with =, a with =))",
        ["t_a_excl", "t_expr_a_excl"],
        ["t_a_excl", "t_expr_a_excl"],
    ),
    (
        "create table t (a int primary key);\ncreate table u (a int references t, b int references t (a), foreign key (a) references t, c int constraint named references t)",
        ["t_pkey"],
        ["named", "t_pkey", "u_a_fkey", "u_a_fkey1", "u_b_fkey"],
    ),
    (
        "create table aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa (bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb serial primary key unique check (bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb > 0), c int references aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa, unique (c, bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb))",
        [
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaa_bbbbbbbbbbbbbbbbbbbbbbbbbbbbb_seq",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaa_c_bbbbbbbbbbbbbbbbbbbbbbbbbbb_key",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa_pkey",
        ],
        [
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaa_bbbbbbbbbbbbbbbbbbbbbbbbbbbb_check",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaa_c_bbbbbbbbbbbbbbbbbbbbbbbbbbb_key",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa_c_fkey",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa_pkey",
        ],
    ),
    (
        'create table "żółćżółćżółćżółćżółćżółć" ("ąęąęąęąęąęąęąęąęąęąęąęąęąęąę" int unique, x serial)',
        ["żółćżółćżółćżó_ąęąęąęąęąęąęąę_key", "żółćżółćżółćżółćżółćżółć_x_seq"],
        ["żółćżółćżółćżó_ąęąęąęąęąęąęąę_key"],
    ),
    (
        "create table t (b_c int check (b_c > 0));\ncreate table t_b (c int check (c > 0), unique (c));\ncreate table t2 (a int, constraint t_b_c_key1 check (a > 0));\nalter table t_b add unique (c)",
        ["t_b_c_key", "t_b_c_key2"],
        ["t_b_c_check", "t_b_c_check1", "t_b_c_key", "t_b_c_key1", "t_b_c_key2"],
    ),
    (
        "create table t (a int, b text);\ncreate index on t (a);\ncreate index on t (a);\ncreate index on t (a) include (b);\ncreate index on t (a, a)",
        ["t_a_a1_idx", "t_a_b_idx", "t_a_idx", "t_a_idx1"],
        [],
    ),
    (
        "create table t (a int, b text);\ncreate index on t (lower(b));\ncreate index on t ((a + 1));\ncreate index on t ((b::int));\ncreate index on t (((b || 'x')::int));\ncreate index on t (lower(b), lower(b), (a + 1))",
        ["t_b_idx", "t_expr_idx", "t_int4_idx", "t_lower_idx", "t_lower_lower1_expr_idx"],
        [],
    ),
    (
        'create table t (a int, b int, c text);\ncreate index on t (coalesce(a, b));\ncreate index on t (greatest(a, b));\ncreate index on t (nullif(a, b));\ncreate index on t ((case when a = 1 then b end));\ncreate index on t ((case when a = 1 then b else a end));\ncreate index on t ((array[a]));\ncreate index on t ((a is null));\ncreate index on t ((c collate "C"));\ncreate index on t (((array[a])[1]))',
        [
            "t_a_idx",
            "t_array_idx",
            "t_array_idx1",
            "t_c_idx",
            "t_case_idx",
            "t_coalesce_idx",
            "t_expr_idx",
            "t_greatest_idx",
            "t_nullif_idx",
        ],
        [],
    ),
    (
        "create table t_pkey (a int);\ncreate table t (a int primary key);\ncreate table t_a_seq (b int);\ncreate table t1_a_seq (b int);\ncreate table t1 (a serial)",
        ["t1_a_seq1", "t_pkey1"],
        ["t_pkey1"],
    ),
    (
        "create table p (a int, b text, primary key (a), unique (a, b), check (a > 0)) partition by list (a);\ncreate index on p (lower(b));\ncreate index named on p (b);\ncreate table p1 partition of p for values in (1);\ncreate table p2 (b text, a int not null, constraint p_a_check check (a > 0));\ncreate index own on p2 (b);\nalter table p attach partition p2 for values in (2)",
        [
            "named",
            "own",
            "p1_a_b_key",
            "p1_b_idx",
            "p1_lower_idx",
            "p1_pkey",
            "p2_a_b_key",
            "p2_lower_idx",
            "p2_pkey",
            "p_a_b_key",
            "p_lower_idx",
            "p_pkey",
        ],
        [
            "p1_a_b_key",
            "p1_pkey",
            "p2_a_b_key",
            "p2_pkey",
            "p_a_b_key",
            "p_a_check",
            "p_a_check",
            "p_a_check",
            "p_pkey",
        ],
    ),
    (
        "create table t (a int primary key, b int unique, c int references t, check (b > 0));\ncreate index on t (c);\ncreate table l (like t including all);\ncreate table m (like t including constraints)",
        ["l_b_key", "l_c_idx", "l_pkey", "t_b_key", "t_c_idx", "t_pkey"],
        ["l_b_key", "l_pkey", "t_b_check", "t_b_check", "t_b_check", "t_b_key", "t_c_fkey", "t_pkey"],
    ),
    (
        "create table t (a int, b int);\ncreate unique index i on t (a);\ncreate unique index j on t (b);\nalter table t add primary key using index i;\nalter table t add constraint k unique using index j;\nalter table t rename constraint i to ii;\nalter index k rename to kk",
        ["ii", "kk"],
        ["ii", "kk"],
    ),
    (
        "create table t (id serial primary key, n int unique);\nalter table t rename to u;\nalter table u rename n to m;\nalter table u add unique (id, m);\nalter table u add check (m > 0)",
        ["t_id_seq", "t_n_key", "t_pkey", "u_id_m_key"],
        ["t_n_key", "t_pkey", "u_id_m_key", "u_m_check"],
    ),
    (
        "create domain d as int check (value > 0) check (value < 9) constraint named check (value <> 5);\nalter domain d add check (value <> 6)",
        [],
        ["d_check", "d_check1", "d_check2", "named"],
    ),
    (
        "create schema s;\ncreate table s.t (id serial primary key, a int unique check (a > 0));\ncreate table t (id serial primary key, a int unique check (a > 0))",
        ["s.t_a_key", "s.t_id_seq", "s.t_pkey", "t_a_key", "t_id_seq", "t_pkey"],
        ["t_a_check", "t_a_check", "t_a_key", "t_a_key", "t_pkey", "t_pkey"],
    ),
    (
        "create table p (a int, constraint c check (a > 0));\ncreate table q () inherits (p);\ncreate table r (a int, constraint c check (a > 0)) inherits (p);\nalter table p add check (a < 9);\nalter table p add constraint n check (a <> 5) no inherit",
        [],
        ["c", "c", "c", "n", "p_a_check", "p_a_check", "p_a_check"],
    ),
]


@pytest.mark.parametrize(("sql", "relations", "constraints"), CASES)
def test_names_are_those_of_the_server(sql: str, relations: list[str], constraints: list[str]) -> None:
    catalog = replayed(sql)
    found: list[str] = []
    names: list[str | None] = []
    for name, relation in catalog.relations.items():
        if isinstance(relation, Index | Sequence):
            found.append(str(name).removeprefix("public."))
        elif isinstance(relation, Table):
            names += [constraint.name for constraint in relation.constraints]
    for kind in catalog.types.values():
        if isinstance(kind, Domain):
            names += [constraint.name for constraint in kind.constraints]
    assert sorted(found) == sorted(relations)
    assert sorted(name or "" for name in names) == sorted(constraints)


def test_not_null_constraints_have_names_from_18_on() -> None:
    sql = "create table t (a int primary key, b int not null, c int); alter table t alter c set not null"
    assert constraint_names(replayed(sql, version=18)) == ["t_a_not_null", "t_b_not_null", "t_c_not_null", "t_pkey"]
    assert constraint_names(replayed(sql, version=17)) == ["t_pkey"]


@pytest.mark.parametrize(
    ("first", "second", "label"),
    [("a" * 80, "b" * 80, "key"), ("a" * 80, "b", "key"), ("a", "b" * 80, "key"), ("é" * 40, "ü" * 40, "seq")],
)
def test_a_name_never_exceeds_63_bytes_nor_splits_a_character(first: str, second: str, label: str) -> None:
    name = object_name(first, second, label)
    assert len(name.encode()) <= 63
    assert name.endswith(f"_{label}")
    assert first.startswith(name.split("_")[0])


def test_column_names_are_joined_until_they_exceed_a_name() -> None:
    assert joined(["a", "b"]) == "a_b"
    assert joined(["a" * 40, "b" * 40, "c"]) == "a" * 40 + "_" + "b" * 40
