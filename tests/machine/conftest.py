"""The budget of `make test-long`: `--hypothesis-profile=long` plays thousands of stories."""

from hypothesis import settings

settings.register_profile("long", max_examples=3_000, stateful_step_count=50)
