"""Positions of a log that was restored: nobody is left a gap, whatever was put back how often."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.domain.generation import MOST_FORKS, Generation, PositionLostError, fork, resume

FIRST = Generation("g0")


def test_a_position_that_the_backup_holds_goes_on_and_one_beyond_it_is_lost() -> None:
    restored = fork(FIRST, "g1", 300, now=5)
    assert (restored.held, restored.restored_at) == (True, 5)
    assert resume(restored, "g0", 300, 400) == 300
    with pytest.raises(PositionLostError) as lost:
        resume(restored, "g0", 301, 400)
    assert lost.value.begin == 300
    assert resume(restored, "g1", 400, 400) == 400
    with pytest.raises(PositionLostError):
        resume(restored, "g1", 401, 400)
    with pytest.raises(PositionLostError) as unknown:
        resume(restored, "of a generation that this backup never knew", 1, 400)
    assert unknown.value.begin == 0


def test_only_so_many_forks_are_kept() -> None:
    generation = FIRST
    for n in range(MOST_FORKS + 5):
        generation = fork(generation, f"g{n + 1}", n, now=0)
    assert len(generation.forks) == MOST_FORKS
    assert generation.forks[-1] == (f"g{MOST_FORKS + 4}", MOST_FORKS + 4)


@dataclass
class World:
    """A log of entries, each unique, its backups, and a reader who follows it by the rule."""

    generation: Generation = FIRST
    log: list[str] = field(default_factory=list)
    backups: list[tuple[Generation, list[str]]] = field(default_factory=list)
    made: int = 0
    position: tuple[str, int] = ("g0", 0)
    read: list[str] = field(default_factory=list)

    def append(self) -> None:
        self.made += 1
        self.log.append(f"entry {self.made}")

    def restore(self, which: int) -> None:
        if self.backups:
            before, log = self.backups[which % len(self.backups)]
            self.made += 1
            self.generation, self.log = fork(before, f"g{self.made}", len(log), now=0), list(log)

    def follow(self) -> None:
        try:
            seq = resume(self.generation, *self.position, len(self.log))
        except PositionLostError as lost:
            seq = lost.begin
            self.read = self.read[:seq]
        self.read += self.log[seq:]
        self.position = (self.generation.id, len(self.log))


@given(st.lists(st.tuples(st.sampled_from(["append", "append", "back up", "restore", "follow"]), st.integers(0, 9))))
def test_a_reader_who_comes_back_as_told_has_every_entry_of_the_log_as_it_is(steps: list[tuple[str, int]]) -> None:
    world = World()
    for do, which in steps:
        if do == "append":
            world.append()
        elif do == "back up":
            world.backups.append((world.generation, list(world.log)))
        elif do == "restore":
            world.restore(which)
        else:
            world.follow()
    world.follow()
    assert world.read == world.log
