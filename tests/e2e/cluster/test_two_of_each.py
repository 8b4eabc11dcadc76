"""The services apart, two of each: what counts on one counts on all, and the work is shared."""

import re
from typing import Any, Final

import httpx

from schemas.examples import REPORT
from tests.e2e.reporting import post, wait_assessed
from tests.parts.cluster import KINDS, Cluster, eventually, every
from tests.parts.receiver import Receiver
from tests.parts.service import Service
from tests.scenario import bearer, registry_document
from tests.unit.rules.registry_samples import announcement, document, party, truce
from tests.verify.faults import FAULTS
from tests.verify.rounds import Plan, run_round, subscribe

Json = dict[str, Any]
#: A route of each service that every key may ask.
OPEN_TO_ALL: Final = {"ingest": "/v1/incidents", "rules": "/v1/parties", "notify": "/v1/silences"}
WITHIN_S: Final = 2.0


def statuses(cluster: Cluster, key: str) -> set[int]:
    """The answers of every process to a key."""
    return {
        httpx.get(service.url + OPEN_TO_ALL[kind], headers=bearer(key), timeout=5).status_code
        for kind in KINDS
        for service in cluster.of(kind)
    }


def test_a_key_made_or_revoked_counts_everywhere_within_two_seconds(cluster: Cluster, client: httpx.Client) -> None:
    for number in range(3):
        made = client.post("/v1/keys", json={"name": f"monitor {number}", "role": "monitor"}).json()
        wait_statuses(cluster, made["key"], 200)
        assert client.delete(f"/v1/keys/{made['id']}").status_code == 204
        wait_statuses(cluster, made["key"], 401)


def wait_statuses(cluster: Cluster, key: str, status: int) -> None:
    eventually(lambda: statuses(cluster, key) == {status}, WITHIN_S)


def test_a_registry_change_reaches_every_process_and_none_judges_by_half_of_it(
    cluster: Cluster, client: httpx.Client
) -> None:
    """The fighters are alpha and alpha is bound, or they are beta and beta is bound: by one half of each, nobody
    would be bound."""
    version = int(client.get("/v1/registry").headers["registry-version"])
    sides = ("alpha", "beta")
    incidents = []
    for turn in range(12):
        changed = client.put("/v1/registry", json=bound(sides[turn % 2]))
        assert int(changed.headers["registry-version"]) == version + turn + 1
        incidents += [post(client, f"half-{turn}-{n}", perpetrators=["the fighters"]) for n in range(5)]
    wait_version(cluster, version + 12)
    wait_assessed(client, incidents)
    for incident in incidents:
        # A later change touches what was judged before it: that may have been judged anew by now.
        assessments = every(client, f"/v1/incidents/{incident}/assessments")
        assert assessments
        for judged in assessments:
            assert judged["verdict"] == "violation", judged
            # A process that is still behind judges by the registry before the first change, which knows no fighters.
            turn = judged["registry_version"] - version
            assert judged["perpetrators"][0]["party"] == (sides[(turn - 1) % 2] if turn else None)
    client.put("/v1/registry", json=registry_document()).raise_for_status()
    wait_version(cluster, version + 13)


def bound(side: str) -> Json:
    """A registry in which ``side`` is called "the fighters", and is bound everywhere."""
    other = {"alpha": "beta", "beta": "alpha"}[side]
    declared = announcement("d", "declare", "01 00", "army", starts_at="2016-05-01T00:00:00Z", ends_at=None)
    duty = {"bound": [side], "toward": "any", "acts": ["all_weapons"]}
    made = document(truces=[truce("calm", declared, duties=[duty])])
    ring = [[35, 32], [42, 32], [42, 38], [35, 38], [35, 32]]
    made["areas"]["features"][0]["geometry"] = {"type": "Polygon", "coordinates": [ring]}
    fighters = [party(side, aliases=["the fighters"]), party(other), party("civilians", kind="civilians")]
    return {**made, "parties": [*made["parties"], *fighters]}


def wait_version(cluster: Cluster, version: int) -> None:
    """Until every rules process judges by this version of the registry."""
    eventually(lambda: {evaluated(service) for service in cluster.of("rules")} == {version}, 20)


def evaluated(service: Service) -> int:
    answer = httpx.post(service.url + "/v1/evaluate", json=REPORT, headers=bearer(), timeout=5)
    return int(answer.json()["registry_version"])


def test_status_on_any_service_tells_about_all(cluster: Cluster) -> None:
    wait_told(cluster.services, "rules", "ok")
    both = cluster.of("rules")
    others = [service for service in cluster.services if service not in both]
    for service in both:
        service.stop()
    wait_told(others, "rules", "down")
    wait_told(others, "notify", "ok")
    for service in both:
        service.start()
    wait_told(cluster.services, "rules", "ok")


def wait_told(services: list[Service], component: str, state: str) -> None:
    eventually(
        lambda: {told(service, component)["state"] for service in services} == {state},
        30,
        lambda: [told(service, component) for service in services],
    )


def told(service: Service, component: str) -> Json:
    answer = httpx.get(service.url + "/status", headers={"accept": "application/json"}, timeout=5)
    part: Json = answer.json()["components"][component]
    return part


def test_two_of_each_share_the_work(cluster: Cluster, client: httpx.Client, receiver: Receiver) -> None:
    subscribe(cluster, receiver, "/shared")
    workers = {"assessments": cluster.of("rules"), "delivery_attempts": cluster.of("notify")}
    before = {s.name: counter(s, metric) for metric, services in workers.items() for s in services}
    posted = 0
    # A member that has just come joins when the broker has shared out anew: until then the other one does it all.
    for _ in range(30):
        incidents = {post(client, f"shared-{posted + n}") for n in range(60)}
        posted += len(incidents)
        wait_assessed(client, incidents)
        receiver.wait_for(lambda found: len(found) >= posted, 60, "/shared")  # noqa: B023 - called at once
        done = {m: [counter(s, m) - before[s.name] for s in services] for m, services in workers.items()}
        if all(min(counts) > 0 for counts in done.values()):
            break
    for metric, counts in done.items():
        assert len(counts) == 2
        assert min(counts) > 0, (metric, counts)
        assert sum(counts) >= posted


def counter(service: Service, metric: str) -> float:
    """The sum over the labels of one counter of ours."""
    text = httpx.get(service.url + "/metrics", timeout=5).text
    found = re.findall(rf"^trucewatch_{metric}_total(?:{{.*}})? (\S+)$", text, re.MULTILINE)
    assert found, f"no counter {metric}"
    return sum(map(float, found))


def test_adding_and_removing_one_under_load_loses_nothing_and_repeats_nothing(
    cluster: Cluster, receiver: Receiver
) -> None:
    (rebalance,) = (fault for fault in FAULTS if fault.name == "rebalance")
    account = run_round(cluster, receiver, Plan(rate=10, seconds=6), rebalance)
    assert account.holds, account
    assert account.delivered == account.accepted > 0
