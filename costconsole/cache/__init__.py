"""The exact and the semantic cache, the policy they follow, and reading whatever caches a Redis holds."""
