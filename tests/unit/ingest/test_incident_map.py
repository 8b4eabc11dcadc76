"""A map of 5,000 incidents is small on the line."""

import asyncio
import json
import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import Response
from starlette.types import Message

from schemas.assessments import ResolvedPlace
from schemas.boxes import box_of
from schemas.instants import DAY, parse_instant
from schemas.vocabulary import ACTS, CERTAINTIES, OUTCOMES, SEVERITIES
from services.ingest.domain import name_incident
from services.ingest.incident_map import draw
from services.platform.http.compression import compress_answers

_PLACES: Final = Path(__file__).parents[3] / "deploy" / "scenarios" / "syria_2016" / "places.json"


def _row(number: int, place: ResolvedPlace, chance: random.Random) -> Any:
    west, south, east, north = box_of(place) or (0, 0, 0, 0)
    verdict = chance.choice(OUTCOMES)
    facets = [f"verdict/{verdict}", f"severity/{chance.choice(SEVERITIES)}", f"act/{chance.choice(ACTS[:12])}"]
    if verdict == "violation":
        facets.append(f"certainty/{chance.choice(CERTAINTIES)}")
    start = parse_instant("2016-02-26T22:00:00Z") + chance.randrange(95) * DAY
    return SimpleNamespace(
        incident_id=name_incident("p", str(number)), occurred_start=start, facets="\n".join(facets),
        west=west, south=south, east=east, north=north,
    )  # fmt: skip


def test_five_thousand_incidents_are_at_most_80_kb_compressed() -> None:
    chance, places = random.Random(1), json.loads(_PLACES.read_text())
    rows = []
    for number in range(5_000):
        place = chance.choice(places)
        somewhere = ResolvedPlace(lat=place["lat"], lon=place["lon"], radius_km=chance.choice([0.1, 1.0, 5.0, 25.0]))
        rows.append(_row(number, somewhere, chance))
    body = draw(rows, 20_000)
    assert len(json.loads(body)["features"]) == 5_000
    assert asyncio.run(_sent(body)) <= 80_000


async def _sent(body: bytes) -> int:
    """The bytes of an answer with that body to a client that takes gzip."""
    parts: list[bytes] = []

    async def send(message: Message) -> None:
        parts.append(message.get("body", b""))

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"accept-encoding", b"gzip")]}
    await compress_answers(Response(body, media_type="application/geo+json"))(scope, receive, send)
    return sum(map(len, parts))


@given(lat=st.floats(-80, 80), lon=st.floats(-180, 179.99), radius=st.floats(0.001, 1_000))
def test_a_disc_is_drawn_where_it_is(lat: float, lon: float, radius: float) -> None:
    place = ResolvedPlace(lat=lat, lon=lon, radius_km=radius)
    (feature,) = json.loads(draw([_row(1, place, random.Random(1))], 1))["features"]
    there = feature["geometry"]["coordinates"]
    assert abs((there[0] - lon + 180) % 360 - 180) < 0.001
    assert abs(there[1] - lat) < 0.001
    assert abs(feature["properties"]["radius"] - radius) < 0.001
