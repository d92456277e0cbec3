-- A PostgreSQL ledger as schema 7 left it. Never change this file: it stands for the
-- databases of users.
CREATE TABLE schema_migrations (
    version INTEGER NOT NULL,
    applied_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (version)
);

CREATE TABLE votes (
    sequence BIGINT GENERATED ALWAYS AS IDENTITY,
    id TEXT NOT NULL,
    model_a TEXT NOT NULL,
    model_b TEXT NOT NULL,
    winner TEXT NOT NULL,
    evaluation_session_id TEXT NOT NULL,
    evaluation_order BIGINT NOT NULL,
    conversation_a JSON NOT NULL,
    conversation_b JSON NOT NULL,
    conv_metadata JSON NOT NULL,
    language TEXT NOT NULL,
    is_code BOOLEAN NOT NULL,
    timestamp TIMESTAMP WITH TIME ZONE NOT NULL,
    schema_version BIGINT NOT NULL,
    battle_id TEXT NOT NULL,
    ballot_id TEXT NOT NULL,
    round BIGINT NOT NULL,
    live TEXT NOT NULL,
    format TEXT NOT NULL,
    advance_rule TEXT NOT NULL,
    champion TEXT NOT NULL,
    supersedes TEXT NOT NULL,
    excluded_reason TEXT NOT NULL,
    rater TEXT NOT NULL,
    channel TEXT NOT NULL,
    study TEXT NOT NULL,
    prompt_id TEXT NOT NULL,
    topic TEXT NOT NULL,
    leaked_identity_a BOOLEAN NOT NULL,
    leaked_identity_b BOOLEAN NOT NULL,
    dwell_ms BIGINT,
    seat_a TEXT NOT NULL,
    seat_b TEXT NOT NULL,
    incumbent TEXT NOT NULL,
    system_sha256_a TEXT NOT NULL,
    system_sha256_b TEXT NOT NULL,
    options_a TEXT NOT NULL,
    options_b TEXT NOT NULL,
    digest_a TEXT NOT NULL,
    digest_b TEXT NOT NULL,
    quantization_a TEXT NOT NULL,
    quantization_b TEXT NOT NULL,
    host_a TEXT NOT NULL,
    host_b TEXT NOT NULL,
    ollama_version TEXT NOT NULL,
    ttft_ms_a DOUBLE PRECISION,
    ttft_ms_b DOUBLE PRECISION,
    total_ms_a DOUBLE PRECISION,
    total_ms_b DOUBLE PRECISION,
    load_ms_a DOUBLE PRECISION,
    load_ms_b DOUBLE PRECISION,
    prompt_tokens_a BIGINT,
    prompt_tokens_b BIGINT,
    output_tokens_a BIGINT,
    output_tokens_b BIGINT,
    tokens_per_s_a DOUBLE PRECISION,
    tokens_per_s_b DOUBLE PRECISION,
    done_reason_a TEXT NOT NULL,
    done_reason_b TEXT NOT NULL,
    retries_a BIGINT NOT NULL,
    retries_b BIGINT NOT NULL,
    draw_policy TEXT NOT NULL,
    draw_probability DOUBLE PRECISION,
    draw_probability_a DOUBLE PRECISION,
    draw_probability_b DOUBLE PRECISION,
    host_kind_a TEXT NOT NULL,
    host_kind_b TEXT NOT NULL,
    think_a TEXT NOT NULL,
    think_b TEXT NOT NULL,
    thinking_a JSON NOT NULL,
    thinking_b JSON NOT NULL,
    thinking_tokens_a BIGINT,
    thinking_tokens_b BIGINT,
    thinking_ms_a DOUBLE PRECISION,
    thinking_ms_b DOUBLE PRECISION,
    PRIMARY KEY (sequence),
    UNIQUE (battle_id, round, supersedes, seat_a, seat_b),
    UNIQUE (id)
);

CREATE INDEX votes_of_ballot ON votes (ballot_id, sequence);

CREATE INDEX votes_superseding ON votes (supersedes, ballot_id, sequence) WHERE supersedes != '';

CREATE FUNCTION votes_are_never_changed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'votes are append-only' USING ERRCODE = 'restrict_violation'; END $$;

CREATE TRIGGER votes_are_never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON votes FOR EACH STATEMENT EXECUTE FUNCTION votes_are_never_changed();

CREATE FUNCTION votes_are_written_in_turn() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock(TG_RELID::bigint); RETURN NULL; END $$;

CREATE TRIGGER votes_are_written_in_turn BEFORE INSERT ON votes FOR EACH STATEMENT EXECUTE FUNCTION votes_are_written_in_turn();

