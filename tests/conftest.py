"""What holds for all tests."""

import pytest

from analyzer.compiled import cache, making


@pytest.fixture(scope="session", autouse=True)
def all_compiled() -> None:
    """Everything is compiled before the first test: else that one would take long, and say why on standard error."""
    kernels = [kernel for module in making.kernel_modules() for kernel in making.kernels_of(module)]
    if any(cache.read(kernel.kept) is None for kernel in kernels):
        assert making.make_all(cache.folder()) == ""
