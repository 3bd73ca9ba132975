"""Schema ``dflint`` in the target database: what a run leaves behind, with the changes that it describes.

It is in the same write-ahead log as they are: after a crash or a failover both are there, or neither.
"""

from __future__ import annotations

VERSION = 1

#: Every table, and what a role needs on it to run migrations.
TABLES = {
    "meta": ("SELECT",),
    "lease": ("SELECT", "INSERT", "UPDATE"),
    "heartbeat": ("SELECT", "INSERT", "UPDATE"),
    "run": ("SELECT", "INSERT", "UPDATE"),
    "step": ("SELECT", "INSERT", "UPDATE"),
    "cursor": ("SELECT", "INSERT", "UPDATE"),
    "chain": ("SELECT", "INSERT", "UPDATE"),
    "event": ("SELECT", "INSERT"),
    "checkpoint": ("SELECT", "INSERT"),
}

_TABLES = """
CREATE TABLE dflint.meta (
    schema_version int NOT NULL,
    marker uuid NOT NULL DEFAULT gen_random_uuid(),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp());

-- Who holds, or held, the lock for a run. The fence rises each time the run's lock is taken or broken.
CREATE TABLE dflint.lease (
    run_id uuid PRIMARY KEY,
    fence bigint NOT NULL,
    held boolean NOT NULL,
    scope text NOT NULL,
    tables text[] NOT NULL,
    keys int[] NOT NULL,
    description text NOT NULL,
    metadata jsonb NOT NULL,
    holder text NOT NULL DEFAULT current_user,
    backend_pid int NOT NULL,
    backend_start timestamptz,
    acquired_at timestamptz NOT NULL,
    ended_at timestamptz);
CREATE INDEX lease_held ON dflint.lease (run_id) WHERE held;

-- Apart from the lease: whoever writes holds a row lock there, which must not stop a sign of life.
CREATE TABLE dflint.heartbeat (
    run_id uuid PRIMARY KEY,
    fence bigint NOT NULL,
    at timestamptz NOT NULL);

CREATE TABLE dflint.run (
    run_id uuid PRIMARY KEY,
    plan_hash text NOT NULL,
    plan jsonb NOT NULL,
    target jsonb NOT NULL,
    tool_version text NOT NULL,
    state text NOT NULL CHECK (state IN ('planned', 'running', 'paused', 'failed', 'needs_operator', 'rolling_back',
        'rolled_back', 'done', 'abandoned')),
    reason text,
    created_by text NOT NULL DEFAULT current_user,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz);
CREATE INDEX run_plan_hash ON dflint.run (plan_hash);

CREATE TABLE dflint.step (
    run_id uuid NOT NULL REFERENCES dflint.run,
    ord int NOT NULL,
    step_id text NOT NULL,
    step_hash text NOT NULL,
    kind text NOT NULL,
    state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'intent', 'running', 'done', 'failed', 'unknown',
        'undone', 'skipped')),
    attempts int NOT NULL DEFAULT 0,
    fence bigint,
    xid text,
    started_at timestamptz,
    finished_at timestamptz,
    error jsonb,
    PRIMARY KEY (run_id, ord));

CREATE TABLE dflint.cursor (
    run_id uuid NOT NULL,
    ord int NOT NULL,
    shard int NOT NULL,
    last_key text[],
    high_key text[],
    rows_done bigint NOT NULL,
    batch_size int,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (run_id, ord, shard));

-- The end of each run's chain of events; whoever appends holds this row.
CREATE TABLE dflint.chain (
    run_id uuid PRIMARY KEY,
    length bigint NOT NULL,
    hash bytea);

CREATE TABLE dflint.event (
    run_id uuid NOT NULL,
    seq bigint NOT NULL,
    at timestamptz NOT NULL,
    ord int,
    fence bigint,
    kind text NOT NULL,
    detail jsonb NOT NULL,
    prev_hash bytea,
    hash bytea NOT NULL,
    PRIMARY KEY (run_id, seq));
-- A step is done once: whatever would do it again fails here, in the same transaction.
CREATE UNIQUE INDEX event_done_once ON dflint.event (run_id, ord) WHERE kind = 'done' AND ord IS NOT NULL;

CREATE TABLE dflint.checkpoint (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id uuid NOT NULL,
    ord int,
    phase text NOT NULL,
    name text NOT NULL,
    ok boolean,
    observed jsonb NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp());
"""

#: What is hashed of an event, besides the hash before it: each part with its length before it, or as null. Reading
#: them back as text, `dflint.guard.ledger` computes the same.
HASHED = (
    "run_id::text",
    "seq::text",
    "(extract(epoch FROM at) * 1000000)::bigint::text",
    "coalesce(ord::text, '')",
    "coalesce(fence::text, '')",
    "kind",
    "detail::text",
)

_ROUTINES = """
CREATE FUNCTION dflint.append_event(for_run uuid, for_step int, under_fence bigint, what text, with_detail jsonb)
RETURNS bigint LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    last dflint.chain;
    one dflint.event;
BEGIN
    INSERT INTO dflint.chain AS chain (run_id, length) VALUES (for_run, 0)
        ON CONFLICT (run_id) DO UPDATE SET length = chain.length
        RETURNING * INTO last;
    one := ROW(for_run, last.length + 1, clock_timestamp(), for_step, under_fence, what, with_detail, last.hash, NULL);
    SELECT sha256(coalesce(prev_hash, '') || convert_to(FRAMED, 'UTF8')) INTO one.hash
        FROM (SELECT one.*) AS event;
    INSERT INTO dflint.event SELECT one.*;
    UPDATE dflint.chain SET length = one.seq, hash = one.hash WHERE run_id = for_run;
    RETURN one.seq;
END $$;

CREATE FUNCTION dflint.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'dflint.event is the audit trail: rows are added, never changed or removed'
        USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON dflint.event
    FOR EACH ROW EXECUTE FUNCTION dflint.refuse_change();
CREATE TRIGGER append_only_all BEFORE TRUNCATE ON dflint.event
    FOR EACH STATEMENT EXECUTE FUNCTION dflint.refuse_change();
""".replace("FRAMED", " || ".join(f"length({part}) || ':' || {part}" for part in HASHED))

CREATE = "\n".join(
    (
        "COMMENT ON SCHEMA dflint IS 'Journal and lock of guarded migrations (dflint exec)';",
        _TABLES,
        _ROUTINES,
        f"INSERT INTO dflint.meta (schema_version) VALUES ({VERSION});",  # noqa: S608 - a number
    )
)
