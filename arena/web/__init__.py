"""The page and the HTTP routes. Both speak only to the referee."""
