"""The libraries whose caches are understood. An index is claimed by the first layout that knows it."""

from __future__ import annotations

from costconsole.cache.layouts.base import Layout
from costconsole.cache.layouts.own import OwnLayout
from costconsole.cache.layouts.redisvl import RedisVLLayout

LAYOUTS: tuple[Layout, ...] = (OwnLayout(), RedisVLLayout())


def layout_of(library: str) -> Layout:
    """The layout of a library's name. Raises KeyError for one that isn't known."""
    for layout in LAYOUTS:
        if layout.library == library:
            return layout
    raise KeyError(library)
