"""How large a run on Apache Spark should be cut, and what it needs: from the size of the inputs and of the cluster.

Strategy: figures by the message and by the core, from measured runs (docs/scale-out.md), scaled up.
Promise: an estimate. Nothing of it decides what is written, but for the segment size if it is taken over.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from imconvert.convert import plan
from imconvert.convert.plan import MIB, Plan
from imconvert.convert.spark import shuffle
from imconvert.convert.work import KEY, ROW
from imconvert.sources.inputs import Input

RATE = 20_000_000
MESSAGE = 350
"""Bytes of input that a core takes in a second, map to seal; bytes of input that a message has."""

MOST_SEGMENT = 1 << 30
A_CORE = 4
EXECUTOR_CORES = 4
"""The largest segment; segments for each core, so that the last ones do not keep the others waiting; cores of an
executor."""

HEAP, PYTHON = 1 << 30, 640 * MIB
"""Memory for each core: of Java, and of Python beside it."""

DRIVER, A_SEGMENT = 1 << 30, 24 << 10
"""Memory of the driver: as it is, and for each segment."""


class Cluster(NamedTuple):
    """Machines, and the cores and bytes of memory that each gives to the run."""

    nodes: int
    cores: int
    memory: int


class Sizing(NamedTuple):
    """What a run needs. Sizes in bytes, `seconds` by `RATE`; `longest` are those of the input that cannot be cut.

    `shared` is what the work folder and the output take at most on storage that all machines see; `local` what the
    exchange of keys takes on the disks of all machines together.
    """

    bytes: int
    messages: int
    segment_size: int
    segments: int
    keys: int
    partitions: int
    executors: int
    executor_cores: int
    executor_memory: int
    executor_overhead: int
    driver_memory: int
    shared: int
    local: int
    seconds: float
    longest: float


def sizing(found: Plan, cluster: Cluster, *, rate: int = RATE, arranged: bool = False) -> Sizing:
    """What a run of this plan needs; its segments count only where a size was asked for.

    `arranged` says whether the target is loaded in time order.
    """
    size = sum(map(plan.weight, found.inputs))
    cores = cluster.nodes * cluster.cores
    segment = int(found.options.get("segment-size", 0)) or segment_size(size, cores)
    segments = len(found.segments) if "segment-size" in found.options else _segments(found.inputs, segment)
    messages = size // MESSAGE
    keys = messages * KEY.itemsize
    own = max(1, min(EXECUTOR_CORES, cluster.cores, cluster.memory // (HEAP + PYTHON)))
    whole = max((plan.weight(one) for one in found.inputs if one.container != "plain"), default=0)
    return Sizing(
        bytes=size,
        messages=messages,
        segment_size=segment,
        segments=segments,
        keys=keys,
        partitions=1 << shuffle.bits_for(messages, cores),
        executors=cluster.nodes * max(1, min(cluster.cores // own, cluster.memory // (own * (HEAP + PYTHON)))),
        executor_cores=own,
        executor_memory=own * HEAP,
        executor_overhead=own * PYTHON,
        driver_memory=DRIVER + segments * A_SEGMENT,
        shared=(4 if arranged else 2) * size + messages * (ROW.itemsize + 3 * KEY.itemsize),
        local=2 * keys,
        seconds=size / (rate * cores),
        longest=max(whole, min(segment, size)) / rate,
    )


def segment_size(size: int, cores: int) -> int:
    """A power of two from 32 MiB to 1 GiB that gives each core some segments."""
    found = plan.SMALLEST
    while found < MOST_SEGMENT and found * 2 * cores * A_CORE <= size:
        found *= 2
    return found


def _segments(inputs: Sequence[Input], size: int) -> int:
    """About how many segments these inputs are."""
    plain = sum(one.size for one in inputs if one.container == "plain")
    packed = [one.size * plan.UNPACKED for one in inputs if one.container != "plain"]
    return -(-plain // size) + sum(one > size for one in packed) + -(-sum(o for o in packed if o <= size) // size)
