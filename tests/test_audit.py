"""What an audit says of planted faults, lacks and shortcuts; and the lists it writes."""

from __future__ import annotations

import json
import xml.etree.ElementTree as Tree
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from audit_support import SCHEMA, corpus, record, sure_answers
from hypothesis import given
from hypothesis import strategies as st

from stance.audit import audit_records
from stance.audit.balance import THIN, find_long, find_skews, find_thin
from stance.audit.cues import LEAST_TEXTS, find_cues, wilson_low
from stance.audit.exchange import (
    ABSENT,
    argilla_records,
    argilla_settings,
    label_studio_config,
    label_studio_tasks,
)
from stance.audit.outputs import write_audit
from stance.audit.suspects import SOME_STANCE, by_text, find_suspects
from stance.evaluation.faults import Training
from stance.records import Label, Record
from stance.schema import Schema, Topic

needs_cleanlab = pytest.mark.usefixtures("_cleanlab")
BAD, GOOD = ("harbour", "negative"), ("harbour", "positive")


@pytest.fixture
def _cleanlab() -> None:
    pytest.importorskip("cleanlab")
    pytest.importorskip("datasketch")


@needs_cleanlab
def test_rightly_labelled_texts_are_not_suspect() -> None:
    records = corpus()
    assert find_suspects(records, SCHEMA, sure_answers(records)) == ()


@needs_cleanlab
def test_planted_faults_are_found_and_come_by_doubt() -> None:
    records = corpus()
    answers = sure_answers(records)
    spoilt = list(records)
    # A wrong stance, a topic that is missing, and one that is not there.
    spoilt[0] = replace(records[0], labels=(Label(topic="harbour", stance="positive", sure=False),))
    spoilt[2] = replace(records[2], labels=())
    spoilt[4] = replace(records[4], labels=(Label(topic="harbour", stance="positive"),))
    answers.presence[4, 0] = 0.01
    found = find_suspects(spoilt, SCHEMA, answers)
    assert [
        (item.id, item.topic, item.reason, item.labelled, item.suggested) for item in found
    ] == [
        ("t4", "harbour", "topic", "positive", None),
        ("t2", "night trains", "topic", None, "negative"),
        ("t0", "harbour", "stance", "positive", "negative"),
    ]
    assert [item.doubt for item in found] == pytest.approx([0.99, 0.95, 0.95])
    assert [item.disputable for item in found] == [False, False, True]
    assert found[1].words() == (
        "night trains: labelled not carried; the model says negative (doubt 0.950)"
    )


@needs_cleanlab
def test_what_the_predictions_do_not_say_is_not_looked_at() -> None:
    records = corpus()
    answers = sure_answers(records)
    spoilt = list(records)
    spoilt[0] = replace(records[0], labels=(Label(topic="harbour", stance="positive"),))
    spoilt[1] = replace(records[1], labels=())
    # The topic of the second is found without a word of its stance, that of the first is not found.
    answers.presence[1] = (0.95, 0.01)
    answers.stance[:2] = np.nan
    audit = audit_records(spoilt, SCHEMA, answers)
    assert [(item.id, item.suggested) for item in audit.suspects] == [("t1", SOME_STANCE)]
    assert any("stance is not looked at: 1" in note for note in audit.notes)
    # Nothing is suggested for it, so the tools get no answer to that question.
    suggestions = argilla_records(audit)[0]["suggestions"]
    assert list(suggestions) == ["topic_1"]


@needs_cleanlab
def test_texts_that_are_alike_and_labelled_otherwise() -> None:
    text = "The ministry opened the northern quay on Monday to forty ships from six countries"
    records = [
        *corpus(),
        record("same", GOOD, text=text),
        record("same again", BAD, text=text),
        record("pair one", GOOD, text=f"{text} with pilots.", pair="p"),
        record("pair two", BAD, text=f"{text} with a pilot.", pair="p"),
    ]
    found = find_suspects(records, SCHEMA, sure_answers(records))
    same = [item for item in found if item.reason == "same text"]
    assert [{item.id, item.twin} for item in same] == [{"same", "same again"}]
    assert same[0] == found[0]
    assert same[0].doubt == 1
    similar = [{item.id, item.twin} for item in found if item.reason == "similar text"]
    assert {"pair one", "pair two"} not in similar
    assert {"same", "pair two"} in similar


@needs_cleanlab
@pytest.mark.parametrize("texts", [1, 2, 5])
def test_few_texts_are_no_crash(texts: int) -> None:
    records = corpus(texts)
    audit = audit_records(records, SCHEMA, sure_answers(records))
    assert audit.suspects == ()
    assert audit.to_dict()["texts"] == texts