CREATE INDEX votes_outcomes ON votes (sequence) INCLUDE (battle_id, rater, model_a, model_b, winner, excluded_reason);

INSERT INTO schema_migrations VALUES (1, '2026-03-02 12:00:00+00');
INSERT INTO schema_migrations VALUES (2, '2026-03-02 12:00:00+00');
INSERT INTO schema_migrations VALUES (3, '2026-12-01 12:00:00+00');
INSERT INTO schema_migrations VALUES (4, '2026-12-20 12:00:00+00');

CREATE TABLE arena_keys (
    key TEXT NOT NULL
);
INSERT INTO arena_keys VALUES ('6b6579');
INSERT INTO schema_migrations VALUES (5, '2026-12-20 12:00:00+00');

CREATE TABLE vote_chain (
    sequence BIGINT NOT NULL,
    columns INTEGER NOT NULL,
    digest TEXT NOT NULL,
    PRIMARY KEY (sequence)
);
INSERT INTO schema_migrations VALUES (6, '2026-12-20 12:00:00+00');

CREATE TABLE shared_battles (
    battle_id TEXT NOT NULL,
    owner TEXT NOT NULL,
    shared_at TIMESTAMP WITH TIME ZONE NOT NULL,
    told TEXT NOT NULL,
    PRIMARY KEY (battle_id)
);

ALTER TABLE votes ADD COLUMN reasons JSON NOT NULL DEFAULT '[]';
ALTER TABLE votes ADD COLUMN comment TEXT NOT NULL DEFAULT '';
ALTER TABLE votes ADD COLUMN grade_a BIGINT;
ALTER TABLE votes ADD COLUMN grade_b BIGINT;
ALTER TABLE votes ADD COLUMN marks_a JSON NOT NULL DEFAULT '[]';
ALTER TABLE votes ADD COLUMN marks_b JSON NOT NULL DEFAULT '[]';
CREATE TABLE study_events (
	sequence BIGINT GENERATED ALWAYS AS IDENTITY, 
	study TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	rater TEXT NOT NULL, 
	battle TEXT NOT NULL, 
	item TEXT NOT NULL, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	data JSON NOT NULL, 
	PRIMARY KEY (sequence)
);
CREATE INDEX study_events_of_battle ON study_events (battle);
CREATE INDEX study_events_of_kind ON study_events (kind, study);
CREATE INDEX study_events_of_study ON study_events (study, sequence);
CREATE TABLE study_replies (
	sequence BIGINT GENERATED ALWAYS AS IDENTITY, 
	study TEXT NOT NULL, 
	prompt_id TEXT NOT NULL, 
	contender TEXT NOT NULL, 
	asked TEXT NOT NULL, 
	replies JSON NOT NULL, 
	seed BIGINT NOT NULL, 
	at TIMESTAMP WITH TIME ZONE NOT NULL, 
	PRIMARY KEY (sequence), 
	UNIQUE (study, prompt_id, contender, asked)
);
CREATE FUNCTION studies_are_never_changed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'studies are append-only' USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER study_events_are_never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON study_events FOR EACH STATEMENT EXECUTE FUNCTION studies_are_never_changed();
CREATE TRIGGER study_replies_are_never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON study_replies FOR EACH STATEMENT EXECUTE FUNCTION studies_are_never_changed();
INSERT INTO schema_migrations VALUES(7,'2026-03-07 00:00:00.000000');
INSERT INTO schema_migrations VALUES (8, '2026-12-20 12:00:00+00');

CREATE TABLE vote_exclusions (
    number BIGINT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    excluded BOOLEAN NOT NULL,
    reason TEXT NOT NULL,
    decided_at TIMESTAMP WITH TIME ZONE NOT NULL,
    after BIGINT NOT NULL,
    digest TEXT NOT NULL,
    PRIMARY KEY (number)
);

CREATE TRIGGER exclusions_are_never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON vote_exclusions
FOR EACH STATEMENT EXECUTE FUNCTION votes_are_never_changed();

ALTER TABLE votes ADD COLUMN system TEXT NOT NULL DEFAULT '';
ALTER TABLE votes ADD COLUMN temperature DOUBLE PRECISION;
ALTER TABLE votes ADD COLUMN images JSON NOT NULL DEFAULT '[]';
INSERT INTO schema_migrations VALUES (9, '2026-12-20 12:00:00+00');

CREATE TABLE battle_images (
    digest TEXT NOT NULL,
    kept_at TIMESTAMP WITH TIME ZONE NOT NULL,
    voted BOOLEAN NOT NULL,
    size BIGINT NOT NULL,
    data BYTEA NOT NULL,
    PRIMARY KEY (digest)
);
