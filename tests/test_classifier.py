"""The façade: any text, in any company, gets the same answer; streams stay in order and lazy."""

from __future__ import annotations

import json
import random
import tracemalloc
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tiny
from cli_support import run
from hypothesis import given
from hypothesis import strategies as st

from stance.artifact import load_artifact
from stance.batching import CHUNK_ARTICLES, CHUNK_CHARACTERS
from stance.classifier import Classifier, LensScorer
from stance.errors import DataError, ModelError, UsageError
from stance.predictions import Prediction
from stance.records import Article

WORDS = tuple(tiny.vocabulary()[60:])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def classifier(folder: Path) -> Classifier:
    return Classifier.from_pretrained(folder, threads=1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    return Classifier.from_pretrained(tiny.trained_model(tmp_path_factory), threads=1)


def texts(n: int, seed: int = 0) -> list[str]:
    """Texts of one to sixty words, some with a fact on a topic."""
    rng = random.Random(seed)
    made = []
    for _ in range(n):
        sentences = [" ".join(rng.choices(WORDS, k=rng.randint(1, 20))) + "."]
        sentences += [tiny.filler(rng) for _ in range(rng.randint(0, 4))]
        if rng.random() < 0.5:
            topic, manner = rng.choice([*tiny.NOUNS]), rng.choice(["negative", "positive"])
            sentences.insert(rng.randint(0, len(sentences)), tiny.fact(topic, manner, rng))
        made.append(" ".join(sentences))
    return made


def numbers(prediction: Prediction) -> dict[str, float]:
    """All numbers of a prediction by their place in it."""
    found = {f"score {name}": value for name, value in prediction.scores.items()}
    for item in (*prediction.topics, *prediction.below):
        found |= {f"{item.topic} {n}": p for n, p in item.stance_probabilities.items()}
        for place, sentence in enumerate(item.evidence):
            found[f"{item.topic} evidence {place} presence"] = sentence.presence
            found[f"{item.topic} evidence {place} stance"] = sentence.stance
    return found


def labels(prediction: Prediction) -> list[tuple[Any, ...]]:
    """What a prediction says, without its numbers."""
    return [
        (item.topic, item.stance, item.uncertain, [(e.part, e.start) for e in item.evidence])
        for item in prediction.topics
    ]


def assert_same(one: Prediction, other: Prediction) -> None:
    assert labels(one) == labels(other)
    assert numbers(one) == pytest.approx(numbers(other), abs=1e-4)


def check_company(classifier: Classifier, group: list[str], order: random.Random) -> None:
    """Each text alone, among all, in another order, after others, and in small batches."""
    alone = [classifier.predict(text) for text in group]
    shuffled = order.sample(range(len(group)), len(group))
    among = {
        "together": classifier.predict_many(group),
        "in small batches": classifier.predict_many(group, batch_tokens=40),
        "again": map(classifier.predict, group),
    }
    for predictions in among.values():
        for one, other in zip(alone, predictions, strict=True):
            assert_same(one, other)
    for index, other in zip(
        shuffled, classifier.predict_many(group[i] for i in shuffled), strict=True
    ):
        assert_same(alone[index], other)


def test_company_does_not_change_an_answer(classifier: Classifier) -> None:
    check_company(classifier, texts(30), random.Random(1))


@pytest.mark.training
def test_company_does_not_change_an_answer_of_the_trained_int8_model(trained: Classifier) -> None:
    check_company(trained, texts(24, seed=5), random.Random(2))


def test_the_answer_is_the_known_one(classifier: Classifier) -> None:
    text = "Snow covers the road. Our quay of the village rots. The library opens in the town."
    prediction = classifier.predict(text)
    assert [item.topic for item in prediction.topics] == ["harbour"]
    found = prediction.topics[0]
    assert found.stance == "negative"
    assert [item.sentence for item in found.evidence] == ["Our quay of the village rots."]
    assert text[found.evidence[0].start : found.evidence[0].end] == found.evidence[0].sentence
    assert prediction.scores["orchard"] < 0.05


def test_two_topics_may_have_opposite_stances(classifier: Classifier) -> None:
    text = "The ferry of the town thrives. Our apples of the village suffers."
    stances = {item.topic: item.stance for item in classifier.predict(text).topics}
    assert stances == {"harbour": "positive", "orchard": "negative"}


def test_three_stances(tmp_path: Path) -> None:
    model = Classifier.from_pretrained(tiny.write_model(tmp_path / "m", tiny.THREE))
    for manner, verbs in tiny.VERBS.items():
        if manner in tiny.THREE.predicted_stances:
            found = model.predict(f"The harbour of the town {verbs[0]}.").topics[0]
            assert found.stance == manner
            assert len(found.stance_probabilities) == 3
            assert sum(found.stance_probabilities.values()) == pytest.approx(1)


def test_title_and_text_are_both_read(classifier: Classifier) -> None:
    article = Article(title="Harbour thrives.", text="Our orchard declines.", id="x")
    prediction = classifier.predict(article)
    assert {item.topic: item.stance for item in prediction.topics} == {
        "harbour": "positive",
        "orchard": "negative",
    }
    parts = {item.topic: item.evidence[0].part for item in prediction.topics}
    assert parts == {"harbour": "title", "orchard": "text"}
    only = classifier.predict(Article(title="Harbour thrives.", text=""))
    assert [item.topic for item in only.topics] == ["harbour"]


def test_a_mapping_is_an_article(classifier: Classifier) -> None:
    given_ = {"id": 7, "title": "Harbour thrives.", "text": "Snow.", "source": "a", "page": 3}
    prediction = classifier.predict(given_)
    assert prediction.id == "7"
    assert prediction.extra == {"source": "a", "page": 3}
    assert_same(prediction, classifier.predict(Article(title="Harbour thrives.", text="Snow.")))


@pytest.mark.parametrize("empty", ["", " \n\t", {"text": ""}, Article(text=" "), {"title": "t"}])
def test_an_article_without_text_is_refused(classifier: Classifier, empty: Any) -> None:
    with pytest.raises(DataError, match="text: expected"):
        classifier.predict(empty)


def test_a_refused_article_is_named(classifier: Classifier) -> None:
    with pytest.raises(DataError, match='record "a-17"'):
        classifier.predict(Article(text="", id="a-17"))


@pytest.mark.parametrize("wrong", [5, None, ["The quay thrives."], b"The quay thrives."])
def test_what_is_no_article_is_refused(classifier: Classifier, wrong: Any) -> None:
    with pytest.raises(DataError, match="expected a JSON object"):
        classifier.predict(wrong)


@given(text=st.text(min_size=1, max_size=200).filter(str.strip))
def test_any_text_is_read(classifier: Classifier, text: str) -> None:
    prediction = classifier.predict(text)
    for item in (*prediction.topics, *prediction.below):
        assert 0 <= item.probability <= 1
        assert item.evidence
        assert all(text[e.start : e.end] == e.sentence for e in item.evidence)


def test_evidence_of_all_sentences_adds_up_to_the_logits(folder: Path) -> None:
    scorer = LensScorer(load_artifact(folder))
    bias = load_artifact(folder).manifest.pooling
    assert bias is not None
    for scored in scorer.score([Article(text=text) for text in texts(10)], batch_tokens=500):
        scores = scored.scores
        assert scores.presence_shares.shape[0] == len(scored.sentences)
        assert scores.presence_shares.sum(axis=0) + bias.bias == pytest.approx(scores.presence)
        assert scores.stance_shares.sum(axis=0) == pytest.approx(scores.stance)


class Counting:
    """Articles that are made one at a time; knows how many were taken."""

    def __init__(self, items: Iterable[str]) -> None:
        self._items = list(items)
        self.taken = 0

    def __iter__(self) -> Iterator[Article]:
        for number, text in enumerate(self._items):
            self.taken += 1
            yield Article(text=text, id=str(number))


def test_a_stream_keeps_its_order_and_reads_little_ahead(classifier: Classifier) -> None:
    group = texts(3 * CHUNK_ARTICLES + 5, seed=3)
    source = Counting(group)
    stream = classifier.predict_many(source)
    assert source.taken == 0
    received = []
    for prediction in stream:
        received.append(prediction)
        assert source.taken - len(received) < CHUNK_ARTICLES
    assert [prediction.id for prediction in received] == [str(i) for i in range(len(group))]
    for index in range(0, len(group), 23):
        assert_same(received[index], classifier.predict(group[index]))


def test_few_long_articles_are_read_ahead(classifier: Classifier) -> None:
    text = long_text("The end.", n_words=8_000)
    source = Counting([text] * 12)
    for received, _ in enumerate(classifier.predict_many(source), start=1):
        assert (source.taken - received) * len(text) < CHUNK_CHARACTERS


def test_an_empty_stream_gives_nothing(classifier: Classifier) -> None:
    assert list(classifier.predict_many([])) == []


def long_text(last: str, *, n_words: int = 100_000) -> str:
    """Sentences on neither topic, and one on a topic at the very end."""
    rng = random.Random(7)
    sentences: list[str] = []
    while n_words > 0:
        sentences.append(tiny.filler(rng))
        n_words -= len(sentences[-1].split())
    return " ".join([*sentences, last])


def check_long(classifier: Classifier) -> None:
    last = "Our harbour of the village thrives."
    text = long_text(last)
    assert len(text.split()) >= 100_000
    tracemalloc.start()
    try:
        prediction = classifier.predict(text)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [item.topic for item in prediction.topics] == ["harbour"]
    found = prediction.topics[0]
    assert found.stance == "positive"
    assert [item.sentence for item in found.evidence] == [last]
    assert found.evidence[0].end == len(text)
    # Ids, sentences and a few numbers each; all outputs at once would be several times as much.
    assert peak < 60e6
    assert not classifier.predict(long_text("Snow.")).topics


def test_a_text_of_100_000_words_is_read_to_its_last_sentence(classifier: Classifier) -> None:
    check_long(classifier)


@pytest.mark.training
def test_the_trained_model_reads_100_000_words_to_the_last_sentence(trained: Classifier) -> None:
    check_long(trained)


def test_a_sentence_longer_than_a_window_is_one_sentence(classifier: Classifier) -> None:
    words = ["snow"] * 100
    words[90:98] = ["ferry"] * 8
    text = " ".join(words) + " thrives."
    found = classifier.predict(text).topics
    assert [(item.topic, item.stance) for item in found] == [("harbour", "positive")]
    assert [(e.start, e.end) for e in found[0].evidence] == [(0, len(text))]


def test_the_command_gives_what_the_class_gives(
    classifier: Classifier, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"id": f"n{i}", "text": text, "page": i} for i, text in enumerate(texts(9, seed=11))]
    source = tmp_path / "in.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    result = run(
        capsys, "predict", str(source), "--model", str(folder), "--format", "jsonl", "--full"
    )
    assert result.status == 0, result.err
    expected = [replace(item, extra={}) for item in classifier.predict_many(rows)]
    assert result.rows == [item.to_dict(full=True) for item in expected]


