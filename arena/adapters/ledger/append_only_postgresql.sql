-- Votes are append-only. Between two statements stands an empty line.
CREATE FUNCTION votes_are_never_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'votes are append-only' USING ERRCODE = 'restrict_violation';
END $$

CREATE TRIGGER votes_are_never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON votes
FOR EACH STATEMENT EXECUTE FUNCTION votes_are_never_changed()

-- A sequence is taken before its transaction is committed. Whoever writes therefore waits until the
-- one before has committed, so that no lower number becomes readable after a higher one.
CREATE FUNCTION votes_are_written_in_turn() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(TG_RELID::bigint);
    RETURN NULL;
END $$

CREATE TRIGGER votes_are_written_in_turn BEFORE INSERT ON votes
FOR EACH STATEMENT EXECUTE FUNCTION votes_are_written_in_turn()
