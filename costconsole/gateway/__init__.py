"""The way of one call: caches, provider, store, ledger."""
