"""JSON that nobody would write, for property-based tests."""

from hypothesis import strategies as st

LEAVES = (st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
          | st.sampled_from([10**400, -(10**30), 1e308, "nan", "../..", "<b>", "${x}"]))


def hostile(keys: list[str]) -> st.SearchStrategy:
    """Nested lists and objects whose names are ``keys`` or any text."""
    names = st.sampled_from(keys) | st.text(max_size=3)
    return st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=6),
                        max_leaves=20)
