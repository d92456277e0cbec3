-- So are exclusions, by the function that guards the votes.
CREATE TRIGGER exclusions_are_never_changed BEFORE UPDATE OR DELETE OR TRUNCATE ON vote_exclusions
FOR EACH STATEMENT EXECUTE FUNCTION votes_are_never_changed()
