"""The conditions that take working out: types, defaults, proofs, predicates."""

from __future__ import annotations

from dflint.facts.condition import BOOL, Condition
from dflint.facts.predicates import predicate
from dflint.facts.proofs import (
    default_partition_excluded,
    not_null_proven,
    partition_bound_proven,
    partition_default_exists,
    partition_indexes_missing,
    partition_keys_missing,
    primary_key_proven,
)
from dflint.facts.type_change import type_change
from dflint.facts.volatility import default_volatility

CONDITIONS: tuple[Condition, ...] = (
    Condition(
        "default.volatility",
        ("none", "constant", "stable", "volatile"),
        default_volatility,
        "the default of {column} and how volatile it is",
    ),
    Condition(
        "type_change",
        ("none", "index_rebuild", "rewrite", "refused"),
        type_change,
        "{undecided_type}",
    ),
    Condition("not_null.proven", BOOL, not_null_proven, "the constraints of {table}"),
    Condition("primary_key.proven", BOOL, primary_key_proven, "whether the key's columns are NOT NULL"),
    Condition("partition.bound_proven", BOOL, partition_bound_proven, "the constraints of {partition}"),
    Condition("partition.keys_missing", BOOL, partition_keys_missing, "the foreign keys of {target} and {partition}"),
    Condition("partition.indexes_missing", BOOL, partition_indexes_missing, "the indexes of {target} and {partition}"),
    Condition(
        "default_partition.excluded", BOOL, default_partition_excluded, "the constraints of the default partition"
    ),
    Condition("partition.default_exists", BOOL, partition_default_exists, "whether {parent} has a default partition"),
    Condition(
        "predicate",
        ("absent", "always_true", "key", "limited", "other"),
        predicate,
        catalog=False,
        null=True,
    ),
)
