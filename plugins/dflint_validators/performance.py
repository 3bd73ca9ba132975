"""Whether the application's queries take as long as before."""

from __future__ import annotations

from msgspec.structs import asdict

from dflint.plugin.validators import Measure, Situation, Validator, Verdict

_NOTED = "performance_baseline"

#: Percent by which queries may be slower afterwards; seconds of each sample; milliseconds a query may stall meanwhile.
_THRESHOLD, _SECONDS, _STALL = 20.0, 0.5, 1000.0

#: Differences below so many milliseconds are not the migration's: a busy machine holds up some queries longer.
_GRAIN = {"p50_ms": 0.5, "p95_ms": 5.0}


async def _baseline(situation: Situation) -> Verdict:
    """Two samples: how they differ from each other is the noise that later differences are held against."""
    if _NOTED in situation.memory:
        return Verdict(True, "measured before")
    seconds = float(situation.options.get("seconds", _SECONDS))
    samples = [await situation.workload.measure(seconds) for _ in range(2)]
    measured = [sample for sample in samples if sample is not None]
    situation.memory[_NOTED] = measured
    if not measured:
        return Verdict(
            True, "there is nothing to measure: no workload was given and no table has a primary key and rows"
        )
    slowest = measured[-1]
    message = f"p50 {slowest.p50_ms:.2f} ms, p95 {slowest.p95_ms:.2f} ms, {slowest.rate:.0f} queries/s"
    return Verdict(
        True, message, {"samples": [asdict(each) for each in measured], "workload": situation.workload.origin}
    )


async def _monitoring(situation: Situation) -> Verdict:
    """No query stalls. That queries are slower meanwhile is expected, unless a threshold says by how much at most."""
    stall = float(situation.options.get("max_stall_ms", _STALL))
    now = await situation.workload.measure(0.1)
    if now is None:
        return Verdict(True, "there is nothing to measure")
    details = {"sample": asdict(now)}
    if now.longest_ms > stall:
        return Verdict(False, f"a query took {now.longest_ms:.0f} ms, {stall:.0f} are allowed", details)
    threshold, before = situation.options.get("threshold_percent"), situation.memory.get(_NOTED)
    if threshold is not None and before and (slower := _slower(before, now, float(threshold))):
        return Verdict(False, slower, details)
    return Verdict(True, f"no query took longer than {now.longest_ms:.1f} ms", details)


async def _regression(situation: Situation) -> Verdict:
    before = situation.memory.get(_NOTED)
    if before is None:
        return Verdict(None, "nothing was measured before the migration: there is nothing to compare with")
    now = await situation.workload.measure(float(situation.options.get("seconds", _SECONDS)))
    if now is None or not before:
        return Verdict(True, "there is nothing to measure", {"workload": situation.workload.origin})
    details = {"before": [asdict(each) for each in before], "after": asdict(now), "workload": situation.workload.origin}
    threshold = float(situation.options.get("threshold_percent", _THRESHOLD))
    if slower := _slower(before, now, threshold):
        # Once more: a neighbour's burst of work passes, a missing index stays.
        again = await situation.workload.measure(float(situation.options.get("seconds", _SECONDS)))
        if again is not None and _slower(before, again, threshold):
            return Verdict(False, slower, {**details, "again": asdict(again)})
    return Verdict(True, f"p50 {now.p50_ms:.2f} ms, p95 {now.p95_ms:.2f} ms", details)


def _slower(before: list[Measure], now: Measure, threshold: float) -> str:
    """In words, when the middle query or the slow ones are slower by more than the threshold and the noise."""
    for name, grain in _GRAIN.items():
        was = [getattr(sample, name) for sample in before]
        noise = max(was) - min(was)
        allowed = max(was) * (1 + threshold / 100) + noise + grain
        if getattr(now, name) > allowed:
            label = name.removesuffix("_ms")
            return (
                f"{label} went from {max(was):.2f} to {getattr(now, name):.2f} ms, "
                f"{allowed:.2f} are allowed ({threshold:g} % and the noise of the samples before)"
            )
    return ""


BASELINE = Validator("performance_baseline", _baseline)
MONITORING = Validator("performance_monitoring", _monitoring, before=_baseline)
REGRESSION = Validator("performance_regression_check", _regression, before=_baseline)
