"""One module per command: `configure(parser)` says what it takes, `run(options)` does it."""
