"""Which payloads look like a TLS alert, by their first byte and their size."""

import pytest

from analyzer.tcp.dialogue import TLS_ALERT, TLS_DATA, TLS_HANDSHAKE, looks_like_alert


@pytest.mark.parametrize(
    ("first_byte", "size", "alert"),
    [
        (TLS_ALERT, 7, True),
        (TLS_ALERT, 229, True),
        (TLS_ALERT, 325, True),
        (TLS_ALERT, 326, False),
        (TLS_DATA, 24, True),
        (TLS_DATA, 25, False),
        (TLS_HANDSHAKE, 24, False),
    ],
    ids=["in clear", "padded", "all the padding of CBC", "more", "TLS 1.3", "data", "a handshake"],
)
def test_an_alert_is_told_by_first_byte_and_size(first_byte: int, size: int, alert: bool) -> None:
    assert looks_like_alert(first_byte, size) == alert
