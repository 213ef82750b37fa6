"""Which model answers a prompt: the config that says so, and the router that decides by it."""
