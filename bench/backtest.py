"""How long a backtest over many alerts holds the event loop: the longest wait of another task for its turn."""

import asyncio
import time
from pathlib import Path

import msgspec

from services.notify.sql.tables import alert_log
from tests.component.notify.running import RunningNotify, revised, running_notify
from tests.unit.notify.samples import ALERT

COUNT = 100_000
SPAN = {"from": "2016-05-08T00:00:00Z", "to": "2016-05-09T00:00:00Z"}
HOOK = {"channel": {"type": "webhook", "url": "https://example.org/hook"}, "verified": True}


def measure(directory: Path) -> float:
    """Seconds that the loop was held for at the longest."""
    return asyncio.run(_measure(directory))


async def _measure(directory: Path) -> float:
    async with running_notify(directory) as notify:
        made = (await notify.call("POST", "/v1/subscriptions", HOOK, key="tw_operator")).json()
        await _fill(notify)
        worst = [0.0]
        other = asyncio.create_task(_beat(worst))
        got = await notify.call("POST", f"/v1/subscriptions/{made['id']}/backtest", SPAN, key="tw_operator")
        other.cancel()
        if got.json()["count"] != COUNT:
            raise RuntimeError(got.text[:500])
        return worst[0]


async def _beat(worst: list[float]) -> None:
    before = time.perf_counter()
    while True:
        await asyncio.sleep(0)
        now = time.perf_counter()
        worst[0] = max(worst[0], now - before)
        before = now


async def _fill(notify: RunningNotify) -> None:
    """Alerts in the log, of one moment."""
    now = notify.clock.now()
    rows = []
    for number in range(1, COUNT + 1):
        alert = revised(ALERT, 1, id=f"alr_{number}", status="raised")
        rows.append(
            {
                "seq": number, "alert_id": alert.id, "revision": 1, "status": alert.status, "verdict": alert.verdict,
                "severity": alert.severity, "incident_id": alert.incident_id, "thread": alert.thread,
                "event_id": f"{alert.id}-1", "recorded_at": now, "body": msgspec.json.encode(alert),
            }
        )  # fmt: skip
    await notify.runtime.database.write(lambda connection: connection.execute(alert_log.insert(), rows))
