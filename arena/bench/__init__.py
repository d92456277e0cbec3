"""Measurements that `arena bench …` makes, one file a bench; `arenas` is what `draws`
plays. They do not draw the figures."""
