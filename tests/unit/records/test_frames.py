"""Records as tables: the columns of a record, filled from records."""

import msgspec
import pytest

from trainroute.records.frames import record_schema, table_of
from trainroute.records.plan import Record
from trainroute.records.vocabulary import RouteState


class _Inner(Record, frozen=True, kw_only=True):
    score: float | None = None
    rows: int | None = None


class _Outer(Record, frozen=True, kw_only=True):
    route: RouteState
    inner: _Inner
    reasons: tuple[str, ...] = ()


OUTERS = [
    _Outer(route=RouteState.ROUTE_BOTH, inner=_Inner(score=0.5), reasons=("a", "", "b")),
    _Outer(route=RouteState.ROUTE_BLOCKED, inner=_Inner(rows=7)),
    _Outer(route=RouteState.ROUTE_BOTH, inner=_Inner(score=-0.0, rows=-(2**63)), reasons=("c\u2028",)),
]


@pytest.mark.parametrize("count", [3, 1, 0])
@pytest.mark.parametrize("first", [0, 1])
def test_a_table_has_what_the_records_have(first: int, count: int) -> None:
    records, schema = OUTERS[first : first + count], record_schema(_Outer)
    table = table_of(records, schema)
    assert table.schema == schema
    assert msgspec.convert(table.to_dicts(), list[_Outer]) == records
    assert table["reasons"].null_count() == 0


def test_a_number_that_no_column_holds_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="'rows' is too large"):
        table_of([_Outer(route=RouteState.ROUTE_BOTH, inner=_Inner(rows=2**63))], record_schema(_Outer))
