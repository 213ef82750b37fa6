"""Providers by the names that configs use, and what a model's name tells about it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from costconsole.routing.model import Tier, Wire


@dataclass(frozen=True, slots=True)
class Known:
    """A provider: `name` as the price list has it, wire format, base URL (None: the wire's own; "": it has
    no fixed one, the config must say), and the variable of its key."""

    name: str
    wire: Wire
    base_url: str | None
    key_env: str


def _openai(name: str, base_url: str | None, key_env: str) -> Known:
    return Known(name, "openai", base_url, key_env)


PROVIDERS: Final[Mapping[str, Known]] = {
    known.name: known
    for known in (
        _openai("openai", None, "OPENAI_API_KEY"),
        Known("anthropic", "anthropic", None, "ANTHROPIC_API_KEY"),
        _openai("groq", "https://api.groq.com/openai/v1", "GROQ_API_KEY"),
        _openai("google", "https://generativelanguage.googleapis.com/v1beta/openai", "GEMINI_API_KEY"),
        _openai("mistral", "https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
        _openai("deepseek", "https://api.deepseek.com/v1", "DEEPSEEK_API_KEY"),
        _openai("together", "https://api.together.xyz/v1", "TOGETHER_API_KEY"),
        _openai("fireworks", "https://api.fireworks.ai/inference/v1", "FIREWORKS_API_KEY"),
        _openai("openrouter", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
        _openai("perplexity", "https://api.perplexity.ai", "PERPLEXITY_API_KEY"),
        _openai("x-ai", "https://api.x.ai/v1", "XAI_API_KEY"),
        _openai("cerebras", "https://api.cerebras.ai/v1", "CEREBRAS_API_KEY"),
        _openai("moonshotai", "https://api.moonshot.ai/v1", "MOONSHOT_API_KEY"),
        _openai("novita", "https://api.novita.ai/v3/openai", "NOVITA_API_KEY"),
        _openai("deepinfra", "https://api.deepinfra.com/v1/openai", "DEEPINFRA_API_KEY"),
        _openai("sambanova", "https://api.sambanova.ai/v1", "SAMBANOVA_API_KEY"),
        _openai("nvidia", "https://integrate.api.nvidia.com/v1", "NVIDIA_API_KEY"),
        _openai("cohere", "https://api.cohere.ai/compatibility/v1", "COHERE_API_KEY"),
        _openai("ollama", "http://localhost:11434/v1", "OLLAMA_API_KEY"),
        _openai("azure", "", "AZURE_API_KEY"),
        _openai("vllm", "", "VLLM_API_KEY"),
        _openai("lm-studio", "", "LM_STUDIO_API_KEY"),
        _openai("llamafile", "", "LLAMAFILE_API_KEY"),
        _openai("openai-compatible", "", "OPENAI_API_KEY"),
    )
}
"""Those that speak one of the two wire formats."""

PREFIXES: Final[Mapping[str, str]] = {
    **{name: name for name in PROVIDERS},
    "custom_openai": "openai-compatible",
    "openai_like": "openai-compatible",
    "litellm_proxy": "openai-compatible",
    "text-completion-openai": "openai",
    "gemini": "google",
    "together_ai": "together",
    "fireworks_ai": "fireworks",
    "xai": "x-ai",
    "moonshot": "moonshotai",
    "nvidia_nim": "nvidia",
    "cohere_chat": "cohere",
    "ollama_chat": "ollama",
    "azure_ai": "azure",
    "hosted_vllm": "vllm",
    "lm_studio": "lm-studio",
}
"""What stands before the slash of a LiteLLM model, and whose that is."""

FOREIGN_WIRE: Final = (
    *("bedrock", "bedrock_converse", "sagemaker", "sagemaker_chat", "vertex_ai", "vertex_ai_beta"),
    *("watsonx", "watsonx_text", "replicate", "huggingface", "databricks", "snowflake", "oci", "sap"),
    *("predibase", "nlp_cloud", "aleph_alpha", "palm", "petals", "triton", "cloudflare", "github_copilot"),
)
"""Prefixes of providers whose own protocol or signature is neither of the two wire formats."""

_FAMILIES: Final = (
    (re.compile(r"(?:ft:)?(?:gpt-|chatgpt-|codex-|o\d)"), "openai"),
    (re.compile(r"claude-"), "anthropic"),
    (re.compile(r"gemini-"), "google"),
    (re.compile(r"(?:mistral|ministral|magistral|codestral|pixtral|open-mi)[-\w]*"), "mistral"),
    (re.compile(r"deepseek-(?:chat|reasoner|v\d)"), "deepseek"),
    (re.compile(r"grok-"), "x-ai"),
    (re.compile(r"llama-?3[-.\w]*-(?:8192|instant|versatile|specdec)\b"), "groq"),
)
# Size words that makers give their small models; parameters up to 14 billion.
_SMALL = re.compile(
    r"(?:^|[^a-z0-9])(?:mini|nano|micro|haiku|flash|lite|small|tiny|instant|luna|ministral|nemo|turbo-instruct"
    r"|gpt-3\.5|3\.5-turbo|gemma|phi|cheap|fast|simple|budget|low|economy|(?:[1-9]|1[0-4])(?:\.\d+)?b)(?![a-z])"
)
_LARGE = re.compile(r"(?:^|[^a-z0-9])(?:strong|large|opus|sonnet|smart|complex|premium|reasoning)(?![a-z])")


def provider_of(model: str) -> str:
    """The provider whose models are named so, or ""."""
    return next((name for pattern, name in _FAMILIES if pattern.match(model.lower())), "")


def tier_of(model: str, name: str = "") -> Tier:
    """The tier that a model's id tells, else the name it is asked for by; strong where nothing tells."""
    if _SMALL.search(model.lower()):
        return "cheap"
    return "cheap" if _SMALL.search(name.lower()) and not _LARGE.search(model.lower()) else "strong"