def test_a_wanted_precision_sets_the_thresholds(folder: Path) -> None:
    assert Classifier.from_pretrained(folder).thresholds == {"harbour": 0.4, "orchard": 0.4}
    strict = Classifier.from_pretrained(folder, precision=0.95)
    assert strict.thresholds == {"harbour": 0.9, "orchard": 0.9}
    with pytest.raises(UsageError, match="--precision"):
        Classifier.from_pretrained(folder, precision=2.0)


def test_a_stricter_precision_never_adds_a_finding(folder: Path) -> None:
    lenient, strict = (Classifier.from_pretrained(folder, precision=p) for p in (0.7, 1.0))
    for text in texts(20, seed=9):
        more = {item.topic for item in lenient.predict(text).topics}
        assert {item.topic for item in strict.predict(text).topics} <= more


def test_the_digest_names_the_model(classifier: Classifier, folder: Path) -> None:
    assert classifier.digest == load_artifact(folder).digest
    assert classifier.path == folder


@pytest.mark.parametrize("name", ["tokenizer.json", "model.xml", "model.bin"])
def test_a_manifest_must_list_what_is_run(folder: Path, tmp_path: Path, name: str) -> None:
    names = {"tokenizer.json", "model.xml", "model.bin", "schema.json"} - {name}
    files = {item: (folder / item).read_bytes() for item in names}
    other = tiny.write_folder(tmp_path / "m", files, tiny.manifest())
    with pytest.raises(ModelError, match=rf"does not list {name} as required"):
        Classifier.from_pretrained(other)


def test_a_file_that_is_no_tokenizer_is_named(folder: Path, tmp_path: Path) -> None:
    files = {
        item: (folder / item).read_bytes() for item in ("model.xml", "model.bin", "schema.json")
    }
    files["tokenizer.json"] = b'{"version": "9"}'
    other = tiny.write_folder(tmp_path / "m", files, tiny.manifest())
    with pytest.raises(ModelError, match=r"tokenizer\.json: not a tokenizer"):
        Classifier.from_pretrained(other)
