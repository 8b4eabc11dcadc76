"""The table of what is measured, its results, and the README: one cannot drift from the others."""

import json
from pathlib import Path

import pytest

from bench import measures
from bench.measures import DOCUMENTS, MEASURES, RESULTS, Figure, figure, keep, load, table, tell


@pytest.mark.parametrize(("file", "every"), list(DOCUMENTS.items()), ids=["README", "bench/README"])
def test_the_documents_show_what_was_measured_last_beside_its_targets(file: Path, every: bool) -> None:
    _, _, rest = file.read_text("utf-8").partition(measures.BEGIN)
    assert rest.partition(measures.END)[0].strip() == table(load(), every=every)


def test_the_results_hold_only_measures_of_the_table_with_their_targets() -> None:
    kept = json.loads(RESULTS.read_text("utf-8"))["figures"]
    assert kept.keys() <= MEASURES.keys()
    for key, one in kept.items():
        measure = MEASURES[key]
        assert (one["measure"], one["beside"], one["unit"]) == (measure.ours, measure.peer, measure.unit)
        assert (one["target"], one["met"]) == (measure.aim or None, measure.met(load()[key].ratio))


def test_a_figure_is_the_median_of_its_runs_with_their_spread() -> None:
    found = figure("alert.200.p50", [3.0, 1.0, 8.0], [1.0, 1.0, 1.0])
    assert (found.ratio, found.median(0), found.median(1)) == (3.0, 3.0, 1.0)
    assert "3 × (1 to 8)" in tell(found)
    assert tell(found).endswith("≤ 3 × met")


def test_a_ratio_beyond_its_target_is_not_met() -> None:
    assert MEASURES["alert.200.p50"].met(3.01) is False
    assert MEASURES["alert.rate"].met(0.24) is False
    assert MEASURES["alert.rate.am"].met(0.24) is None


def test_what_is_measured_again_takes_the_place_of_what_was_kept(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    keep([figure("letters", [3_000], [2_000]), figure("fairness", [2], [1])], "a machine", file)
    keep([figure("letters", [4_000], [2_000])], "a machine", file)
    assert {key: one.ratio for key, one in load(file).items()} == {"letters": 2.0, "fairness": 2.0}
    assert list(load(file)) == ["letters", "fairness"]


def test_only_what_a_user_wants_to_know_is_in_the_readme() -> None:
    made = table({key: Figure(key, ((2.0, 1.0),), "2026-11-28") for key in MEASURES}, every=False)
    assert len(made.splitlines()) == 2 + sum(one.shown for one in MEASURES.values())


def test_runs_that_have_no_peer_are_no_figure() -> None:
    with pytest.raises(ValueError, match="zip"):
        figure("letters", [1, 2], [1])
