"""Coroutines within one task end as those end that have a task each."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from domain.gathering import gathered

Gather = Callable[..., Awaitable[Any]]

PLANS = 400


class Broken(Exception):
    pass


def a_plan(chance: random.Random, depth: int = 3) -> Any:
    """What one coroutine does, step by step: how many turns it waits, what it gathers, and whether it breaks."""
    steps = []
    for _ in range(chance.randrange(4)):
        below = depth and chance.random() < 0.4
        steps.append(
            [a_plan(chance, depth - 1) for _ in range(chance.randrange(5))] if below else chance.randrange(4)
        )
    return steps, chance.random() < 0.05


async def done(plan: Any, gather: Gather, rung: asyncio.Event) -> Any:
    steps, breaks = plan
    found: list[Any] = []
    for step in steps:
        if isinstance(step, list):
            found.append(list(await gather(*(done(one, gather, rung) for one in step))))
        elif step == 3:
            found.append(await rung.wait())
        else:
            for _ in range(step):
                await asyncio.sleep(0)
            found.append(step)
    if breaks:
        raise Broken
    return found


async def ended(plan: Any, gather: Gather) -> Any:
    rung = asyncio.Event()
    asyncio.get_running_loop().call_later(0.001, rung.set)
    try:
        return await done(plan, gather, rung)
    except Broken:
        return Broken


@pytest.mark.parametrize("seed", range(4))
async def test_what_is_found_is_what_tasks_of_their_own_find(seed: int) -> None:
    chance = random.Random(seed)
    ends = []
    for _ in range(PLANS // 4):
        plan = a_plan(chance)
        ends.append(await ended(plan, gathered))
        assert ends[-1] == await ended(plan, asyncio.gather)

    assert Broken in ends
    assert any(end is not Broken and end for end in ends)


async def forever(left: list[str], name: str, *, cleans: int = 0) -> None:
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        for _ in range(cleans):
            await asyncio.sleep(0)
        left.append(name)


async def broken() -> None:
    await asyncio.sleep(0)
    raise Broken


async def test_when_one_fails_the_others_have_ended_before_it_is_told() -> None:
    left: list[str] = []

    with pytest.raises(Broken):
        await gathered(forever(left, "one", cleans=3), broken(), forever(left, "other"))

    assert sorted(left) == ["one", "other"]


async def test_who_would_begin_after_a_failure_does_not() -> None:
    begun: list[str] = []

    async def fails() -> None:
        raise Broken

    async def begins() -> None:
        begun.append("it")

    with pytest.raises(Broken):
        await gathered(fails(), begins())

    assert begun == []


@pytest.mark.parametrize("many", [1, 2, 5])
async def test_who_is_cancelled_ends_all_of_them(many: int) -> None:
    left: list[str] = []

    async def waits() -> None:
        await gathered(*(forever(left, str(one), cleans=one) for one in range(many)))

    task = asyncio.create_task(waits())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert sorted(left) == [str(one) for one in range(many)]


async def test_a_limit_of_time_ends_them_too() -> None:
    left: list[str] = []

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await gathered(forever(left, "one"), gathered(forever(left, "two"), forever(left, "three")))

    assert sorted(left) == ["one", "three", "two"]


async def test_what_fails_elsewhere_fails_here() -> None:
    failing = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(failing.set_exception, Broken())

    async def waits() -> str:
        try:
            await failing
        except Broken:
            return "caught"
        return "not"

    async def waits_long() -> None:
        await asyncio.sleep(0.01)

    assert list(await gathered(waits_long(), waits())) == [None, "caught"]
    failing = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(0.005, failing.set_exception, Broken())
    assert list(await gathered(asyncio.sleep(0, "first"), waits())) == ["first", "caught"]


async def test_who_is_cancelled_as_the_last_answer_comes_is_cancelled() -> None:
    answer = asyncio.get_running_loop().create_future()

    async def waits() -> str:
        await gathered(asyncio.sleep(0), _of(answer))
        return "went on"

    task = asyncio.create_task(waits())
    for _ in range(3):
        await asyncio.sleep(0)
    answer.set_result(1)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def _of(future: asyncio.Future[Any]) -> Any:
    return await future


async def test_a_limit_of_time_holds_although_an_answer_comes_at_that_moment() -> None:
    left: list[str] = []

    async def until_its_end() -> None:
        async with asyncio.timeout(0.01) as limit:
            answer = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_at(limit.when() or 0, answer.set_result, 1)
            await gathered(asyncio.sleep(0), gathered(asyncio.sleep(0), _of(answer)))
            await forever(left, "it")

    with pytest.raises(TimeoutError):
        await until_its_end()


async def test_within_what_fails_nobody_goes_on_whose_answer_was_there_already() -> None:
    answer = asyncio.get_running_loop().create_future()
    asked: list[str] = []

    async def breaks() -> None:
        await answer
        raise Broken

    async def goes_on() -> None:
        await answer
        asked.append("more")
        await asyncio.sleep(0.01)
        asked.append("still more")

    asyncio.get_running_loop().call_later(0.001, answer.set_result, 1)
    with pytest.raises(Broken):
        await gathered(breaks(), gathered(goes_on(), asyncio.sleep(0)))

    assert "still more" not in asked


async def test_futures_and_tasks_are_taken_too() -> None:
    future = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(future.set_result, 2)

    assert list(await gathered(asyncio.create_task(asyncio.sleep(0, 1)), future, asyncio.sleep(0, 3))) == [
        1,
        2,
        3,
    ]
