-- Votes are append-only. Between two statements stands an empty line.
CREATE TRIGGER votes_are_never_updated BEFORE UPDATE ON votes
BEGIN SELECT RAISE(ABORT, 'votes are append-only'); END

CREATE TRIGGER votes_are_never_deleted BEFORE DELETE ON votes
BEGIN SELECT RAISE(ABORT, 'votes are append-only'); END

-- REPLACE deletes without asking the trigger above.
CREATE TRIGGER votes_are_never_replaced BEFORE INSERT ON votes
WHEN EXISTS (SELECT 1 FROM votes
    WHERE sequence = NEW.sequence OR id = NEW.id
        OR (battle_id = NEW.battle_id AND round = NEW.round AND supersedes = NEW.supersedes
            AND seat_a = NEW.seat_a AND seat_b = NEW.seat_b))
BEGIN SELECT RAISE(ABORT, 'votes are append-only'); END
