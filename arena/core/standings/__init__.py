"""From votes to standings: counts, fits, intervals, and which votes are asked about."""
