"""Did this model write that index? Stored prompts, embedded again, tell."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from costconsole.embedding.embedder import Embedder, Embedding, cosine_of, floats

SAMPLES = 8
# Other backends and float16 storage of the same model stay above the first; another model, another
# pooling or a prefix before the text fall below the second.
SAME = 0.999
DIFFERENT = 0.99


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What re-embedding stored prompts showed.

    `checked` pairs were compared, `agreeing` of them have a similarity of at least SAME; the mean is
    None if there was nothing to compare. `sentence` says it in words, with the next step.
    """

    checked: int
    agreeing: int
    mean_similarity: float | None
    verdict: Literal["same", "different", "unknown"]
    sentence: str


def check_fingerprint(embedder: Embedder, samples: Sequence[tuple[str, bytes]]) -> Fingerprint:
    """Compare stored (prompt, vector) pairs, at most 8 of them, with this model's vectors.

    Vectors may be float32, float64, float16 or bfloat16. Raises Problem if the embedder fails.
    """
    chosen = _choose(samples)
    if not chosen:
        return _nothing(embedder.name)
    return _judge(embedder.name, chosen, embedder.embed([prompt for prompt, _ in chosen]))


async def acheck_fingerprint(embedder: Embedder, samples: Sequence[tuple[str, bytes]]) -> Fingerprint:
    """`check_fingerprint` for an event loop."""
    chosen = _choose(samples)
    if not chosen:
        return _nothing(embedder.name)
    return _judge(embedder.name, chosen, await embedder.aembed([prompt for prompt, _ in chosen]))


def _choose(samples: Sequence[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """Up to SAMPLES pairs, spread evenly over those that can be compared."""
    usable = [(prompt, vector) for prompt, vector in samples if prompt.strip() and vector]
    if len(usable) <= SAMPLES:
        return usable
    return [usable[index * len(usable) // SAMPLES] for index in range(SAMPLES)]


def _judge(name: str, chosen: Sequence[tuple[str, bytes]], made: Sequence[Embedding]) -> Fingerprint:
    pairs = list(zip((vector for _, vector in chosen), made, strict=True))
    # Where a text is cut off differs between libraries, so whole texts are the better witnesses.
    pairs = [(stored, fresh) for stored, fresh in pairs if not fresh.truncated] or pairs
    dims = made[0].dims
    fitting = [(stored, fresh) for stored, fresh in pairs if len(stored) in (2 * dims, 4 * dims, 8 * dims)]
    if not fitting:
        return Fingerprint(
            len(pairs),
            0,
            None,
            "different",
            f"The stored vectors are {len(pairs[0][0])} bytes long, which {dims} dimensions of {name} "
            "can't be: "
            "another model wrote this index; set model = ... in the config to that one.",
        )
    similarities = [_similarity(stored, fresh.vector, dims) for stored, fresh in fitting]
    known = [similarity for similarity in similarities if similarity is not None]
    if not known:
        return _nothing(name)
    mean = math.fsum(known) / len(known)
    agreeing = sum(similarity >= SAME for similarity in known)
    found = f"{agreeing} of {len(known)} stored vectors agree with {name} (mean similarity {mean:.4f})"
    if mean >= SAME:
        return Fingerprint(len(known), agreeing, mean, "same", f"{found}: it wrote this index.")
    if mean < DIFFERENT:
        cause = "several models wrote this index" if agreeing else "another model wrote this index"
        advice = "set model = ... in the config to that one, or fill the cache anew"
        return Fingerprint(len(known), agreeing, mean, "different", f"{found}: {cause}; {advice}.")
    cause = "a quantized or fine-tuned variant may have written this index, or its prompts were altered"
    return Fingerprint(
        len(known), agreeing, mean, "unknown", f"{found}: {cause}; check before you trust a hit."
    )


def _nothing(name: str) -> Fingerprint:
    sentence = (
        f"There is no stored prompt with a vector to compare with {name}: look again when there is one."
    )
    return Fingerprint(0, 0, None, "unknown", sentence)


def _similarity(stored: bytes, fresh: bytes, dims: int) -> float | None:
    """Cosine similarity under the reading of the stored bytes that fits best; None if none is finite."""
    wanted = floats(fresh)
    readings = [values for values in _readings(stored, dims) if all(map(math.isfinite, values))]
    return max((cosine_of(values, wanted) for values in readings), default=None)


def _readings(stored: bytes, dims: int) -> list[Sequence[float]]:
    """The bytes as numbers, by their length; two bytes can be float16 or bfloat16."""
    width = len(stored) // dims
    if width == 8:
        return [struct.unpack(f"<{dims}d", stored)]
    if width == 4:
        return [struct.unpack(f"<{dims}f", stored)]
    # A bfloat16 is the upper half of a float32.
    widened = b"".join(b"\0\0" + stored[at : at + 2] for at in range(0, len(stored), 2))
    return [struct.unpack(f"<{dims}e", stored), struct.unpack(f"<{dims}f", widened)]
