"""The topics as Kafka keeps them: how many partitions, how long. Source of names and retention: ``schemas.topics``."""

import asyncio
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from schemas.topics import ALERTS, ASSESSMENTS, DEAD_SUFFIX, INCIDENTS, TOPICS, Topic
from services.shared.failures import RetryLaterError

#: The topics whose work is shared between processes. The others are read whole, in one order, by everybody.
SHARED: Final = frozenset({INCIDENTS.name, ASSESSMENTS.name, ALERTS.name})
PARTITIONS: Final = 12
#: A whole area of the registry is one event.
LARGEST_EVENT: Final = 16 * 1024 * 1024
CREATE_S: Final = 15.0
#: As many replicas as the cluster gives a topic by default.
CLUSTER_DEFAULT: Final = -1


def new_topics() -> list[NewTopic]:
    """Every topic with its settings, and the ``.dead`` one beside each."""
    own = [_new(topic, topic.name, _kept(topic)) for topic in TOPICS.values()]
    dead = [_new(topic, topic.name + DEAD_SUFFIX, _expiring(topic)) for topic in TOPICS.values()]
    return own + dead


def _new(topic: Topic, name: str, settings: dict[str, str]) -> NewTopic:
    partitions = PARTITIONS if topic.name in SHARED and name == topic.name else 1
    return NewTopic(name, partitions, CLUSTER_DEFAULT, topic_configs=settings)


def _kept(topic: Topic) -> dict[str, str]:
    return {**_sizes(), "cleanup.policy": "compact"} if topic.compacted else _expiring(topic)


def _expiring(topic: Topic) -> dict[str, str]:
    return {**_sizes(), "cleanup.policy": "delete", "retention.ms": str(topic.retention_h * 3_600_000)}


def _sizes() -> dict[str, str]:
    return {"max.message.bytes": str(LARGEST_EVENT)}


async def create_topics(bootstrap: str) -> None:
    """Make what is missing. A topic that exists keeps the settings that its operator gave it. Raises
    RetryLaterError."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        async with asyncio.timeout(CREATE_S):
            await admin.start()
            answer = await admin.create_topics(new_topics())
        for name, code, *_ in answer.topic_errors:
            _check(name, for_code(code))
    except (KafkaError, TimeoutError, OSError) as error:
        raise RetryLaterError(f"kafka: topics could not be made: {error!r}") from error
    finally:
        await admin.close()


def _check(name: str, error: type[KafkaError]) -> None:
    if error.errno not in (0, TopicAlreadyExistsError.errno):
        raise error(name)
