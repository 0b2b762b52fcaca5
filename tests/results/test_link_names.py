"""Link types have names."""

from analyzer.results.link_names import link_name


def test_known_and_unknown_link_types() -> None:
    assert [link_name(number) for number in (1, 113, 147)] == ["Ethernet", "Linux cooked", "link type 147"]
