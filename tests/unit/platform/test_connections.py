"""How many connections there may be, and which one gives way."""

import ipaddress
from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.platform.http.connections import ConnectionTable, EdgeLimits, Group, Reason, address_key

LIMITS = EdgeLimits(connections=12, per_address=4, reserved=2)


@dataclass(eq=False)
class Client:
    """A connection that does nothing but give way. ``checked``: when the sweep asked."""

    table: ConnectionTable
    host: str | None
    groups: tuple[Group, ...] = ()
    ended: bool = False
    checked: list[float] = field(default_factory=list)

    def enter(self) -> bool:
        return self.table.enter(self, self.host)

    def serve(self) -> None:
        for group in self.groups:
            group.waiting.pop(self, None)

    def give_way(self) -> None:
        self.ended = True
        self.table.unseat(self)

    def check(self, now: float) -> None:
        self.checked.append(now)


def table_of(limits: EdgeLimits = LIMITS, ended: list[Reason] | None = None) -> ConnectionTable:
    return ConnectionTable(limits, lambda: 7.0, (ended if ended is not None else []).append)


def entered(table: ConnectionTable, host: str, count: int) -> list[Client]:
    clients = [Client(table, host) for _ in range(count)]
    assert all(client.enter() for client in clients)
    return clients


def test_the_longest_silent_connection_of_an_address_at_its_limit_gives_way() -> None:
    table = table_of()
    others = entered(table, "192.0.2.9", 1)
    clients = entered(table, "192.0.2.1", 5)
    assert [client.ended for client in clients] == [True, False, False, False, False]
    assert not others[0].ended


def test_the_longest_silent_of_all_gives_way_when_the_table_is_full() -> None:
    table = table_of()
    clients = [client for n in range(5) for client in entered(table, f"192.0.2.{n}", 2)]
    assert not any(client.ended for client in clients)
    entered(table, "192.0.2.77", 1)
    assert [client.ended for client in clients] == [True] + [False] * 9


def test_a_connection_that_is_served_does_not_give_way() -> None:
    table = table_of()
    clients = entered(table, "192.0.2.1", 4)
    clients[0].serve()
    entered(table, "192.0.2.1", 1)
    assert [client.ended for client in clients] == [False, True, False, False]


def test_where_all_are_served_a_reserved_place_is_left_for_probes() -> None:
    ended: list[Reason] = []
    table = table_of(ended=ended)
    for client in entered(table, "192.0.2.1", 4):
        client.serve()
    probes = entered(table, "192.0.2.1", 2)
    assert all(table.only_probes(probe) for probe in probes)
    (third,) = entered(table, "192.0.2.1", 1)
    assert table.only_probes(third)
    assert [probe.ended for probe in probes] == [True, False]
    probes[1].serve()
    third.serve()
    assert not Client(table, "192.0.2.1").enter()
    assert ended == ["full"]


def test_trusted_proxies_are_not_counted_by_address() -> None:
    trusted = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8"))
    table = table_of(EdgeLimits(connections=12, per_address=1, reserved=2, trusted=trusted))
    assert not any(client.ended for client in entered(table, "10.1.2.3", 5) + entered(table, "fd00::1", 5))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
    ],
)
def test_an_address_is_counted_with_all_that_its_owner_has(one: str, other: str, same: bool) -> None:
    assert (address_key(one) == address_key(other)) is same


def test_what_came_over_no_network_has_no_address() -> None:
    assert address_key(None) is None
    assert address_key("/run/socket") is None


def test_every_open_connection_is_swept_until_it_is_closed() -> None:
    table = table_of()
    first, second = entered(table, "192.0.2.1", 2)
    first.give_way()
    table.sweep()
    table.left(first)
    table.sweep()
    assert (first.checked, second.checked) == ([7.0], [7.0, 7.0])


STEPS = st.lists(
    st.tuples(st.sampled_from(["enter", "serve", "wait", "leave"]), st.integers(0, 5), st.integers(0, 30)), max_size=120
)


@given(steps=STEPS)
def test_no_limit_is_ever_passed_and_only_the_silent_give_way(steps: list[tuple[str, int, int]]) -> None:
    table = table_of()
    clients: list[Client] = []
    serving: set[Client] = set()
    for step, address, number in steps:
        seated = [client for client in clients if client.groups]
        if step == "enter":
            clients.append(client := Client(table, f"192.0.2.{address}"))
            client.enter()
            assert not any(client.ended for client in serving)
        elif seated:
            chosen = seated[number % len(seated)]
            if step == "serve":
                chosen.serve()
                serving.add(chosen)
            elif step == "wait":
                serving.discard(chosen)
                for group in chosen.groups:
                    group.waiting[chosen] = None
            else:
                serving.discard(chosen)
                table.left(chosen)
        seated = [client for client in clients if client.groups]
        general = [client for client in seated if not table.only_probes(client)]
        assert len(general) <= LIMITS.connections - LIMITS.reserved
        assert len(seated) - len(general) <= LIMITS.reserved
        assert all(count <= LIMITS.per_address for count in Counter(client.host for client in general).values())
