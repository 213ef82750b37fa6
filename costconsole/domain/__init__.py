"""Pure values and arithmetic: no I/O, no third-party client."""
