"""FastStream doing only decode, encode and produce: ``python -m bench.faststream_peer BOOTSTRAP COUNT OUT``."""

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from faststream import FastStream
from faststream.kafka import KafkaBroker
from msgspec import structs

from bench.distributed import fill_log
from bench.judging import make_incidents


async def main(bootstrap: str, count: int, out: Path) -> None:
    """Work off ``count`` incidents, message by message, and write down how many a second."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic("peer-in", 1, 1), NewTopic("peer-out", 1, 1)])
    await admin.close()
    broker = KafkaBroker(bootstrap)
    begin, done = 0.0, 0

    @broker.subscriber("peer-in", auto_offset_reset="earliest", group_id="peer")
    @broker.publisher("peer-out")
    async def handle(body: dict[str, Any]) -> dict[str, Any]:
        nonlocal begin, done
        begin, done = begin or time.perf_counter(), done + 1
        if done == count:
            out.write_text(str(count / (time.perf_counter() - begin)))  # noqa: ASYNC240 - the last thing it does
        return body

    events = [structs.replace(event, topic="peer-in") for event in make_incidents(count)]
    await fill_log(bootstrap, events)
    await FastStream(broker).run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])))
