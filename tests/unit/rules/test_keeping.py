"""Which cases of a batch are judged, and what makes two causes the same one."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.causes import Actor, Cause
from services.rules.assessing.domain.alerting import Surroundings
from services.rules.assessing.domain.keeping import (
    LastJudgement,
    ReportedCase,
    cause_of,
    decide_batch,
    key_of,
    select_unjudged,
)
from services.rules.judging.evaluate import Case, Judge
from services.rules.judging.model import CompiledRegistry
from tests.unit.rules.build import report

JUDGE = Judge(CompiledRegistry(1, "UTC"))
CAUSES = (Cause("report"), Cause("registry", registry_version=1), Cause("decision", resources=("decisions/d1",)))
REVISIONS = st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 3)), max_size=6)


@given(
    st.lists(
        st.tuples(st.sampled_from(CAUSES), st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 3)), max_size=6))
    )
)
def test_a_revision_is_judged_once_for_each_cause_however_causes_repeat_and_batches_fall(
    batches: list[tuple[Cause, list[tuple[str, int]]]],
) -> None:
    last: dict[str, LastJudgement] = {}
    kept: list[tuple[str, int, str]] = []
    for cause, wanted in batches:
        key = key_of(cause)
        cases = [ReportedCase(Case(id, revision, report()), "p", b"{}") for id, revision in wanted]
        fresh = select_unjudged(cases, last, {(id, revision) for id, revision, known in kept if known == key})
        found = JUDGE.assess([one.case for one in fresh], 0)
        keys = JUDGE.keys_of([one.case for one in fresh])
        for new in decide_batch(fresh, found, keys, last, [key] * len(fresh), lambda _: Surroundings(), lambda _: ()):
            id, revision = new.assessment.incident_id, new.assessment.revision
            assert new.sequence == sum(one[0] == id for one in kept) + 1
            assert revision >= max((one[1] for one in kept if one[0] == id), default=0)
            kept.append((id, revision, key))
            last[id] = LastJudgement(revision, new.sequence, new.alert, new.alert_body)
    assert len(set(kept)) == len(kept)
    for id in "ab":
        newest = max((revision for _, wanted in batches for one, revision in wanted if one == id), default=None)
        assert (newest is None) == (id not in last)
        assert newest is None or last[id].revision == newest


def test_a_cause_is_the_same_by_what_changed_and_not_by_its_author_or_words() -> None:
    change = Cause("registry", Actor("o1", "desk"), "late", ("truces/calm",), 12)
    assert (
        key_of(change)
        == key_of(Cause("registry", registry_version=12))
        != key_of(Cause("registry", registry_version=13))
    )
    assert key_of(Cause("decision", resources=("decisions/d1",))) != key_of(Cause("link", resources=("decisions/d1",)))


def test_a_change_of_the_registry_keeps_its_version_and_other_causes_name_the_one_judged_by() -> None:
    retracted = Case("i", 2, report(), retracted="entered in error")
    assert cause_of(Cause("registry", registry_version=12), retracted, 14).registry_version == 12
    assert cause_of(Cause("report"), retracted, 14) == Cause("report", None, "entered in error", (), 14)
    decision = Cause("decision", Actor("o1", "desk"), "seen", ("decisions/d1",))
    assert cause_of(decision, retracted, 14) == Cause("decision", Actor("o1", "desk"), "seen", ("decisions/d1",), 14)
