"""Measurements that `python -m arena bench …` makes, one file a bench. They do not draw."""
