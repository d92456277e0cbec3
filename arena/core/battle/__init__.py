"""One battle: its parts, its rules, what may be known of it and what is kept of it."""
