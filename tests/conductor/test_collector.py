"""Two looks at the suspect: equal or not, whatever the order of the rows."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from paydrill.collector import equal

rows = st.lists(
    st.fixed_dictionaries({"ref": st.integers(0, 5), "state": st.sampled_from(["paid", "open"])}), max_size=6
)


@given(rows, st.randoms())
def test_the_order_of_rows_and_keys_does_not_matter(some, random):
    other = [dict(reversed(row.items())) for row in some]
    random.shuffle(other)
    assert equal({"sut_fact": some}, {"sut_fact": other})


@given(rows)
def test_one_row_more_or_one_value_else_is_a_difference(some):
    assert not equal({"sut_fact": some}, {"sut_fact": [*some, {"ref": 1, "state": "paid"}]})
    if some:
        changed = [{**some[0], "state": "other"}, *some[1:]]
        assert not equal({"sut_fact": some}, {"sut_fact": changed})


def test_a_table_that_only_one_look_has_is_a_difference():
    assert not equal({"a": []}, {"a": [], "b": []})
