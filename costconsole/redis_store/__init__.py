"""Everything about the connection to Redis: where it is, what it can do, what may be sent to it."""
