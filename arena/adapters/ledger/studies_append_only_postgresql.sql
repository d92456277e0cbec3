-- What happened in a study is append-only, as votes are. Between two statements stands an empty line.
CREATE FUNCTION studies_are_never_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'studies are append-only' USING ERRCODE = 'restrict_violation';
END $$

CREATE TRIGGER study_events_are_never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON study_events
FOR EACH STATEMENT EXECUTE FUNCTION studies_are_never_changed()

CREATE TRIGGER study_replies_are_never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON study_replies
FOR EACH STATEMENT EXECUTE FUNCTION studies_are_never_changed()
