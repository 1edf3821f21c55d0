"""What recall makes of threads, speakers, times, thresholds and beginnings of words."""

import pytest

from chrysalis_memory import Recall


def found(recall):
    return [hit.memory.content for hit in recall]


def chat(memory, thread, *turns, at=None):
    """Remembers turns such as `Ines: hello`; returns their contents."""
    for turn in turns:
        speaker, content = turn.split(": ", 1)
        memory.remember(content, thread=thread, speaker=speaker, **({"occurred_at": at} if at else {}))


def test_the_answer_to_a_question_that_fits_is_found_although_it_holds_none_of_its_words(memory):
    chat(memory, "monday", "Ines: Which colour did you paint the harbour shed?", "Tomasz: A dull green.")
    chat(memory, "tuesday", "Ines: The gulls are loud today.", "Tomasz: A pity.")
    recall = memory.recall("colour of the harbour shed")
    assert found(recall) == ["Which colour did you paint the harbour shed?", "A dull green."]
    answer = recall[1]
    assert answer.why.startswith("beside it: colour, harbour, shed")
    assert "follows a question that fits" in answer.why
    assert answer.parts["answering"] > 0


def test_threads_of_one_name_in_two_scopes_are_two_threads(memory):
    memory.remember("Which colour is the harbour shed?", thread="chat", scope="one")
    memory.remember("A dull green.", thread="chat", scope="two")
    assert found(memory.recall("colour of the harbour shed")) == ["Which colour is the harbour shed?"]


def test_a_speaker_whom_the_question_names_comes_first(memory):
    chat(memory, "a", "Ines: I like the lighthouse", "Mary Ann: I like the lighthouse")
    assert memory.recall("what does Ines like about the lighthouse?")[0].memory.speaker == "Ines"
    first = memory.recall("the lighthouse, says Mary Ann")[0]
    assert (first.memory.speaker, first.parts["speaker"] > 0) == ("Mary Ann", True)
    assert "said by whom you named" in first.why


def test_thread_and_speaker_are_filters(memory):
    chat(memory, "monday", "Ines: the buoy is red", "Tomasz: the buoy is lit")
    chat(memory, "tuesday", "Ines: the buoy is gone")
    assert found(memory.recall("buoy", thread="tuesday")) == ["the buoy is gone"]
    assert sorted(found(memory.recall("buoy", speaker="Ines"))) == ["the buoy is gone", "the buoy is red"]
    assert memory.recall("buoy", thread="tuesday", speaker="Tomasz") == Recall()


@pytest.fixture
def logbook(memory):
    for day, what in (("2023-05-09", "oiled"), ("2023-06-20", "painted"), ("2024-05-11", "sold")):
        memory.remember(f"the boat was {what}", id=day, occurred_at=f"{day}T10:00:00Z")
    return memory


def ids(recall):
    return [hit.memory.id for hit in recall]


@pytest.mark.parametrize(
    ("question", "reference", "first"),
    [
        ("what was done with the boat in May 2023?", None, "2023-05-09"),
        ("what was done with the boat in June?", None, "2023-06-20"),
        ("what happened to the boat last week?", "2023-05-16T12:00:00Z", "2023-05-09"),
        ("what happened to the boat yesterday?", "2024-05-12T12:00:00Z", "2024-05-11"),
        ("the boat on 2023-06-20", None, "2023-06-20"),
    ],
)
def test_a_time_in_the_question_lifts_what_happened_then(logbook, question, reference, first):
    recall = logbook.recall(question, reference_time=reference)
    assert ids(recall)[0] == first
    assert "time: " in recall[0].why


def test_a_time_that_a_memory_tells_of_is_lifted_too(memory):
    memory.remember("the boat was oiled a month ago", id="oiled", occurred_at="2023-06-15T10:00:00Z")
    memory.remember("the boat was sold today and is gone", id="sold", occurred_at="2023-06-15T10:00:00Z")
    first = memory.recall("what was done with the boat in May 2023?")[0]
    assert first.memory.id == "oiled"
    assert "time: " in first.why


def test_a_time_in_the_question_narrows_when_asked_to(logbook):
    assert ids(logbook.recall("the boat in May 2023", dates="narrow")) == ["2023-05-09"]
    assert ids(logbook.recall("the boat yesterday", dates="narrow", reference_time="2024-05-12")) == ["2024-05-11"]
    assert len(logbook.recall("the boat", dates="narrow")) == 3


def test_a_time_in_the_question_may_be_words_like_others(logbook):
    recall = logbook.recall("the boat in May 2023", dates="ignore")
    assert len(recall) == 3
    assert all("time: " not in hit.why for hit in recall)


def test_what_happened_at_a_time_is_found_without_any_other_word(logbook):
    assert ids(logbook.recall("what happened in June 2023?")) == ["2023-06-20"]
    assert ids(logbook.recall("and in June?")) == ["2023-06-20"]
    assert ids(logbook.recall("and yesterday?", reference_time="2023-05-10T09:00:00Z"))[0] == "2023-05-09"


def test_a_threshold_keeps_away_what_is_unlikely(memory):
    memory.remember("the lamp of the lighthouse turns every ten seconds")
    question = "which museum in Lisbon shows a lamp by Gallé?"
    loosely = memory.recall(question, threshold="none")
    assert len(loosely) == 1
    assert loosely[0].score < 0.7
    assert memory.recall(question, threshold="strict") == Recall()
    assert memory.recall(question, threshold=loosely[0].score + 0.01) == Recall()
    assert memory.recall("how often does the lighthouse lamp turn?", threshold="strict")


@pytest.mark.parametrize("wrong", ["loose", "", None, -0.1, 1.5, float("nan"), object()])
def test_a_wrong_threshold_is_refused(memory, wrong):
    with pytest.raises((ValueError, TypeError), match="threshold"):
        memory.recall("anything", threshold=wrong)


def test_wrong_dates_and_reference_times_are_refused(memory):
    with pytest.raises(ValueError, match="dates"):
        memory.recall("anything", dates="always")
    with pytest.raises(ValueError, match="reference_time"):
        memory.recall("anything", reference_time="soon")


def test_a_star_stands_for_any_ending_where_it_is_meant(memory):
    memory.remember("the tide gauge was recalibrated")
    memory.remember("calibration is due in spring")
    assert found(memory.recall("calib*", prefix=True)) == ["calibration is due in spring"]
    assert memory.recall("calib*") == Recall()


def test_a_rare_word_is_found_in_a_long_memory(memory):
    memory.remember("gulls and sheds and ropes and nets " * 400 + "zirconium")
    assert len(memory.recall("zirconium")) == 1


def test_a_recall_tells_how_long_each_step_took(memory):
    memory.remember("the harbour shed")
    stages = memory.recall("shed").stages
    assert list(stages) == ["embed", "catch_up", "words", "meaning", "context", "fusion", "load"]
    assert all(seconds >= 0 for seconds in stages.values())
