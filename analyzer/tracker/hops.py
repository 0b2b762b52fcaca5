"""Over how many routers a packet has come, as its TTL tells.

Hosts start their TTLs at 32, 64, 128 or 255, and each router on the way takes one off. So the hops are compared, not
the TTLs: one host may start its RSTs higher than the rest.
"""


def other_path(ttl: int, known: int) -> bool:
    """Whether two TTLs show different numbers of hops. Where they began at different values, as those of one host may,
    one hop more or less is none: then it is not known who counts it."""
    first = 32 if ttl <= 32 else 64 if ttl <= 64 else 128 if ttl <= 128 else 255
    before = 32 if known <= 32 else 64 if known <= 64 else 128 if known <= 128 else 255
    apart = abs((first - ttl) - (before - known))
    return apart > (0 if first == before else 1)
