"""Rates, measured in turns: what else the machine does hits ours and the peer alike."""

import gc
from collections.abc import Callable
from time import perf_counter, process_time

Measurement = Callable[[int], float]
"""Does the work of the numbered round and returns its rate per second."""


def rate(count: int, work: Callable[[], object]) -> float:
    """Return how many of `count` things a second `work` did."""
    gc.collect()
    started = perf_counter()
    work()
    return count / (perf_counter() - started)


def cpu_us(count: int, work: Callable[[], object]) -> float:
    """Return how many microseconds of processor time, of all threads, `work` took for each."""
    gc.collect()
    started = process_time()
    work()
    return (process_time() - started) * 1e6 / count


def alternate(rounds: int, *measurements: Measurement) -> list[list[float]]:
    """Return the rates of each measurement, all of them in every round, forwards and backwards."""
    rates: list[list[float]] = [[] for _ in measurements]
    for number in range(rounds):
        turns = list(zip(measurements, rates, strict=True))
        for measure, into in turns if number % 2 == 0 else reversed(turns):
            into.append(measure(number))
    return rates
