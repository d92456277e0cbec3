-- So are exclusions. Between two statements stands an empty line.
CREATE TRIGGER exclusions_are_never_updated BEFORE UPDATE ON vote_exclusions
BEGIN SELECT RAISE(ABORT, 'exclusions are append-only'); END

CREATE TRIGGER exclusions_are_never_deleted BEFORE DELETE ON vote_exclusions
BEGIN SELECT RAISE(ABORT, 'exclusions are append-only'); END

CREATE TRIGGER exclusions_are_never_replaced BEFORE INSERT ON vote_exclusions
WHEN EXISTS (SELECT 1 FROM vote_exclusions WHERE number = NEW.number)
BEGIN SELECT RAISE(ABORT, 'exclusions are append-only'); END
