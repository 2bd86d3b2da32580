"""Each measures one tool, in a process and an environment of its own; see `benchmarks.speed`."""
