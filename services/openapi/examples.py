"""Examples for the published document, where an operation brings none of its own; the tests check every one."""

from typing import Any, Final

#: By the collection in the path, or the parameter's name.
PARAMETERS: Final = {
    "incidents": "inc_5f1d0c6b8a7e49d2b3c4",
    "incident_id": "inc_5f1d0c6b8a7e49d2b3c4",
    "alerts": "alr_0d4b1c9e7f3a",
    "subscriptions": "sub_9c2f7b1e5d8a",
    "deliveries": "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W",
    "parties": "jaysh-al-islam",
    "presence": "nusra.aleppo-city.1",
    "areas": "aleppo-city",
    "places": "aleppo",
    "truces": "aleppo-calm",
    "keys": "9f86d081884c7d65",
    "dead-letters": "6b86b273ff34fce19d6b804e",
    "silences": "sil_4e07408562be",
}

ANSWERS: Final[dict[tuple[str, str], Any]] = {}
