"""The catalogue of kinds: what is documented of them, and what the golden messages cover."""

import json
from pathlib import Path
from typing import Final

from services.notify.kinds.catalogue import ALERT_STATUSES, find_kind, message_types, names_of
from tests.unit.notify.test_golden import GOLDEN

PROJECT: Final = Path(__file__).parents[3]
PAGE: Final = PROJECT / "docs" / "webhooks.md"
OPENAPI: Final = PROJECT / "schemas" / "generated" / "openapi.json"


def test_the_documents_name_the_type_of_every_webhook() -> None:
    page = PAGE.read_text()
    for name in names_of(lambda kind: bool(kind.bodies)):
        assert f"| `{find_kind(name).type('raised')}`" in page


def test_the_openapi_document_names_every_type_of_message() -> None:
    schemas = json.loads(OPENAPI.read_text())["components"]["schemas"]
    said = schemas["DeliveryView"]["properties"]["type"]["description"]
    assert said == f"The kind of message: {', '.join(message_types())}."
    assert {"alert.raised", "alert.cancelled", "digest", "notice"} <= set(message_types())


def test_every_kind_is_among_the_golden_messages_by_each_of_its_channels() -> None:
    kept = {tuple(name.replace(",", "").split()[1:3]) for name in json.loads(GOLDEN.read_text())}
    kept |= {(channel, name.removesuffix(f".{status}")) for channel, name in kept for status in ALERT_STATUSES}
    for name in names_of(lambda _: True):
        kind = find_kind(name)
        if kind.bodies:
            assert ("webhook", name) in kept
        if kind.page is not None:
            assert ("mail" if kind.mailed_to is None else "contact", name) in kept


def test_what_needs_no_proof_is_void_at_some_time() -> None:
    plain = find_kind("test").is_void
    assert all(find_kind(name).is_void is not plain for name in names_of(lambda kind: not kind.needs_proof))
