"""What measures the figures in docs/benchmarks.md; run from a checkout, never installed."""
