"""The time left of a run, on runs whose stages take what is written here: no clock is asked."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import pytest

from entropyguard.project.pipeline import STAGES
from entropyguard.run.time_left import Cost, Rate, Size, TimeLeft, work

BIG = Size(600_000, 60.0)
SMALL = Size(20_000, 2.3)
TICK = 0.2


def simulated(
    left: TimeLeft, seconds: Mapping[str, float], size: Size, between: float = 1.0, note_every: float = 0.2
) -> list[tuple[float, float | None]]:
    """A run of stages that take these `seconds`: at each tick what is really left, and the estimate."""
    end = sum(seconds.values()) + between * len(seconds)
    now, seen = 0.0, []
    for stage, needed in seconds.items():
        begin = now
        left.begin(stage, begin)
        while now < begin + needed:
            done = int((now - begin) / note_every) * note_every / needed
            if now - begin >= needed / 20:  # until then it starts, and notes nothing
                left.rate.hear(int(done * size.rows), None if stage == "ingest" else size.rows, now)  # type: ignore[union-attr]
            seen.append((end - now, left.seconds(now)))
            now += TICK
        while now < begin + needed + between:
            seen.append((end - now, left.seconds(now)))
            now += TICK
        left.finish(stage, needed, size if stage == "ingest" else None)
    return seen


def check(seen: list[tuple[float, float | None]], known_from: float = 0.2) -> None:
    """From a share of the run on, within a factor of 2; and no jump, from the first number to the last."""
    whole = seen[0][0]
    for real, estimate in seen:
        if real < (1 - known_from) * whole and real > 30:  # below a minute no number is shown anyway
            assert estimate is not None, f"nothing is known {real:.0f} s before the end of {whole:.0f}"
            assert real / 2 <= estimate <= real * 2, f"{real:.0f} s are left, not {estimate:.0f}"
    for (real, before), (_, after) in pairwise(seen):
        if before is not None and after is not None and real > 30:
            assert after <= before + 0.1 * whole * TICK, f"{before:.0f} s, then {after:.0f} s"
            assert after >= before * 0.85 - 2, f"{before:.0f} s, then {after:.0f} s"


def first_run(*, any_model: bool = True) -> TimeLeft:
    return TimeLeft(STAGES, {}, None, reuse=False, any_model=any_model)


def costs(size: Size, **times: float) -> dict[str, float]:
    """What the stages take where they were measured, each so many times."""
    return {stage: work(stage, size) * times.get(stage, times.get("all", 1.0)) for stage in STAGES}


@pytest.mark.parametrize("slower", [0.3, 1.0, 4.0])
def test_a_first_run_with_a_static_model_on_any_machine(slower: float) -> None:
    check(simulated(first_run(), costs(BIG, all=slower), BIG))


def test_data_that_are_dear_in_one_stage_and_cheap_in_another() -> None:
    times = {"near_dedup": 1.6, "similar_pairs": 0.7, "semantic_dedup": 1.5, "export": 2.0}
    check(simulated(first_run(), costs(BIG, **times), BIG))


@pytest.mark.parametrize(("embed", "note_every"), [(120.0, 0.2), (300.0, 0.2), (300.0, 15.0), (20_000.0, 15.0)])
def test_a_model_of_which_nothing_is_known_is_measured_as_it_runs(embed: float, note_every: float) -> None:
    seen = simulated(first_run(any_model=False), costs(SMALL) | {"embed": embed}, SMALL, note_every=note_every)
    check(seen)
    before_embed = sum(costs(SMALL)[stage] + 1 for stage in STAGES[:3])
    assert all(estimate is None for real, estimate in seen if real > seen[0][0] - before_embed)


def test_nothing_is_said_before_the_number_of_rows_is_known() -> None:
    left = first_run()
    left.begin("ingest", 0.0)
    left.rate.hear(10_000, None, 8.0)  # type: ignore[union-attr]
    assert left.seconds(10.0) is None
    left.finish("ingest", 10.0, BIG)
    left.begin("exact_dedup", 10.0)
    assert left.seconds(10.0) is not None


def test_an_earlier_run_says_what_a_model_costs() -> None:
    took = costs(SMALL) | {"embed": 900.0}
    earlier = {stage: Cost(SMALL, seconds) for stage, seconds in took.items()}
    twice = Size(2 * SMALL.rows, 2 * SMALL.megabytes)
    left = TimeLeft(STAGES, earlier, None, reuse=False, any_model=False)
    check(simulated(left, costs(twice) | {"embed": 1800.0}, twice), known_from=0.01)


def test_rows_that_were_appended_do_not_cost_what_all_of_them_do() -> None:
    took = costs(BIG, all=2.0) | {"embed": 5000.0}
    earlier = {stage: Cost(BIG, seconds) for stage, seconds in took.items()}
    more = Size(int(BIG.rows * 1.1), BIG.megabytes * 1.1)
    stores = {"near_dedup": 0.1, "embed": 0.1, "similar_pairs": 0.1}
    now = {stage: seconds * stores.get(stage, 1.1) for stage, seconds in took.items()}
    left = TimeLeft(STAGES, earlier, BIG, reuse=True, any_model=False)
    check(simulated(left, now, more))


def test_another_model_makes_the_vectors_and_their_cost_worthless() -> None:
    earlier = {"embed": Cost(SMALL, 900.0, valid=False)}
    left = TimeLeft(["embed", "export"], earlier, SMALL, reuse=True, any_model=False)
    left.begin("embed", 0.0)
    assert left.seconds(1.0) is None


def test_a_stage_that_was_passed_over_is_not_waited_for() -> None:
    left = TimeLeft(STAGES, {}, BIG, reuse=True, any_model=True)
    left.begin("exact_dedup", 0.0)
    with_all = left.seconds(0.0)
    left = TimeLeft(STAGES, {}, BIG, reuse=True, any_model=True)
    left.begin("export", 0.0)
    only_export = left.seconds(0.0)
    assert with_all is not None
    assert only_export is not None
    assert only_export < 0.1 * with_all


def test_a_stage_that_takes_longer_than_it_should_is_not_said_to_end_now() -> None:
    left = TimeLeft(["export"], {}, SMALL, reuse=True, any_model=True)
    left.begin("export", 0.0)
    estimates = [left.seconds(float(second)) for second in range(600)]
    assert estimates[-1] is not None
    assert estimates[-1] > 60


def test_a_rate_is_that_of_the_last_half_minute() -> None:
    """Stored vectors fly by; the new ones after them take their time."""
    rate = Rate(0.0)
    for second in range(120):
        rate.hear(min(second, 10) * 10_000 + second, 200_000, float(second))
    assert rate.per_second(119.0) == pytest.approx(1.0, rel=0.1)


def test_a_second_count_within_a_stage_starts_no_percentage_again() -> None:
    rate = Rate(0.0)
    rate.hear(90, 100, 1.0)
    assert rate.share() == pytest.approx(0.9)
    rate.hear(5, 40, 2.0)
    assert rate.share() is None
