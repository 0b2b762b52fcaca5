"""The findings' names and pages, from the catalogue of rules."""


def names() -> dict[str, str]:
    return {"TD102": "late-fin-answered-by-rst", "TD307": "connection-refused", "TD101": "close-wait-leak"}
