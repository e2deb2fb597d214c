"""The pace, in virtual time: never more than the limit in any window as the server counts, and hardly fewer."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from support.virtual import clock, run

from imconvert.deliver import Clock
from imconvert.deliver.pace import NUMBERS, STALE, Pacer
from imconvert.durable.shared import SharedNumbers
from imconvert.vendors.calls import Limit


def pacer(folder: Path, limit: Limit, name: str = "ring", **more: float) -> Pacer:
    return Pacer(SharedNumbers(folder / name, NUMBERS), limit, clock(), **more)


def most(times: list[float], window: float) -> int:
    """The most times in any window of this length, its end left out."""
    ordered = sorted(times)
    return max(bisect_left(ordered, at + window - 1e-9) - place for place, at in enumerate(ordered))


class Server:
    """Takes calls after a delay on the way, and answers after one more; `stalls` are times in which nothing gets in."""

    def __init__(self, delay: Callable[[], float], stalls: tuple[tuple[float, float], ...] = ()) -> None:
        self.delay, self.stalls = delay, sorted(stalls)
        self.came: list[float] = []

    async def call(self) -> None:
        await asyncio.sleep(self.delay())
        for begin, end in self.stalls:
            now = asyncio.get_running_loop().time()
            if begin <= now < end:
                await asyncio.sleep(end - now)
        self.came.append(asyncio.get_running_loop().time())
        await asyncio.sleep(self.delay())


async def load(pace: Pacer, server: Server, seconds: float, workers: int) -> None:
    """Call as fast as the pace allows."""
    end = pace.clock.steady() + seconds

    async def work() -> None:
        while pace.clock.steady() < end:
            slot = await pace.turn()
            await server.call()
            pace.heard(slot, answered=True)

    await asyncio.gather(*(work() for _ in range(workers)))


@pytest.mark.parametrize("limit", [Limit(200), Limit(100), Limit(10), Limit(1), Limit(120, 60.0)], ids=str)
@pytest.mark.parametrize("delay", [0.0005, 0.03, 0.15])
def test_any_window_keeps_the_limit_and_most_of_it_is_used(limit: Limit, delay: float, tmp_path: Path) -> None:
    async def check() -> None:
        chance = Random(7)
        server = Server(lambda: delay * chance.uniform(1, 1.05))
        seconds = 60 * limit.per
        await load(pacer(tmp_path, limit), server, seconds, workers=80)
        assert most(server.came, limit.per) <= limit.calls
        after = [at for at in server.came if at > server.came[0] + 3 * limit.per]
        share = (len(after) - 1) / (after[-1] - after[0]) * limit.per / limit.calls
        assert share >= 0.97

    run(check())


@pytest.mark.parametrize("seed", range(10))
def test_what_is_held_up_together_arrives_together_and_still_keeps_the_limit(seed: int, tmp_path: Path) -> None:
    """Stalls of the network or the server, some at the very start."""

    async def check() -> None:
        chance = Random(seed)
        start = asyncio.get_running_loop().time()
        begins = [start, *(start + chance.uniform(0, 20) for _ in range(8))]
        stalls = tuple((begin, begin + chance.uniform(0.05, 1.4)) for begin in begins)
        server = Server(lambda: chance.uniform(0.01, 0.02), stalls)
        await load(pacer(tmp_path, Limit(200)), server, 20, workers=200)
        assert most(server.came, 1.0) <= 200

    run(check())


@pytest.mark.parametrize("late", [False, True])
def test_calls_that_are_slow_one_by_one_keep_the_limit_whether_they_arrive_early_or_late(
    late: bool, tmp_path: Path
) -> None:
    class Slow(Server):
        async def call(self) -> None:
            wait = chance.uniform(0.5, 4) if chance.random() < 0.03 else 0.0
            await asyncio.sleep(wait if late else 0)
            await super().call()
            await asyncio.sleep(0 if late else wait)

    async def check() -> None:
        server = Slow(lambda: chance.uniform(0.005, 0.02))
        await load(pacer(tmp_path, Limit(100)), server, 30, workers=80)
        assert most(server.came, 1.0) <= 100
        assert len(server.came) > 0.9 * 30 * 100

    chance = Random(5)
    run(check())


@pytest.mark.parametrize("limit", [Limit(100), Limit(200)], ids=str)
def test_waking_up_late_and_pauses_of_the_process_do_not_cost_turns(limit: Limit, tmp_path: Path) -> None:
    """A busy machine: sleeps last longer than they should, and now and then nothing happens for a while."""

    async def check() -> None:
        chance, loop = Random(2), asyncio.get_running_loop()

        async def oversleep(seconds: float) -> None:
            await asyncio.sleep(seconds + chance.expovariate(1 / 0.004))

        async def pauses() -> None:
            while True:
                await asyncio.sleep(chance.uniform(1, 3))
                loop.jumping.jumped += chance.uniform(0, 0.12)  # type: ignore[attr-defined]

        usual = clock()
        busy = Clock(usual.now, usual.steady, oversleep)
        pace = Pacer(SharedNumbers(tmp_path / "ring", NUMBERS), limit, busy)
        server = Server(lambda: 0.001 + chance.expovariate(1 / 0.002))
        pausing = loop.create_task(pauses())
        await load(pace, server, 60, workers=20)
        pausing.cancel()
        assert most(server.came, 1.0) <= limit.calls
        assert (len(server.came) - limit.calls) / 59 / limit.calls >= 0.97

    run(check())


def test_places_of_a_process_that_died_are_given_up(tmp_path: Path) -> None:
    async def check() -> None:
        dead, pace = pacer(tmp_path, Limit(10)), pacer(tmp_path, Limit(10))
        for _ in range(4):
            dead.heard(await dead.turn(), answered=True)
        for _ in range(4):
            await dead.turn()
        server = Server(lambda: 0.01)
        await load(pace, server, 20, workers=10)
        assert len([at for at in server.came if at > server.came[-1] - 10]) >= 95

    run(check())


def test_idle_time_is_not_saved_up(tmp_path: Path) -> None:
    async def check() -> None:
        pace, server = pacer(tmp_path, Limit(50)), Server(lambda: 0.01)
        for _ in range(5):
            await load(pace, server, 2, workers=50)
            await asyncio.sleep(30)
        assert most(server.came, 1.0) <= 50
        assert most(server.came, 0.1) <= 8

    run(check())


def test_processes_on_one_ring_keep_the_limit_together(tmp_path: Path) -> None:
    async def check() -> None:
        chance = Random(3)
        server = Server(lambda: chance.uniform(0.02, 0.021))
        several = [pacer(tmp_path, Limit(100)) for _ in range(3)]
        await asyncio.gather(*(load(one, server, 20, workers=20) for one in several))
        assert most(server.came, 1.0) <= 100
        assert len(server.came) >= 0.95 * 100 * 20

    run(check())


def test_a_new_process_knows_what_the_last_one_sent(tmp_path: Path) -> None:
    async def check() -> None:
        server = Server(lambda: 0.01)
        for _ in range(6):
            await load(pacer(tmp_path, Limit(100)), server, 0.7, workers=30)
        assert most(server.came, 1.0) <= 100

    run(check())


class Strict(Server):
    """Takes only so many calls in any second."""

    def __init__(self, limit: int) -> None:
        super().__init__(lambda: 0.01)
        self.limit, self.refused = limit, list[float]()

    async def fits(self) -> bool:
        await self.call()
        now = self.came[-1]
        if sum(at > now - 1 for at in self.came) <= self.limit:
            return True
        self.refused.append(self.came.pop())
        return False


def test_a_limit_lower_than_thought_is_found_and_kept_to(tmp_path: Path) -> None:
    async def check() -> None:
        pace, server = pacer(tmp_path, Limit(100)), Strict(60)
        end = pace.clock.steady() + 60

        async def work() -> None:
            while pace.clock.steady() < end:
                slot = await pace.turn()
                fine = await server.fits()
                pace.heard(slot, answered=True)
                if not fine:
                    pace.slow_down(0)

        await asyncio.gather(*(work() for _ in range(20)))
        late = [at for at in server.refused if at > end - 50]
        taken = [at for at in server.came if at > end - 50]
        assert len(late) < 0.03 * len(taken)
        assert len(taken) / 50 > 0.85 * 60

    run(check())


def test_too_fast_lowers_the_rate_once_a_window_and_it_comes_back_by_steps(tmp_path: Path) -> None:
    async def check() -> None:
        pace, server = pacer(tmp_path, Limit(100)), Server(lambda: 0.01)
        await load(pace, server, 2, workers=20)
        pace.slow_down(0)
        assert 0.95 == pytest.approx(pace.share()), "one such answer among many"
        for _ in range(40):
            pace.slow_down(0)
        assert 0.95 == pytest.approx(pace.share()), "once a window"
        await load(pace, server, 1.1, workers=20)
        for _ in range(40):
            pace.slow_down(0)
        await load(pace, server, 1.1, workers=20)
        for _ in range(40):
            pace.slow_down(0)
        lowest = pace.share()
        assert lowest < 0.95 * 0.96
        began = pace.clock.steady()
        await load(pace, server, 1.5, workers=20)
        assert sum(began <= at < began + 1.5 for at in server.came) / 1.5 <= 100 * lowest + 2
        shares = []
        for _ in range(20):
            await load(pace, server, 2.2, workers=20)
            shares.append(pace.share())
        assert shares == sorted(shares)
        assert 1.0 == shares[-1]
        assert max(after - before for before, after in zip(shares, shares[1:], strict=False)) < 0.11

    run(check())


def test_answers_that_are_too_fast_everywhere_lower_the_rate_to_its_floor(tmp_path: Path) -> None:
    async def check() -> None:
        pace = pacer(tmp_path, Limit(50))
        for _ in range(600):
            slot = await pace.turn()
            pace.heard(slot, answered=True)
            pace.slow_down(0)
        assert 0.1 == pytest.approx(pace.share())

    run(check())


def test_a_wait_that_the_target_asks_for_is_kept_by_all(tmp_path: Path) -> None:
    async def check() -> None:
        mine, other = pacer(tmp_path, Limit(100)), pacer(tmp_path, Limit(100))
        server = Server(lambda: 0.001)
        mine.slow_down(12.5)
        began = mine.clock.steady()
        await asyncio.gather(load(mine, server, 14, workers=3), load(other, server, 14, workers=3))
        assert min(server.came) - began >= 12.5

    run(check())


@pytest.mark.parametrize(("wait", "share"), [(9.9, 0.95), (10, 0.5), (60, 0.5)])
def test_a_target_that_bars_us_gets_half_the_rate(tmp_path: Path, wait: float, share: float) -> None:
    """Yunxin's 416 (yunxin.md §4.2): left alone for its period, then half as fast, and back by steps."""

    async def check() -> None:
        pace, server = pacer(tmp_path, Limit(100)), Server(lambda: 0.001)
        await load(pace, server, 2, workers=20)
        for _ in range(3):
            pace.slow_down(wait)
        assert share == pytest.approx(pace.share())
        began = pace.clock.steady()
        await load(pace, server, wait + 1, workers=20)
        late = [at - began - wait for at in server.came if at >= began]
        assert min(late) >= 0
        assert sum(at < 1 for at in late) <= 100 * (share + 0.05) + 2
        await load(pace, server, 25, workers=20)
        assert pace.share() == 1.0

    run(check())


def test_times_from_before_the_machine_was_started_say_nothing(tmp_path: Path) -> None:
    async def check() -> None:
        numbers = SharedNumbers(tmp_path / "ring", NUMBERS)
        with numbers.locked() as shared:
            for place in (3, 4, 5, *range(8, 300)):
                shared[place] = (pacer(tmp_path, Limit(1)).clock.steady() + STALE * 9) * (-1 if place > 200 else 1)
            shared[0] = 250
        server = Server(lambda: 0.001)
        began = asyncio.get_running_loop().time()
        await load(pacer(tmp_path, Limit(100)), server, 1, workers=3)
        assert min(server.came) - began < 0.1

    run(check())
