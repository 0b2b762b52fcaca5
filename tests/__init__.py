"""The tests, as a package: the laboratory in ``tests.lab`` is used from outside them too."""
