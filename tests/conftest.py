"""What holds for all tests."""

import pytest

from analyzer.kernels import build, link


@pytest.fixture(scope="session", autouse=True)
def all_compiled() -> None:
    """The library is of these sources before the first test: else numba would compile in every process anew."""
    build.build(link.here(), build.HERE)
