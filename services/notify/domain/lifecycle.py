"""The lives of an endpoint and of a delivery, each as one table: state × event → state."""

from typing import Final, Literal

#: ``pending``: its owner has not proved it. ``failing``: the last attempt failed. ``disabled``: it failed for days.
#: ``gone``: it answered that it wants no more. ``held``: its owner has no valid key; messages wait until an
#: operator gives it to another key or ends it. ``ended``: unsubscribed or deleted; nothing follows.
EndpointState = Literal["pending", "active", "failing", "disabled", "gone", "held", "ended"]
#: ``proved``: the challenge was echoed or the link confirmed. ``outlasted``: it has failed for five days.
#: ``refused``: 410, or the mailbox does not exist. ``recovered``: its owner asked for what was held.
#: ``moved``: it got another address. ``orphaned``: its owner's last key was revoked or expired. ``given`` and
#: ``given_unproved``: an operator gave it, proved or not, to another key. ``ended``: unsubscribed or deleted.
EndpointEvent = Literal[
    "proved", "delivered", "failed", "outlasted", "refused", "recovered", "moved", "orphaned", "given",
    "given_unproved", "ended",
]  # fmt: skip

ENDPOINT: Final[dict[tuple[EndpointState, EndpointEvent], EndpointState]] = {
    ("pending", "proved"): "active",
    ("pending", "refused"): "gone",
    ("pending", "moved"): "pending",
    ("pending", "ended"): "ended",
    ("active", "proved"): "active",
    ("active", "delivered"): "active",
    ("active", "failed"): "failing",
    ("active", "refused"): "gone",
    ("active", "recovered"): "active",
    ("active", "moved"): "pending",
    ("active", "ended"): "ended",
    ("failing", "proved"): "active",
    ("failing", "delivered"): "active",
    ("failing", "failed"): "failing",
    ("failing", "outlasted"): "disabled",
    ("failing", "refused"): "gone",
    ("failing", "recovered"): "failing",
    ("failing", "moved"): "pending",
    ("failing", "ended"): "ended",
    ("disabled", "proved"): "active",
    ("disabled", "delivered"): "disabled",
    ("disabled", "failed"): "disabled",
    ("disabled", "refused"): "gone",
    ("disabled", "recovered"): "active",
    ("disabled", "moved"): "pending",
    ("disabled", "ended"): "ended",
    ("gone", "proved"): "active",
    ("gone", "delivered"): "gone",
    ("gone", "failed"): "gone",
    ("gone", "refused"): "gone",
    ("gone", "recovered"): "active",
    ("gone", "moved"): "pending",
    ("gone", "ended"): "ended",
    ("pending", "orphaned"): "held",
    ("pending", "given"): "pending",
    ("active", "given"): "active",
    ("failing", "given"): "failing",
    ("disabled", "given"): "disabled",
    ("gone", "given"): "gone",
    ("active", "orphaned"): "held",
    ("failing", "orphaned"): "held",
    ("disabled", "orphaned"): "held",
    ("gone", "orphaned"): "held",
    ("held", "orphaned"): "held",
    ("held", "delivered"): "held",
    ("held", "failed"): "held",
    ("held", "outlasted"): "held",
    ("held", "refused"): "gone",
    ("held", "moved"): "pending",
    ("held", "given"): "active",
    ("held", "given_unproved"): "pending",
    ("held", "ended"): "ended",
}

#: An endpoint in one of these, if it was proved, gets alerts decided for it; in all but the first two they are held.
MATCHED: Final[frozenset[EndpointState]] = frozenset({"active", "failing", "disabled", "gone", "held"})
SENT_TO: Final[frozenset[EndpointState]] = frozenset({"active", "failing"})

#: ``pending``: due at some time. ``held``: its endpoint is off. ``failed``: given up, kept for recovery.
#: ``dropped``: its subscription ended.
DeliveryState = Literal["pending", "held", "delivered", "failed", "dropped"]
#: ``put_off``: an attempt failed and another one follows. ``exhausted``: none follows. ``endpoint_off`` and
#: ``endpoint_ended``: the endpoint's state says so. ``recovered``, ``resent``: somebody asked for it again.
DeliveryEvent = Literal[
    "delivered", "put_off", "exhausted", "endpoint_off", "endpoint_ended", "recovered", "resent"
]  # fmt: skip

DELIVERY: Final[dict[tuple[DeliveryState, DeliveryEvent], DeliveryState]] = {
    ("pending", "delivered"): "delivered",
    ("pending", "put_off"): "pending",
    ("pending", "exhausted"): "failed",
    ("pending", "endpoint_off"): "held",
    ("pending", "endpoint_ended"): "dropped",
    ("pending", "recovered"): "pending",
    ("pending", "resent"): "pending",
    ("held", "delivered"): "delivered",
    ("held", "put_off"): "held",
    ("held", "exhausted"): "held",
    ("held", "endpoint_off"): "held",
    ("held", "endpoint_ended"): "dropped",
    ("held", "recovered"): "pending",
    ("held", "resent"): "pending",
    ("delivered", "resent"): "pending",
    ("failed", "recovered"): "pending",
    ("failed", "resent"): "pending",
    ("failed", "endpoint_ended"): "dropped",
}


class NotPossibleError(ValueError):
    """The thing cannot happen in that state; the text says which and where."""


def next_endpoint(state: EndpointState, event: EndpointEvent) -> EndpointState:
    """Raises NotPossibleError for a pair that is not in the table."""
    try:
        return ENDPOINT[state, event]
    except KeyError:
        raise NotPossibleError(f"a subscription that is {state} cannot be {event}") from None


def states_before(event: DeliveryEvent) -> frozenset[DeliveryState]:
    """The states in which a delivery may have this event."""
    return frozenset(state for state, possible in DELIVERY if possible == event)


def next_delivery(state: DeliveryState, event: DeliveryEvent) -> DeliveryState:
    """Raises NotPossibleError for a pair that is not in the table."""
    try:
        return DELIVERY[state, event]
    except KeyError:
        raise NotPossibleError(f"a delivery that is {state} cannot be {event}") from None
