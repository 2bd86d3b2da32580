"""The command line: one module per verb, mounted by `main`."""
