"""Whether labels hold where they must and change where they must: `python -m benchmarks.behaviour`.

After CheckList (Ribeiro et al. 2020): invariance and direction tests, each of pairs of texts.
"""
