"""Fixtures and settings that all tests share."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

from stance.schema import Schema, Stance, Topic

# In CI the same examples every time, so that a red build is red for everybody.
settings.register_profile("local", deadline=None, max_examples=60)
settings.register_profile(
    "ci",
    deadline=None,
    max_examples=60,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.fixture(scope="session")
def schema() -> Schema:
    """Two topics, two stances that are predicted and one that is not."""
    return Schema(
        topics=(Topic(name="harbour"), Topic(name="weather")),
        stances=(
            Stance(name="negative"),
            Stance(name="positive"),
            Stance(name="neutral", predicted=False),
        ),
    )
