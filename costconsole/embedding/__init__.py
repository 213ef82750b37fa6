"""Texts to vectors: the local model in a process of its own, or an HTTP server."""
