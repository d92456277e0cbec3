-- A ledger as schema 7 left it. Never change this file: it stands for the files of users.
CREATE TABLE schema_migrations (
    version INTEGER NOT NULL,
    applied_at DATETIME NOT NULL,
    PRIMARY KEY (version)
);

CREATE TABLE votes (
    sequence INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL,
    model_a TEXT NOT NULL,
    model_b TEXT NOT NULL,
    winner TEXT NOT NULL,
    evaluation_session_id TEXT NOT NULL,
    evaluation_order INTEGER NOT NULL,
    conversation_a JSON NOT NULL,
    conversation_b JSON NOT NULL,
    conv_metadata JSON NOT NULL,
    language TEXT NOT NULL,
    is_code BOOLEAN NOT NULL,
    timestamp DATETIME NOT NULL,
    schema_version INTEGER NOT NULL,
    battle_id TEXT NOT NULL,
    ballot_id TEXT NOT NULL,
    round INTEGER NOT NULL,
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
    dwell_ms INTEGER,
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
    ttft_ms_a DOUBLE,
    ttft_ms_b DOUBLE,
    total_ms_a DOUBLE,
    total_ms_b DOUBLE,
    load_ms_a DOUBLE,
    load_ms_b DOUBLE,
    prompt_tokens_a INTEGER,
    prompt_tokens_b INTEGER,
    output_tokens_a INTEGER,
    output_tokens_b INTEGER,
    tokens_per_s_a DOUBLE,
    tokens_per_s_b DOUBLE,
    done_reason_a TEXT NOT NULL,
    done_reason_b TEXT NOT NULL,
    retries_a INTEGER NOT NULL,
    retries_b INTEGER NOT NULL,
    draw_policy TEXT NOT NULL,
    draw_probability DOUBLE,
    draw_probability_a DOUBLE,
    draw_probability_b DOUBLE,
    host_kind_a TEXT NOT NULL,
    host_kind_b TEXT NOT NULL,
    think_a TEXT NOT NULL,
    think_b TEXT NOT NULL,
    thinking_a JSON NOT NULL,
    thinking_b JSON NOT NULL,
    thinking_tokens_a INTEGER,
    thinking_tokens_b INTEGER,
    thinking_ms_a DOUBLE,
    thinking_ms_b DOUBLE,
    UNIQUE (battle_id, round, supersedes, seat_a, seat_b),
    UNIQUE (id)
);

CREATE INDEX votes_of_ballot ON votes (ballot_id, sequence);

CREATE INDEX votes_superseding ON votes (supersedes, ballot_id, sequence) WHERE supersedes != '';

CREATE INDEX votes_outcomes ON votes (sequence, sequence || ',"' || replace(battle_id, '"', '""') || '"' || ',"' || replace(rater, '"', '""') || '"' || ',"' || replace(model_a, '"', '""') || '"' || ',"' || replace(model_b, '"', '""') || '"' || ',"' || replace(winner, '"', '""') || '"' || ',"' || replace(excluded_reason, '"', '""') || '"');

CREATE TRIGGER votes_are_never_updated BEFORE UPDATE ON votes BEGIN SELECT RAISE(ABORT, 'votes are append-only'); END;

CREATE TRIGGER votes_are_never_deleted BEFORE DELETE ON votes BEGIN SELECT RAISE(ABORT, 'votes are append-only'); END;

CREATE TRIGGER votes_are_never_replaced BEFORE INSERT ON votes WHEN EXISTS (SELECT 1 FROM votes WHERE sequence = NEW.sequence OR id = NEW.id OR (battle_id = NEW.battle_id AND round = NEW.round AND supersedes = NEW.supersedes AND seat_a = NEW.seat_a AND seat_b = NEW.seat_b)) BEGIN SELECT RAISE(ABORT, 'votes are append-only'); END;

INSERT INTO schema_migrations VALUES (1, '2026-03-01 12:00:00.000000');
INSERT INTO schema_migrations VALUES (2, '2026-03-02 12:00:00.000000');
INSERT INTO schema_migrations VALUES (3, '2026-12-01 12:00:00.000000');
INSERT INTO schema_migrations VALUES (4, '2026-12-20 12:00:00');

CREATE TABLE arena_keys (
    key TEXT NOT NULL
);
INSERT INTO arena_keys VALUES ('6b6579');
INSERT INTO schema_migrations VALUES (5, '2026-12-20 12:00:00');

