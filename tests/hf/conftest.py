"""The strategies and videos of tests/rope_strategy, on a module of transformers."""

from ..rope_strategy.conftest import geometry, layout, llama, strategy, yaml  # noqa: F401  fixtures
