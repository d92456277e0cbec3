"""Who of the raters votes as nobody would who judges replies; what is found accuses nobody yet."""
