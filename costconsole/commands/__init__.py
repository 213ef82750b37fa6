"""One module a command. Each has `run(args) -> exit code`, calls the packages below, and prints."""
