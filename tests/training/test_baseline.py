"""The baseline: exact shares, agreement with plain scikit-learn, the same after a round trip."""

from __future__ import annotations

import hashlib
import io
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stance.artifact import Artifact, FileEntry, Manifest, TopicCalibration
from stance.classifier import Classifier
from stance.decoding import ScoredArticle
from stance.errors import DataError, ModelError
from stance.evaluation import evaluate
from stance.records import Article, Label, Record
from stance.schema import Schema, Stance, Topic
from stance.sentences import split_sentences

sklearn = pytest.importorskip("sklearn")

from sklearn.feature_extraction.text import (  # noqa: E402
    CountVectorizer,
    TfidfVectorizer,
)
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.pipeline import FeatureUnion, Pipeline  # noqa: E402

from training.baseline import (  # noqa: E402
    FILES,
    VOCABULARY,
    WEIGHTS,
    Baseline,
    fit_baseline,
    load_scorer,
)
from training.linear import INVERSE_REGULARISATION  # noqa: E402
from training.settings import TrainingSettings, load_recipe  # noqa: E402

pytestmark = pytest.mark.training

SETTINGS = TrainingSettings(kind="baseline")
TWO = Schema(
    topics=(Topic(name="harbour"), Topic(name="weather")),
    stances=(
        Stance(name="negative"),
        Stance(name="positive"),
        Stance(name="neutral", predicted=False),
    ),
)
THREE = Schema(
    topics=TWO.topics,
    stances=tuple(Stance(name=name) for name in ("negative", "neutral", "positive")),
)
HARBOUR = {
    "negative": "The pier is closed after the quay gave way.",
    "positive": "The pier is open again and the quay is safe.",
    "neutral": "The pier lies next to the quay.",
}
WEATHER = {
    "negative": "Storms flood the valley.",
    "positive": "Sunshine warms the valley.",
    "neutral": "Clouds stand over the valley.",
}
FILLER = ("The council met on Monday.", "A new bakery sells rye bread.", "Nobody won the lottery.")


