"""Prompts made shorter without changing what they say, and the view of what was taken away."""
