"""The tests of the arena, and the servers and stand-ins that they share."""
