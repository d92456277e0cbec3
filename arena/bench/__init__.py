"""Measurements that `python -m arena bench …` makes, one file a bench; `arenas` is what `draws`
plays. They do not draw the figures."""
