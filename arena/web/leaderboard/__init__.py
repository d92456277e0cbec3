"""What the Leaderboard tab shows, one file a part: all of it text and figures made from a
`core.standings.board.Board` and its `Panels`. Nothing here asks anybody anything."""