def tiny_records(schema: Schema, n: int = 40) -> list[Record]:
    """Texts with no topic, one, or both, in all stances by turns."""
    names = schema.stance_names
    records = []
    for number in range(n):
        filler = FILLER[number % 3]
        first, second = names[number % len(names)], names[(number // 3) % len(names)]
        labels = []
        sentences = [filler, f"That was day {number}."]
        if number % 4 in {1, 3}:
            labels.append(Label(topic="harbour", stance=first))
            sentences.insert(0, HARBOUR[first])
        if number % 4 in {2, 3}:
            labels.append(Label(topic="weather", stance=second))
            sentences.append(WEATHER[second])
        title = "Notes of the day" if number % 5 == 0 else None
        article = Article(id=str(number), title=title, text=" ".join(sentences))
        records.append(Record(id=str(number), article=article, labels=tuple(labels)))
    return records


@pytest.fixture(scope="module", params=[TWO, THREE], ids=["two stances", "three stances"])
def case(request: pytest.FixtureRequest) -> tuple[Schema, list[Record], Baseline]:
    schema: Schema = request.param
    records = tiny_records(schema)
    return schema, records, fit_baseline(records, schema, SETTINGS)


def artifact_of(
    schema: Schema, folder: Path, names: list[str], contents: dict[str, bytes] | None = None
) -> Artifact:
    read = contents or {name: (folder / name).read_bytes() for name in names}
    manifest = Manifest(
        kind="baseline",
        name="tiny",
        created="2025-01-01",
        schema_digest=schema.digest,
        calibration={topic: TopicCalibration() for topic in schema.topic_names},
        files={
            name: FileEntry(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))
            for name, data in read.items()
        },
    )
    return Artifact(path=folder, manifest=manifest, schema=schema, contents=read)


def logits(scored: list[ScoredArticle]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    return (
        np.stack([item.scores.presence for item in scored]),
        np.stack([item.scores.stance for item in scored]),
    )


class Reference:
    """The same model in plain scikit-learn, over whole texts."""

    def __init__(self) -> None:
        blocks = [("words", "word", (1, 2)), ("characters", "char_wb", (3, 5))]
        self.features = FeatureUnion(
            [
                (name, TfidfVectorizer(analyzer=self._analyzer(kind, span), min_df=2))
                for name, kind, span in blocks
            ]
        )

    @staticmethod
    def _analyzer(kind: str, span: tuple[int, int]) -> Any:
        analyze = CountVectorizer(analyzer=kind, ngram_range=span).build_analyzer()

        def terms(article: Article) -> list[str]:
            parts = [article.title or ""]
            parts += [sentence.text for sentence in split_sentences(article.text)]
            return [term for part in parts for term in analyze(part)]

        return terms

    def logits(self, train: list[Article], gold: list[Any], test: list[Article]) -> Any:
        regression = LogisticRegression(C=INVERSE_REGULARISATION, max_iter=1000)
        pipeline = Pipeline([("features", self.features), ("regression", regression)])
        return pipeline.fit(train, gold).decision_function(test)


def test_presence_agrees_with_a_pipeline_of_scikit_learn(
    case: tuple[Schema, list[Record], Baseline],
) -> None:
    schema, records, model = case
    articles = [record.article for record in records]
    presence, _ = logits(model.score(articles))
    for column, topic in enumerate(schema.topic_names):
        gold = [record.label(topic) is not None for record in records]
        expected = Reference().logits(articles, gold, articles)
        np.testing.assert_allclose(presence[:, column], expected, atol=2e-3)


def test_stance_agrees_with_a_pipeline_of_scikit_learn(
    case: tuple[Schema, list[Record], Baseline],
) -> None:
    schema, _, _ = case
    # Enough labels of each stance and topic for a regression per topic.
    records = tiny_records(schema, 150)
    model = fit_baseline(records, schema, SETTINGS)
    articles = [record.article for record in records]
    _, found = logits(model.score(articles))
    features = Reference().features.fit(articles)
    n_stances = len(schema.predicted_stances)
    for column, topic in enumerate(schema.topic_names):
        # A stance that is not predicted speaks for all stances, in equal parts.
        carried = [
            (record.article, name, 1.0 if label.stance == name else 1 / n_stances)
            for record in records
            if (label := record.label(topic))
            for name in schema.predicted_stances
            if label.stance == name or label.stance not in schema.predicted_stances
        ]
        articles_of, names, shares = zip(*carried, strict=True)
        regression = LogisticRegression(C=INVERSE_REGULARISATION, max_iter=1000)
        regression.fit(features.transform(articles_of), names, sample_weight=shares)
        # scikit-learn sorts classes by name, as the schemas here do.
        expected = regression.decision_function(features.transform(articles))
        np.testing.assert_allclose(found[:, column], expected.reshape(len(articles), -1), atol=5e-3)


words = st.sampled_from(" ".join([*HARBOUR.values(), *WEATHER.values(), *FILLER]).split())
texts = st.lists(words | st.text(max_size=8), min_size=1, max_size=40).map(" ".join)


@given(title=st.none() | texts, text=texts.filter(str.strip))
def test_shares_add_up(
    case: tuple[Schema, list[Record], Baseline], title: str | None, text: str
) -> None:
    _, _, model = case
    (scored,) = model.score([Article(title=title, text=text)])
    scores = scored.scores
    assert len(scores.presence_shares) == len(scores.stance_shares) == len(scored.sentences)
    (nothing,) = model.score([Article(text="\U0001f6a2")])
    bias = nothing.scores.presence  # a text without a known term has nothing but the bias
    total = scores.presence_shares.sum(axis=0) + bias
    np.testing.assert_allclose(total, scores.presence, atol=1e-9)
    np.testing.assert_allclose(scores.stance_shares.sum(axis=0), scores.stance, atol=1e-9)


@given(before=st.lists(texts, max_size=3), text=texts.filter(str.strip))
def test_a_text_alone_scores_as_in_company(
    case: tuple[Schema, list[Record], Baseline], before: list[str], text: str
) -> None:
    _, _, model = case
    (alone,) = model.score([Article(text=text)])
    company = model.score([*(Article(text=other) for other in before), Article(text=text)])
    np.testing.assert_allclose(alone.scores.presence, company[-1].scores.presence, atol=1e-9)
    np.testing.assert_allclose(alone.scores.stance, company[-1].scores.stance, atol=1e-9)


def test_the_share_falls_to_the_sentence_that_speaks_of_the_topic(
    case: tuple[Schema, list[Record], Baseline],
) -> None:
    _, _, model = case
    text = f"{FILLER[0]} {WEATHER['negative']} {FILLER[1]}"
    (scored,) = model.score([Article(text=text)])
    strongest = int(scored.scores.presence_shares[:, 1].argmax())
    assert scored.sentences[strongest].text == WEATHER["negative"]


def test_saved_and_loaded_scores_the_same(
    case: tuple[Schema, list[Record], Baseline], tmp_path: Path
) -> None:
    schema, records, model = case
    names = model.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names) == sorted(FILES)
    loaded = load_scorer(artifact_of(schema, tmp_path, names))
    articles = [record.article for record in records]
    for one, other in zip(
        logits(model.score(articles)),
        logits(loaded.score(articles, batch_tokens=2_048)),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


def test_training_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        fit_baseline(tiny_records(TWO), TWO, SETTINGS).save(tmp_path / name)
    for name in FILES:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_forty_texts_are_learnt(
    case: tuple[Schema, list[Record], Baseline], tmp_path: Path
) -> None:
    schema, records, model = case
    artifact = artifact_of(schema, tmp_path, model.save(tmp_path))
    classifier = Classifier(artifact, load_scorer(artifact))
    known = [r for r in records if all(x.stance in schema.predicted_stances for x in r.labels)]
    predictions = classifier.predict_many(record.article for record in known)
    overall = evaluate(known, predictions, schema, resamples=0).overall
    assert overall.value("topics", "micro", "f1") == 1.0
    assert overall.value("sure", "stance", "accuracy") == 1.0


def test_a_topic_with_few_labels_takes_the_stance_of_the_others() -> None:
    records = [r for r in tiny_records(TWO, 80) if not r.label("weather")]
    extra = Record(
        id="w",
        article=Article(text="Frost over the valley. The mayor is safe again."),
        labels=(Label(topic="weather", stance="positive"),),
    )
    model = fit_baseline([*records, extra], TWO, SETTINGS)
    _, stances = logits(
        model.score([Article(text=HARBOUR["positive"]), Article(text=HARBOUR["negative"])])
    )
    assert stances[0, 1, 0] > 0 > stances[1, 1, 0]


@pytest.mark.parametrize("schema", [TWO, THREE])
def test_labels_of_one_stance_alone_are_no_obstacle(schema: Schema) -> None:
    records = [
        Record(
            id=r.id,
            article=r.article,
            labels=tuple(Label(topic=x.topic, stance="positive") for x in r.labels),
        )
        for r in tiny_records(schema)
        if r.labels
    ]
    # All texts carry a topic here, and no text carries the stance negative.
    _, stances = logits(fit_baseline(records, schema, SETTINGS).score([records[0].article]))
    if schema is TWO:
        assert (stances[0, :, 0] > 0).all()
    else:
        assert (stances[0].argmax(axis=1) == 2).all()


def test_a_stance_without_examples_is_never_chosen() -> None:
    records = [
        record
        for record in tiny_records(THREE, 120)
        if all(label.stance != "neutral" for label in record.labels)
    ]
    model = fit_baseline(records, THREE, SETTINGS)
    _, stances = logits(model.score([Article(text=text) for text in (*HARBOUR.values(), "New.")]))
    assert (stances.argmax(axis=2) != 1).all()


def test_lone_surrogates_are_read(tmp_path: Path) -> None:
    records = tiny_records(TWO)
    odd = [
        Record(id=f"odd{n}", article=Article(text="Pier \ud800 and quay \udfff."), labels=())
        for n in range(2)
    ]
    fit_baseline([*records, *odd], TWO, SETTINGS).save(tmp_path)


def test_texts_without_common_words_are_refused() -> None:
    records = [
        Record(id=name, article=Article(text=name), labels=()) for name in ("abc", "xyz", "?")
    ]
    with pytest.raises(DataError, match="at least 2 training texts"):
        fit_baseline(records, TWO, SETTINGS)


def _arrays(contents: dict[str, bytes], **changed: Any) -> dict[str, bytes]:
    with np.load(io.BytesIO(contents[WEIGHTS]), allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    kept = {name: array for name, array in {**arrays, **changed}.items() if array is not None}
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=True, **kept)
    return {**contents, WEIGHTS: stream.getvalue()}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: {VOCABULARY: c[VOCABULARY]}, "does not list baseline.npz"),
        (lambda c: {**c, WEIGHTS: b"PK no arrays"}, "expected NumPy arrays"),
        (lambda c: {**c, VOCABULARY: b"[1"}, "expected JSON"),
        (lambda c: {**c, VOCABULARY: b'{"words": ["a"]}'}, "expected lists of different terms"),
        (
            lambda c: {**c, VOCABULARY: b'{"words": ["a", "a"], "characters": []}'},
            "expected lists of different terms",
        ),
        (
            lambda c: {**c, VOCABULARY: b'{"words": ["a"], "characters": []}'},
            "idf: expected the shape (1,), found",
        ),
        (
            lambda c: _arrays(c, stance_bias=None),
            "stance_bias: expected float32 in 2 dimensions, found nothing",
        ),
        (
            lambda c: _arrays(c, presence_bias=np.array([np.nan, 0], np.float32)),
            "presence_bias: expected finite numbers",
        ),
        (
            lambda c: _arrays(c, idf=np.array([object()], dtype=object)),
            "idf: expected a NumPy array, found another header",
        ),
    ],
)
def test_files_that_do_not_fit_are_refused(change: Any, message: str, tmp_path: Path) -> None:
    model = fit_baseline(tiny_records(TWO), TWO, SETTINGS)
    contents = {name: (tmp_path / name).read_bytes() for name in model.save(tmp_path)}
    changed = change(contents)
    with pytest.raises(ModelError, match=re.escape(message)):
        load_scorer(artifact_of(TWO, tmp_path, [], changed))


def test_a_baseline_is_used_without_torch() -> None:
    code = "import sys, training.baseline; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_recipe_asks_for_a_baseline() -> None:
    assert load_recipe("baseline").kind == "baseline"
