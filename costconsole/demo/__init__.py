"""The demonstration: an embedded Redis, a corpus, and traffic that behaves like the real thing."""
