"""Playing: the use cases, the rounds on their stages, and the votes kept counted."""
