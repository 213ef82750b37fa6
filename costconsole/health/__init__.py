"""Is what a Redis caches in good order? Checks that are functions of values, and one collector of these.

`collect.examine_caches` reads within a budget; `keys`, `likeness`, `entries` and `indexes` judge.
"""
