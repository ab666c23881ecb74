"""A handler that takes a lock, and a signal that arrives while the main thread holds it."""

import os
import signal
import threading

import pytest

from unlearning_metric.runtime.termination import handle_apart

SIGNAL = signal.SIGUSR2


@pytest.fixture
def installed():
    """``installed(handler)``; what was there before comes back."""
    previous = signal.getsignal(SIGNAL)
    yield lambda handler: signal.signal(SIGNAL, handler)
    signal.signal(SIGNAL, previous)


def test_a_handler_may_take_a_lock_that_the_interrupted_step_holds(installed):
    lock, told = threading.Lock(), threading.Event()
    received = []

    def handler(signum, frame):
        # Ends a test that failed, where Snakemake would wait for ever.
        if lock.acquire(timeout=5):
            received.append(signum)
            lock.release()
            told.set()

    installed(handler)
    handle_apart(SIGNAL)
    with lock:
        os.kill(os.getpid(), SIGNAL)
        assert not received

    assert told.wait(5)
    assert received == [SIGNAL]


def test_outside_the_main_thread_nothing_happens(installed):
    """Python refuses to set handlers there; Snakemake may be run from a program of the user's."""
    installed(print)
    failed = []

    def call():
        try:
            handle_apart(SIGNAL)
        except ValueError as error:
            failed.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    assert not failed
    assert signal.getsignal(SIGNAL) is print


@pytest.mark.parametrize("meaning", [signal.SIG_DFL, signal.SIG_IGN])
def test_a_signal_without_a_handler_keeps_its_meaning(installed, meaning):
    installed(meaning)
    handle_apart(SIGNAL)
    assert signal.getsignal(SIGNAL) == meaning
