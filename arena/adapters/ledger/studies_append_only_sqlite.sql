-- What happened in a study is append-only, as votes are. Between two statements stands an empty line.
CREATE TRIGGER study_events_are_never_updated BEFORE UPDATE ON study_events
BEGIN SELECT RAISE(ABORT, 'studies are append-only'); END

CREATE TRIGGER study_events_are_never_deleted BEFORE DELETE ON study_events
BEGIN SELECT RAISE(ABORT, 'studies are append-only'); END

CREATE TRIGGER study_replies_are_never_updated BEFORE UPDATE ON study_replies
BEGIN SELECT RAISE(ABORT, 'studies are append-only'); END

CREATE TRIGGER study_replies_are_never_deleted BEFORE DELETE ON study_replies
BEGIN SELECT RAISE(ABORT, 'studies are append-only'); END
