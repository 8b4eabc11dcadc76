"""The topics as Kafka keeps them: how many partitions, how long. Source of names and retention: ``schemas.topics``."""

from collections.abc import Sequence
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from schemas.topics import ALERTS, ASSESSMENTS, DEAD_SUFFIX, INBOUND, INCIDENTS, TOPICS, Topic
from services.platform.bus.kafka_endings import AWAY, asking, end_admin, start
from services.platform.failures import RetryLaterError
from services.platform.settings.kafka_security import OPEN, KafkaSecurity

#: The topics whose work is shared between processes. The others are read whole, in one order, by everybody.
SHARED: Final = frozenset({INCIDENTS.name, ASSESSMENTS.name, ALERTS.name})
PARTITIONS: Final = 12
#: A whole area of the registry is one event.
LARGEST_EVENT: Final = 16 * 1024 * 1024
CREATE_S: Final = 15.0


def new_topics() -> list[NewTopic]:
    """Every topic with its settings, and the ``.dead`` one beside each."""
    own = [new_topic(t.name, PARTITIONS if t.name in SHARED else 1, _kept(t)) for t in TOPICS.values()]
    dead = [new_topic(t.name + DEAD_SUFFIX, 1, _expiring(t)) for t in TOPICS.values()]
    return own + dead


def new_topic(name: str, partitions: int, settings: dict[str, str]) -> NewTopic:
    """A topic with as many replicas as the cluster gives by default."""
    sized = {"max.message.bytes": str(LARGEST_EVENT), **settings}
    # aiokafka lets "as the cluster says" (-1) pass only beside a replica assignment, even an empty one.
    return NewTopic(name, partitions, -1, replica_assignments={}, topic_configs=sized)


def _kept(topic: Topic) -> dict[str, str]:
    return {"cleanup.policy": "compact"} if topic.compacted else _expiring(topic)


def _expiring(topic: Topic) -> dict[str, str]:
    return {"cleanup.policy": "delete", "retention.ms": str(topic.retention_h * 3_600_000)}


async def create_topics(bootstrap: str, topics: Sequence[NewTopic], security: KafkaSecurity = OPEN) -> None:
    """Make what is missing. A topic that exists keeps the settings that its operator gave it. Raises
    RetryLaterError."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, **security.options())
    try:
        async with asking(CREATE_S):
            await start(admin)
            answer = await admin.create_topics(list(topics))
        for name, code, *_ in answer.topic_errors:
            _check(name, for_code(code))
    except (TimeoutError, *AWAY) as error:
        raise RetryLaterError(f"kafka: topics could not be made: {error!r}") from error
    finally:
        await end_admin(admin)


async def open_partner_topic(bootstrap: str, name: str, security: KafkaSecurity = OPEN) -> None:
    """Make the ``.dead`` topic beside a partner's own. Raises RetryLaterError, also where there is no such topic."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, **security.options())
    try:
        async with asking(CREATE_S):
            await start(admin)
            names = await admin.list_topics()
    except (TimeoutError, *AWAY) as error:
        raise RetryLaterError(f"kafka: topics cannot be listed: {error!r}") from error
    finally:
        await end_admin(admin)
    if name not in names:
        raise RetryLaterError(f"kafka: there is no topic {name}, or it may not be read")
    dead = name + DEAD_SUFFIX
    if dead not in names:
        await create_topics(bootstrap, [new_topic(dead, 1, _expiring(INBOUND))], security)


def _check(name: str, error: type[KafkaError]) -> None:
    if error.errno not in (0, TopicAlreadyExistsError.errno):
        raise error(name)