@needs_cleanlab
def test_neutral_labels_are_noted_and_only_their_topics_looked_at() -> None:
    records = [*corpus(), record("n", ("harbour", "neutral"), text="The quay is long.")]
    audit = audit_records(records, SCHEMA, sure_answers(records))
    assert "Labels whose stance no model predicts: 1. Only their topics are looked at." in (
        audit.notes
    )


def test_what_is_thin() -> None:
    records = [record(f"a{n}", GOOD, kind="brief") for n in range(THIN)]
    records += [record(f"b{n}", BAD, kind="opinion") for n in range(THIN - 1)]
    found = {item.what: item.texts for item in find_thin(records, SCHEMA)}
    assert found == {
        "topic harbour, negative": THIN - 1,
        "topic night trains": 0,
        "topic night trains, negative": 0,
        "topic night trains, positive": 0,
        "texts without any topic": 0,
        "kind opinion": THIN - 1,
    }


def test_a_kind_that_gives_a_stance_away() -> None:
    records = [record(f"a{n}", GOOD if n % 10 else BAD, kind="brief") for n in range(60)]
    records += [record(f"b{n}", GOOD if n % 2 else BAD, kind="opinion") for n in range(60)]
    records += [record(f"c{n}", kind="brief") for n in range(30)]
    records += [record(f"d{n}", kind="opinion") for n in range(30)]
    found = find_skews(records, SCHEMA)
    assert [(item.field, item.value, item.what) for item in found] == [
        ("kind", "brief", "harbour: negative"),
        ("kind", "opinion", "harbour: negative"),
    ]
    assert (found[0].share, found[0].rest) == (0.1, 0.5)
    assert found[0].p < 0.001


