"""The libraries whose caches are understood. An index is claimed by the first layout that knows it."""

from __future__ import annotations

from costconsole.cache.layouts.base import Layout
from costconsole.cache.layouts.betterdb import BetterDBAgentLayout, BetterDBSemanticLayout
from costconsole.cache.layouts.gptcache import GPTCacheLayout
from costconsole.cache.layouts.khazad import KhazadLayout
from costconsole.cache.layouts.langchain import (
    LangChainCommunityLayout,
    LangChainExactLayout,
    LangChainSemanticLayout,
)
from costconsole.cache.layouts.litellm import LiteLLMExactLayout, LiteLLMSemanticLayout, LiteLLMValkeyLayout
from costconsole.cache.layouts.mapping import MappingLayout
from costconsole.cache.layouts.own import OwnLayout
from costconsole.cache.layouts.redisvl import RedisVLLayout
from costconsole.cache.layouts.redisvl_embeddings import EmbeddingsLayout
from costconsole.cache.layouts.redisvl_router import RouterLayout
from costconsole.domain.entry import CacheInfo

LAYOUTS: tuple[Layout, ...] = (
    OwnLayout(),
    MappingLayout(),
    BetterDBSemanticLayout(),
    RouterLayout(),
    GPTCacheLayout(),
    LiteLLMSemanticLayout(),
    LiteLLMValkeyLayout(),
    LangChainSemanticLayout(),
    RedisVLLayout(),
    EmbeddingsLayout(),
    LangChainExactLayout(),
    LangChainCommunityLayout(),
    LiteLLMExactLayout(),
    BetterDBAgentLayout(),
    KhazadLayout(),
)
_BY_NAME = {layout.name: layout for layout in LAYOUTS}


def layout_of(cache: CacheInfo) -> Layout:
    """The layout that reads a cache. Raises KeyError for one that isn't known."""
    return _BY_NAME[cache.layout or cache.library]
