"""When the handler of a partition takes what waits for it."""

import asyncio
from dataclasses import dataclass
from typing import cast

from aiokafka import ConsumerRecord

from pipeline.batch_lane import Lane
from pipeline.batch_window import Batch, Limits

LONG = 30.0
LIMITS = Limits(batch_records=5, flood_records=3, gather_seconds=LONG, pause_seconds=LONG)


@dataclass
class _Record:
    offset: int


def batch(first: int, end: int) -> Batch:
    records = [_Record(offset) for offset in range(first, end)]
    return Batch("topic", 0, cast("list[ConsumerRecord[bytes | None, bytes | None]]", records))


def lane(*batches: Batch, flooded: bool = True) -> Lane:
    """A lane that has just handled three records, or two."""
    made = Lane()
    made.add(batch(0, 3 if flooded else 2))
    made.take(LIMITS, lambda _: True)
    for one in batches:
        made.add(one)
    return made


def test_a_batch_is_gathered_in_a_flood() -> None:
    async def run() -> bool:
        flooded = lane(batch(3, 5))
        gathering = asyncio.create_task(flooded.gather(LIMITS))
        done, _ = await asyncio.wait([gathering], timeout=0.05)
        flooded.add(batch(5, 8))
        await asyncio.wait_for(gathering, LONG / 2)
        return not done

    assert asyncio.run(run())


def test_nothing_is_gathered_without_one() -> None:
    asyncio.run(asyncio.wait_for(lane(batch(2, 3), flooded=False).gather(LIMITS), LONG / 2))


def test_a_pause_ends_it() -> None:
    limits = Limits(batch_records=5, gather_seconds=LONG, pause_seconds=0.01)
    asyncio.run(asyncio.wait_for(lane(batch(3, 5)).gather(limits), LONG / 2))


def test_it_ends_though_records_keep_coming() -> None:
    limits = Limits(batch_records=1_000_000, gather_seconds=0.1, pause_seconds=LONG)

    async def run() -> None:
        flooded = lane()
        gathering = asyncio.create_task(flooded.gather(limits))
        while not gathering.done():
            flooded.add(batch(0, 1))
            await asyncio.wait([gathering], timeout=0.001)

    asyncio.run(asyncio.wait_for(run(), LONG / 2))


def test_a_flood_is_over_with_a_small_batch() -> None:
    after = lane(batch(3, 5))
    assert len(after.take(LIMITS, lambda _: True)) == 1
    asyncio.run(asyncio.wait_for(after.gather(LIMITS), LONG / 2))


def test_what_was_given_up_is_not_taken() -> None:
    kept, lost = batch(3, 5), batch(5, 6)
    assert lane(lost, kept).take(LIMITS, lambda one: one is kept) == [kept]