def test_even_data_have_no_skew() -> None:
    records = [
        record(f"t{n}", *([GOOD], [BAD], [])[n % 3], kind=("brief", "opinion")[n // 3 % 2])
        for n in range(180)
    ]
    assert find_skews(records, SCHEMA) == ()


def shares(texts: int, *parts: tuple[str, float]) -> list[Record]:
    """Texts of each kind, of which this share carries the harbour, bad and good by turns."""
    return [
        record(f"{kind}{n}", *([(BAD, GOOD)[n % 2]] if n < share * texts else []), kind=kind)
        for kind, share in parts
        for n in range(texts)
    ]


def test_a_difference_that_chance_makes_is_no_skew() -> None:
    assert find_skews(shares(30, ("brief", 0.5), ("opinion", 0.3)), SCHEMA) == ()
    found = find_skews(shares(300, ("brief", 0.5), ("opinion", 0.3)), SCHEMA)
    assert {item.what for item in found} == {"no topic", "harbour"}


def test_a_small_difference_is_no_skew_however_sure() -> None:
    assert find_skews(shares(2_000, ("brief", 0.5), ("opinion", 0.4)), SCHEMA) == ()


def test_longer_than_any_training_text() -> None:
    training = [record("t", text="one two three")]
    records = [
        record("a", text="1 2 3"),
        record("b", text="1 2 3 4"),
        record("c", text="1 2 3 4 5"),
    ]
    assert [(item.id, item.words) for item in find_long(records, training)] == [("c", 5), ("b", 4)]


def test_cue_words() -> None:
    records = [record(f"a{n}", GOOD, text=f"Ships welcomed, day {n}") for n in range(40)]
    records += [record(f"b{n}", BAD, text=f"Ships wrecked, day {n}") for n in range(40)]
    records += [record(f"c{n}", BAD, text=f"Ships leave, day {n}") for n in range(LEAST_TEXTS - 1)]
    cues, (reach, none) = find_cues(records, SCHEMA)
    assert [(cue.word, cue.stance, cue.texts, cue.share) for cue in cues] == [
        ("welcomed", "positive", 40, 1.0),
        ("wrecked", "negative", 40, 1.0),
    ]
    assert (reach.labels, reach.reached, reach.right) == (89, 80, 80)
    assert (none.labels, none.reached) == (0, 0)


def test_where_all_have_one_stance_no_word_is_a_cue() -> None:
    records = [record(f"a{n}", GOOD, text="Ships welcomed") for n in range(60)]
    assert find_cues(records, SCHEMA)[0] == ()


@given(st.integers(1, 500), st.data())
def test_the_lower_limit_is_wilsons(texts: int, data: st.DataObject) -> None:
    proportion = pytest.importorskip("statsmodels.stats.proportion")
    hits = data.draw(st.integers(0, texts))
    low, _ = proportion.proportion_confint(hits, texts, alpha=0.1, method="wilson")
    assert wilson_low(hits, texts) == pytest.approx(low, abs=1e-9)


@needs_cleanlab
def test_the_tools_get_the_same_questions_and_allowed_answers(tmp_path: Path) -> None:
    records = corpus()
    spoilt = list(records)
    spoilt[0] = replace(records[0], labels=(Label(topic="harbour", stance="positive"),))
    spoilt[2] = replace(records[2], labels=(), kind="brief")
    audit = audit_records(
        spoilt,
        SCHEMA,
        sure_answers(records),
        training=Training(source="s", records=records[:60]),
    )
    files = {path.relative_to(tmp_path).as_posix() for path in write_audit(audit, tmp_path)}
    assert files == {
        "audit.json",
        "label-studio/config.xml",
        "label-studio/tasks.json",
        "argilla/records.json",
        "argilla/.argilla/settings.json",
        "argilla/.argilla/dataset.json",
    }
    config = Tree.fromstring((tmp_path / "label-studio/config.xml").read_text("utf-8"))
    allowed = {
        item.attrib["name"]: [choice.attrib["value"] for choice in item]
        for item in config.iter("Choices")
    }
    assert list(allowed) == ["topic_0", "topic_1"]
    assert all(values == [ABSENT, "negative", "positive", "neutral"] for values in allowed.values())
    tasks = json.loads((tmp_path / "label-studio/tasks.json").read_text("utf-8"))
    shown = {item.attrib["value"].lstrip("$") for item in config if "value" in item.attrib}
    assert [task["data"]["id"] for task in tasks] == list(by_text(audit.suspects)) == ["t2", "t0"]
    for task in tasks:
        assert shown - set(SCHEMA.topic_names) <= set(task["data"])
        for prediction in task["predictions"]:
            for item in prediction["result"]:
                assert item["to_name"] == "text"
                assert set(item["value"]["choices"]) <= set(allowed[item["from_name"]])
    answers = [
        [item["value"]["choices"][0] for item in prediction["result"]]
        for prediction in tasks[0]["predictions"]
    ]
    assert answers == [[ABSENT, ABSENT], [ABSENT, "negative"]]
    settings = json.loads((tmp_path / "argilla/.argilla/settings.json").read_text("utf-8"))
    fields = {field["name"]: field["required"] for field in settings["fields"]}
    metadata = {item["name"] for item in settings["metadata"]}
    rows = json.loads((tmp_path / "argilla/records.json").read_text("utf-8"))
    for row in rows:
        assert {name for name, needed in fields.items() if needed} <= set(row["fields"])
        assert set(row["fields"]) <= set(fields)
        assert set(row["metadata"]) <= metadata
    suggested = {name: value["value"] for name, value in rows[0]["suggestions"].items()}
    assert suggested == {"topic_0": ABSENT, "topic_1": "negative"}
    saved = json.loads((tmp_path / "audit.json").read_text("utf-8"))
    assert saved == audit.to_dict()
    assert saved["suspect_texts"] == 2


@needs_cleanlab
def test_a_title_without_a_text_has_a_text_for_the_tools() -> None:
    records = corpus()
    answers = sure_answers(records)
    article = replace(records[2].article, title="Night trains withdrawn", text="")
    spoilt = [*records[:2], replace(records[2], article=article, labels=()), *records[3:]]
    fields = argilla_records(audit_records(spoilt, SCHEMA, answers))[0]["fields"]
    assert fields["text"] == fields["title"] == "Night trains withdrawn"


def test_names_of_topics_need_not_be_names_for_the_tools() -> None:
    wild = Schema(topics=(Topic(name="Über Nacht-Züge 2.0"),), stances=SCHEMA.stances)
    config = Tree.fromstring(label_studio_config(wild))
    assert [item.attrib["value"] for item in config.iter("Header")][-1] == "Über Nacht-Züge 2.0"
    question = argilla_settings(wild)["questions"][0]
    assert (question["name"], question["title"]) == ("topic_0", "Über Nacht-Züge 2.0")


@needs_cleanlab
def test_nothing_suspect_is_an_empty_list() -> None:
    records = corpus()
    audit = audit_records(records, SCHEMA, sure_answers(records))
    assert label_studio_tasks(audit) == argilla_records(audit) == []
