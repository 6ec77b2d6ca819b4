"""How much work a call does, told without a clock: so that no other program on the machine can fail a test."""

import sys


def lines_run(function) -> int:
    """Return how many lines of Python a call runs, each pass of a loop counted; what runs inside C is not seen."""
    count = 0

    def trace(_frame, event, _arg):
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(before)
    return count


def grows_linearly(work, *, of) -> bool:
    """Return whether four times as much takes about four times the work, not sixteen.

    `work(n)` returns the call that does it for a size of n, here `of` and four times `of`.
    """
    work(of)()  # what is built once
    return lines_run(work(4 * of)) < 6 * lines_run(work(of))
