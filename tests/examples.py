"""How many examples a property is tried on: all of them in `make test`, a share while one works on the code."""

from typing import Any, Final

from hypothesis import HealthCheck, settings

#: As a profile of Hypothesis says it: the examples of a property that asks for no number of its own.
THOROUGH: Final = 100
QUICK: Final = 15


def register_profiles() -> None:
    """Without deadline and without a check of slowness: the speed of a machine decides no test."""
    for name, count in {"thorough": THOROUGH, "quick": QUICK}.items():
        settings.register_profile(name, max_examples=count, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("quick")


def examples(count: int, **more: Any) -> settings:
    """``count`` examples in the thorough profile, and in the others as many fewer as the profile has."""
    return settings(max_examples=max(1, count * settings().max_examples // THOROUGH), **more)
