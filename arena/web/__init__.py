"""The page and the HTTP routes. Both speak only to the referee."""

from arena.web.importing import leanly

leanly()
