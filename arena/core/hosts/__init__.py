"""Hosts as the core sees them: which one takes a reply, what replicas agree on, what operators are told."""