CREATE TABLE vote_chain (
    sequence BIGINT NOT NULL,
    columns INTEGER NOT NULL,
    digest TEXT NOT NULL,
    PRIMARY KEY (sequence)
);
INSERT INTO schema_migrations VALUES (6, '2026-12-20 12:00:00');

CREATE TABLE shared_battles (
    battle_id TEXT NOT NULL,
    owner TEXT NOT NULL,
    shared_at DATETIME NOT NULL,
    told TEXT NOT NULL,
    PRIMARY KEY (battle_id)
);

ALTER TABLE votes ADD COLUMN reasons JSON NOT NULL DEFAULT '[]';
ALTER TABLE votes ADD COLUMN comment TEXT NOT NULL DEFAULT '';
ALTER TABLE votes ADD COLUMN grade_a INTEGER;
ALTER TABLE votes ADD COLUMN grade_b INTEGER;
ALTER TABLE votes ADD COLUMN marks_a JSON NOT NULL DEFAULT '[]';
ALTER TABLE votes ADD COLUMN marks_b JSON NOT NULL DEFAULT '[]';
CREATE TABLE study_events (
	sequence INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	study TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	rater TEXT NOT NULL, 
	battle TEXT NOT NULL, 
	item TEXT NOT NULL, 
	at DATETIME NOT NULL, 
	data JSON NOT NULL
);
CREATE INDEX study_events_of_battle ON study_events (battle);
CREATE INDEX study_events_of_kind ON study_events (kind, study);
CREATE INDEX study_events_of_study ON study_events (study, sequence);
CREATE TABLE study_replies (
	sequence INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	study TEXT NOT NULL, 
	prompt_id TEXT NOT NULL, 
	contender TEXT NOT NULL, 
	asked TEXT NOT NULL, 
	replies JSON NOT NULL, 
	seed INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	UNIQUE (study, prompt_id, contender, asked)
);
CREATE TRIGGER study_events_are_never_updated BEFORE UPDATE ON study_events BEGIN SELECT RAISE(ABORT, 'studies are append-only'); END;
CREATE TRIGGER study_events_are_never_deleted BEFORE DELETE ON study_events BEGIN SELECT RAISE(ABORT, 'studies are append-only'); END;
CREATE TRIGGER study_replies_are_never_updated BEFORE UPDATE ON study_replies BEGIN SELECT RAISE(ABORT, 'studies are append-only'); END;
CREATE TRIGGER study_replies_are_never_deleted BEFORE DELETE ON study_replies BEGIN SELECT RAISE(ABORT, 'studies are append-only'); END;
INSERT INTO schema_migrations VALUES(7,'2026-03-07 00:00:00.000000');
INSERT INTO schema_migrations VALUES (8, '2026-12-20 12:00:00');

CREATE TABLE vote_exclusions (
    number BIGINT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    excluded BOOLEAN NOT NULL,
    reason TEXT NOT NULL,
    decided_at DATETIME NOT NULL,
    after BIGINT NOT NULL,
    digest TEXT NOT NULL,
    PRIMARY KEY (number)
);

CREATE TRIGGER exclusions_are_never_updated BEFORE UPDATE ON vote_exclusions BEGIN SELECT RAISE(ABORT, 'exclusions are append-only'); END;

CREATE TRIGGER exclusions_are_never_deleted BEFORE DELETE ON vote_exclusions BEGIN SELECT RAISE(ABORT, 'exclusions are append-only'); END;

CREATE TRIGGER exclusions_are_never_replaced BEFORE INSERT ON vote_exclusions WHEN EXISTS (SELECT 1 FROM vote_exclusions WHERE number = NEW.number) BEGIN SELECT RAISE(ABORT, 'exclusions are append-only'); END;

ALTER TABLE votes ADD COLUMN system TEXT NOT NULL DEFAULT '';
ALTER TABLE votes ADD COLUMN temperature DOUBLE PRECISION;
ALTER TABLE votes ADD COLUMN images JSON NOT NULL DEFAULT '[]';
INSERT INTO schema_migrations VALUES (9, '2026-12-20 12:00:00');

CREATE TABLE battle_images (
    digest TEXT NOT NULL,
    kept_at DATETIME NOT NULL,
    voted BOOLEAN NOT NULL,
    size INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (digest)
);
