"""What a note makes of the deaths of workers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdclaims.cases.engine import Culprit, EngineError, Progress
from mdclaims.cases.notes import NOTES, Note, noted_parts, read_note, remove_notes, write_note
from mdclaims.cases.store import Part

PLACES = st.tuples(st.integers(0, 2**40), st.integers(0, 2**20))


def part(number=0, task=3, files=None):
    return Part(task, number, (100 * number, 0), 10 * number, 10, 2, files or {f"pages/{task}-{number}": "ab"})


def died(note, **changes):
    """Return the note of the worker that comes after one that died."""
    from dataclasses import replace

    return replace(note, **changes).taken()


def test_note_of_an_item_that_costs_two_workers_names_it():
    first = Note().taken()
    assert (first.running, first.careful) == (True, False)
    second = died(first)
    assert (second.careful, second.deaths, second.culprits) == (True, {}, ())
    third = died(second, at=((70, 0), "https://a.example/"))
    assert (third.deaths, third.culprits) == ({(70, 0): 1}, ())
    other = died(third, at=((80, 0), "https://a.example/other"))
    assert other.culprits == ()
    fourth = died(other, at=((70, 0), "https://a.example/"))
    assert fourth.culprits == (Culprit((70, 0), "https://a.example/", "its worker ended; tried 2 times"),)
    assert fourth.progress(part()) == Progress(part(), fourth.culprits, careful=True)
    assert died(fourth, parts=(part(1),)).progress(part()).last == part(1)


def test_note_gives_the_reason_of_a_worker_that_ended_itself():
    item = ((70, 0), "https://a.example/")
    note = died(Note().taken(), at=item, why="took longer than 2 seconds")
    note = died(note, at=item, why="took longer than 2 seconds")
    assert [culprit.reason for culprit in note.culprits] == ["took longer than 2 seconds; tried 2 times"]
    assert (note.at, note.why) == (None, None)


def test_note_of_a_task_that_was_put_down_counts_no_death():
    note = died(Note().taken(), at=((70, 0), "x"), running=False)
    assert (note.running, note.careful, note.deaths) == (True, False, {})


def test_note_ends_a_run_whose_workers_read_nothing():
    note = Note().taken()
    for _ in range(3):
        note = note.taken()
    with pytest.raises(EngineError, match="before it read anything, 3 times"):
        note.taken()


@given(
    parts=st.lists(st.integers(0, 99).map(part), max_size=3).map(tuple),
    at=st.none() | st.tuples(PLACES, st.text()),
    why=st.none() | st.text(),
    deaths=st.dictionaries(PLACES, st.integers(1, 2), max_size=3),
    culprits=st.lists(st.builds(Culprit, PLACES, st.text(), st.text()), max_size=3).map(tuple),
    flags=st.tuples(st.booleans(), st.booleans(), st.integers(0, 3)),
)
def test_note_is_read_as_it_was_written(tmp_path_factory, parts, at, why, deaths, culprits, flags):
    folder = tmp_path_factory.mktemp("notes")
    running, careful, barren = flags
    note = Note(parts, running, careful, at, why, deaths, culprits, barren)
    write_note(folder, 3, note)
    assert read_note(folder, 3) == note
    assert read_note(folder, 4) == Note()


def test_noted_parts_are_those_that_go_on_from_the_journal(tmp_path):
    folder = tmp_path / NOTES / "mdclaims-1"
    write_note(folder, 3, Note((part(0), part(1), part(2))))
    write_note(folder, 4, Note((part(1, 4),)))
    write_note(folder, 5, Note((part(0, 5), part(1, 5))))
    other = part(0, 5, {"pages/x": "cd"})
    assert list(noted_parts(tmp_path, [part(0), other])) == [part(1), part(2)]
    remove_notes(tmp_path)
    assert list(noted_parts(tmp_path, [])) == []
