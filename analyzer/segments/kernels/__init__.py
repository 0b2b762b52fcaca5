"""The compiled part of decoding. A packet is walked header by header:

    link_dispatch -> link_layers, capture_headers -> ethertypes -> ip -> tunnels (and back to any of them) -> tcp
      -> addresses

``cursor`` is what all steps share, ``batch`` the loop over the packets. Inside are numbers and arrays only; the
typed side is :mod:`analyzer.segments.decode`.
"""
