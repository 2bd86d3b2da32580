"""The behavioural tests: perturbations keep their promises, templates are sound, counts right."""

# ruff: noqa: RUF001 - quotation marks and dashes of all kinds are what is tested.

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from cli_support import SCHEMA, FakeClassifier
from hypothesis import given
from hypothesis import strategies as st
from strategies import any_text

pytest.importorskip("benchmarks", reason="the benchmarks lie in the checkout alone")

from benchmarks.behaviour import __main__ as command
from benchmarks.behaviour import perturbations as change
from benchmarks.behaviour.checks import (
    ANY,
    PAIRS,
    REMOVAL,
    Case,
    Outcome,
    invariance_cases,
    pair_cases,
    removal_cases,
    report,
    run,
    template_cases,
)
from benchmarks.behaviour.countries import GROUPS, Country, draw_swap, swap_names, with_an
from benchmarks.behaviour.templates import ACCUSATION, CONTRASTS, Contrast, fill
from stance.dataset import load_records
from stance.errors import ModelError
from stance.predictions import Prediction
from stance.records import Article, Label, Record
from stance.schema import Schema
from stance.sentences import split_sentences
from stance.splits import Splits

SEEDS = Path(__file__).parent.parent / "seeds"

# What news is made of, so that each perturbation finds something to do.
PIECES = (
    "Moscow", "Kiev", "an Indian", "a Polish visa", "Poles", "New Delhi", "the United States",
    "cyberattacks", "VISAS", "strategic", "nuclear", "officials said", "aaaa",
    "3", "1,250", "30 March", "March 30", "2014", "S-400", "5G", "9/11", "41-nation", "0.5",
    '"We', 'agree,"', "he said.", "They can't.", "'irritants'", "It ended.", "\n", "\n\n", "  ",
    "—", "LONDON -", "ß", "İ",
)  # fmt: skip
passages = st.lists(st.sampled_from(PIECES) | any_text, max_size=30).map(" ".join)
seeds = st.integers(0, 2**40)
articles = st.builds(Article, title=st.none() | passages, text=passages, id=st.just("it"))
PERTURBATIONS = (
    change.typos,
    change.upper_case,
    change.title_case_headline,
    change.lower_case_headline,
    change.other_countries,
    change.other_numbers,
    change.other_quotes,
    change.double_spaces,
    change.line_breaks,
    change.wrapped_lines,
    change.agency_tag,
    change.without_title,
)


def whole(article: Article) -> str:
    return f"{article.title}\n{article.text}"


@pytest.mark.parametrize("perturb", PERTURBATIONS)
@given(seed=seeds)
def test_there_is_something_to_change(perturb: change.Perturbation, seed: int) -> None:
    # The properties below hold of perturbations that do nothing, too.
    article = Article(title="New visa talks", text=" ".join(PIECES) + " wrapped" * 9)
    assert perturb(article, seed) != article


@pytest.mark.parametrize("perturb", PERTURBATIONS)
@given(article=articles, seed=seeds)
def test_the_same_article_and_seed_give_the_same_article(
    perturb: change.Perturbation, article: Article, seed: int
) -> None:
    changed = perturb(article, seed)
    assert changed == perturb(article, seed)
    assert changed.id == article.id
    assert article.title is not None or changed.title is None


@given(articles, seeds)
def test_typos_swap_letters_within_few_words_and_spare_the_topics_names(
    article: Article, seed: int
) -> None:
    before, after = whole(article), whole(change.typos(article, seed))
    assert len(before) == len(after)
    places = [at for at in range(len(before)) if before[at] != after[at]]
    # Every swap leaves two neighbouring places; a word is changed once.
    assert len(places) % 2 == 0
    words = re.compile(r"\b[A-Za-z]{4,}\b")
    changed = 0
    for old, new in zip(words.finditer(before), words.finditer(after), strict=True):
        if old[0] == new[0]:
            continue
        changed += 1
        differing = [at for at, sign in enumerate(old[0]) if sign != new[0][at]]
        assert old[0][0] == new[0][0]
        assert differing == [differing[0], differing[0] + 1]
        assert Counter(old[0]) == Counter(new[0])
        assert not old[0].lower().startswith(("cyber", "visa", "strategic", "stability"))
    assert changed == len(places) // 2
    n_words = len((article.title or "").split()) + len(article.text.split())
    assert changed <= max(1, round(n_words / 50))


def test_typos_come_in_one_word_of_fifty_and_in_one_at_least() -> None:
    for n_words, wanted in ((4, 1), (100, 2), (200, 4)):
        text = " ".join(["signal"] * n_words)
        changed = change.typos(Article(text=text), 7).text.split()
        assert sum(word != "signal" for word in changed) == wanted


@pytest.mark.parametrize(
    "perturb", [change.upper_case, change.title_case_headline, change.lower_case_headline]
)
@given(article=articles, seed=seeds)
def test_case_changes_nothing_but_case(
    perturb: change.Perturbation, article: Article, seed: int
) -> None:
    before, after = whole(article), whole(perturb(article, seed))
    assert [sign.lower() for sign in before] == [sign.lower() for sign in after]


def test_the_case_is_what_the_name_says() -> None:
    article = Article(title="Visa talks, it's said", text="A-b c")
    assert change.upper_case(article, 0) == Article(title="VISA TALKS, IT'S SAID", text="A-B C")
    titled = change.title_case_headline(article, 0)
    assert titled == Article(title="Visa Talks, It's Said", text="A-b c")
    assert change.lower_case_headline(article, 0).title == "visa talks, it's said"
    assert change.lower_case_headline(Article(text="Visa talks"), 0).text == "visa talks"


COUNTRIES = [(country, group) for group in GROUPS for country in group]
STORY = (
    "{c.name} and {c.capital}: {article} {c.adjective} ship, {c.people}, {c.name}'s {c.person}. "
    "{capital} - {c.adjective}-led; {c.other}"
)


def story(country: Country) -> str:
    article = "an" if with_an(country.adjective) else "a"
    text = STORY.replace("{c.other}", country.forms[-1])
    return text.format(c=country, article=article, capital=country.capital.upper())


@given(st.sampled_from(COUNTRIES), seeds)
def test_names_are_swapped_within_the_group_and_throughout(
    chosen: tuple[Country, Sequence[Country]], seed: int
) -> None:
    country, group = chosen
    changed = change.other_countries(Article(title=country.name, text=story(country)), seed)
    others = [other for other in group if other.name == changed.title]
    assert len(others) == 1
    assert others[0] != country
    # Where the old capital has one spelling, the new one gets its usual one.
    expected = story(others[0])
    if country.forms[-1] == country.capital:
        expected = expected.removesuffix(others[0].forms[-1]) + others[0].capital
    assert changed.text == expected


@given(seeds)
def test_no_two_countries_get_the_same_name(seed: int) -> None:
    swap = draw_swap(seed)
    names = [country.name for group in GROUPS for country in group]
    assert sorted(swap[name] for name in names) == sorted(names)


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_has_one_grammar(group: Sequence[Country]) -> None:
    # Where adjective, citizen and people are one word for one, they are for all.
    patterns = {
        tuple(one == other for one in country.forms[:4] for other in country.forms[:4])
        for country in group
    }
    assert len(patterns) == 1
    assert len(group) > 1


def test_articles_and_names_of_other_things() -> None:
    swap = {"Indian": "Russian", "Russian": "Indian", "Mexico": "Peru"}
    swap = {**draw_swap(0), **swap}
    assert swap_names("A Russian and an Indian", swap) == "An Indian and a Russian"
    assert swap_names("New Mexico, Mexico, Indian Ocean", swap) == "New Mexico, Peru, Indian Ocean"
    assert not with_an("Ukrainian")
    assert with_an("Uzbek")


@given(articles, seeds)
def test_numbers_keep_their_digits_in_number_and_all_else(article: Article, seed: int) -> None:
    before, after = whole(article), whole(change.other_numbers(article, seed))
    assert re.sub(r"[0-9]", "#", before) == re.sub(r"[0-9]", "#", after)


@given(seeds, st.integers(2, 999_999) | st.integers(1900, 2099))
def test_a_number_stays_of_its_size(seed: int, number: int) -> None:
    changed = change.other_numbers(Article(text=f"about {number} votes"), seed).text.split()[1]
    assert changed != "1"
    assert changed[0] == str(number)[0] or number < 10
    assert changed[:2] == str(number)[:2] or number not in range(1900, 2100)


@given(seeds)
def test_days_stay_days_and_names_stay_names(seed: int) -> None:
    text = "on 30 May, on Sept. 31, the S-400, H-1B, 5G, 9/11, 1 man"
    days = re.fullmatch(
        r"on (\d\d) May, on Sept. (\d\d), the S-400, H-1B, 5G, 9/11, 1 man",
        change.other_numbers(Article(text=text), seed).text,
    )
    assert days
    assert all(10 <= int(day) <= 28 for day in days.groups())


STRAIGHT = str.maketrans("“”‘’", "\"\"''")


@given(articles, seeds)
def test_quotation_marks_change_their_shape_alone(article: Article, seed: int) -> None:
    before, after = whole(article), whole(change.other_quotes(article, seed))
    assert before.translate(STRAIGHT) == after.translate(STRAIGHT)
    if before == before.translate(STRAIGHT):
        assert not {'"', "'"} & set(after)
    else:
        assert after == before.translate(STRAIGHT)


def test_quotation_marks_open_and_close() -> None:
    article = Article(text='"We can\'t \'wait\'," he said ("never").')
    changed = change.other_quotes(article, 0)
    assert changed.text == "“We can’t ‘wait’,” he said (“never”)."
    assert change.other_quotes(changed, 0) == article


@pytest.mark.parametrize(
    "perturb", [change.double_spaces, change.line_breaks, change.wrapped_lines]
)
@given(article=articles, seed=seeds)
def test_nothing_but_whitespace_changes(
    perturb: change.Perturbation, article: Article, seed: int
) -> None:
    before, after = whole(article), whole(perturb(article, seed))
    assert before.split() == after.split()


@given(seeds)
def test_whitespace_changes_where_it_should(seed: int) -> None:
    text = "They met. Nothing was agreed. " * 8
    article = Article(text=text.strip())
    assert "  " in change.double_spaces(article, seed).text
    lines = change.line_breaks(article, seed).text.splitlines()
    assert [line for line in lines if line] == [it.text for it in split_sentences(article.text)]
    close = Article(text="One!Two is here. Three.")
    assert change.line_breaks(close, seed).text.split("\n")[0] == "One!Two is here."


def test_lines_are_wrapped_to_72_columns_and_long_words_stay_whole() -> None:
    line, link = "four six " * 8, "x" * 80
    changed = change.wrapped_lines(Article(text=f"{line}{line}{link} y"), 0).text
    assert changed.split("\n") == [line[:-1], line[:-1], link, "y"]


@given(articles, seeds)
def test_an_agency_tag_stands_before_the_whole_text(article: Article, seed: int) -> None:
    changed = change.agency_tag(article, seed)
    assert changed.title == article.title
    assert changed.text.endswith(article.text)
    tag = changed.text.removesuffix(article.text)
    assert tag == "" or re.match(r"[A-Z ]{6,}[ ,].*[ ]$", tag)
    assert change.agency_tag(changed, seed) == changed


@pytest.mark.parametrize(
    ("text", "tagged"),
    [
        ("PARIS - Talks ended.", False),
        ("MOSCOW, May 3. /Agency/. Talks ended.", False),
        ("WASHINGTON (AP) — Talks ended.", False),
        ("Talks ended.", True),
        ("US and China end talks", True),
    ],
)
def test_a_text_with_a_dateline_gets_no_second_one(text: str, tagged: bool) -> None:
    assert (change.agency_tag(Article(text=text), 3).text != text) is tagged


@given(articles, passages)
def test_a_paragraph_stands_apart_from_the_text(article: Article, paragraph: str) -> None:
    before = change.paragraph_before(article, paragraph)
    after = change.paragraph_after(article, paragraph)
    assert before.text == f"{paragraph}\n\n{article.text}"
    assert after.text == f"{article.text}\n\n{paragraph}"
    assert before.title == after.title == article.title


def test_an_articles_own_paragraph_is_not_drawn() -> None:
    article = Article(text="One.\nTwo.")
    assert {change.draw_paragraph(article, seed, ["One.", "Three."]) for seed in range(9)} == {
        "Three."
    }
    assert change.draw_paragraph(article, 0, ["One."]) is None


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("It rained. Gone. It snowed.", "It rained. It snowed."),
        ("Gone. It snowed.", "It snowed."),
        ("It rained. Gone.", "It rained."),
        ("It rained.\nGone.\nIt snowed.", "It rained.\n\nIt snowed."),
    ],
)
def test_a_sentence_goes_with_its_space_and_the_title(text: str, left: str) -> None:
    assert change.without_sentence(Article(title="T", text=text), "Gone.") == Article(text=left)


def test_each_topic_and_stance_has_templates_enough() -> None:
    flips = [item for item in CONTRASTS if item.test != ACCUSATION]
    assert all(item.stances == ("positive", "negative") for item in flips)
    counts = Counter(item.topic for item in flips)
    assert set(counts) == set(Schema.load(SEEDS / "schema.json").topic_names)
    assert min(counts.values()) >= 12
    assert all(
        item.stances == ("negative", "negative") for item in CONTRASTS if item.test == ACCUSATION
    )
    texts = [text for item in CONTRASTS for text in (item.first, item.second)]
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("contrast", CONTRASTS, ids=lambda contrast: contrast.first)
@given(seed=seeds)
def test_filled_templates_are_sentences(contrast: Contrast, seed: int) -> None:
    pairs = list(fill(contrast, seed, 5))
    assert pairs == list(fill(contrast, seed, 5))
    assert 1 <= len(pairs) == len(set(pairs)) <= 5
    for first, second in pairs:
        assert first != second
        for text in (first, second):
            assert not set("{}") & set(text)
            assert text[0].isupper()
            assert not re.search(r"\b[Aa] [AEIO]|\b[Aa]n (?![aeioAEIO]|Uz)|  ", text)
            assert len(split_sentences(text)) == 1


def record(name: str, text: str, *labels: Label, **fields: str) -> Record:
    title = fields.pop("title", None)
    return Record(
        id=name, article=Article(text=text, title=title, id=name), labels=labels, **fields
    )


RIVERS = Label(topic="rivers", stance="positive", evidence=("The rivers rose.",))
BRIDGES = Label(topic="bridges", stance="negative")
LONG = "Bakers in the old town sold more bread than ever before on a long and sunny market day"
NEWS = (
    record("a", "The rivers rose.", RIVERS, BRIDGES, kind="headline", pair="p"),
    record(
        "b",
        "The bad rivers rose in 14 towns. It was late.",
        Label(topic="rivers", stance="negative"),
        BRIDGES,
        title="Bad rivers",
        pair="p",
    ),
    record("c", f"{LONG}.", kind="brief"),
    record("d", "The rivers lie there.", Label(topic="rivers", stance="neutral"), kind="headline"),
)


def test_invariance_cases_are_of_texts_that_a_perturbation_changes() -> None:
    cases = list(invariance_cases(NEWS, most=9, seed=0, unpredicted=["neutral"]))
    assert all(case.before != case.after and not case.expected for case in cases)
    by_test: dict[str, list[Case]] = {}
    for case in cases:
        by_test.setdefault(case.test, []).append(case)
    # The long text is the only paragraph without a topic, and its own.
    assert {case.id for case in by_test["unrelated paragraph before"]} == {"a", "b"}
    assert all(LONG in case.after.text for case in by_test["unrelated paragraph after"])
    assert {case.id for case in by_test["headline in small letters"]} == {"a", "b"}
    assert {case.id for case in by_test["other numbers"]} == {"b"}
    assert "title dropped" not in by_test  # b's label has no evidence
    assert "d" not in {case.id for case in cases}


def test_at_most_so_many_texts_and_the_seed_says_which() -> None:
    def taken(seed: int) -> list[str]:
        cases = invariance_cases(NEWS, most=1, seed=seed)
        return [case.id for case in cases if case.test == "all in capitals"]

    assert all(len(taken(seed)) == 1 for seed in range(9))
    assert len({*map(tuple, map(taken, range(9)))}) > 1
    assert taken(3) == taken(3)


def test_a_text_is_changed_alike_whatever_else_is_there() -> None:
    def cases(records: Sequence[Record]) -> dict[tuple[str, str], str]:
        made = invariance_cases(records, most=9, seed=5)
        return {(it.test, it.id): it.after.text for it in made if "paragraph" not in it.test}

    assert cases(NEWS[1:2]).items() <= cases(NEWS).items()


def test_pairs_are_tested_on_the_label_that_differs() -> None:
    (case,) = pair_cases(NEWS, ["neutral"])
    assert (case.id, case.test) == ("p", PAIRS)
    assert case.expected == {"rivers": ("positive", "negative")}
    assert not list(pair_cases(NEWS, ["positive"]))
    assert not list(pair_cases(NEWS[:1]))


@pytest.fixture(scope="module")
def split() -> list[Record]:
    return Splits.load(SEEDS / "splits.json").select(load_records(SEEDS), "test")


def test_every_deletion_is_of_a_texts_only_evidence(split: list[Record]) -> None:
    by_id = {item.id: item for item in split}
    cases = list(removal_cases(split))
    # As many as the list has: none of its ids is gone from the split, or has another label.
    assert len(cases) == 81
    for case in cases:
        ((topic, stances),) = case.expected.items()
        label = by_id[case.id].label(topic)
        assert label is not None
        assert len(label.evidence) == 1
        assert stances == (ANY, None)
        assert label.evidence[0] in case.before.text
        assert label.evidence[0] not in case.after.text
        assert case.test == REMOVAL


def test_the_corpus_gives_every_test_its_cases(split: list[Record]) -> None:
    counts = Counter(case.test for case in invariance_cases(split, most=100, seed=0))
    assert len(counts) == 14
    assert set(counts.values()) == {100}
    assert sum(1 for _ in pair_cases(split, ["neutral"])) >= 40


def case(before: str, after: str, **fields: object) -> Case:
    chosen = {"test": "t", "kind": "invariance", "id": "i", **fields}
    return Case(before=Article(text=before), after=Article(text=after), **chosen)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("before", "after", "checked", "how"),
    [
        ("rivers", "rivers!", 1, None),
        ("rivers", "bad rivers", 1, "stance"),
        ("rivers", "ponds", 1, "missed"),
        ("ponds", "rivers", 1, "added"),
        ("ponds", "lakes", 0, None),
        ("rivers", "rivers, bridges", 2, "added"),
    ],
)
def test_labels_that_change_are_counted(
    before: str, after: str, checked: int, how: str | None
) -> None:
    (outcome,), failures = run([case(before, after)], FakeClassifier(), SCHEMA.topic_names)
    assert outcome.checked.total() == checked
    assert outcome.how == Counter([how] if how else [])
    assert outcome.failed.total() == len(failures) == (how is not None)


@pytest.mark.parametrize(
    ("before", "after", "expected", "how"),
    [
        ("rivers", "bad rivers", ("positive", "negative"), None),
        ("rivers", "rivers!", ("positive", "negative"), "stance"),
        ("bad rivers", "rivers", ("positive", "negative"), "stance"),
        ("ponds", "bad rivers", ("positive", "negative"), "missed"),
        ("rivers", "ponds", (ANY, None), None),
        ("bad rivers", "ponds", (ANY, None), None),
        ("rivers", "rivers!", (ANY, None), "added"),
        ("ponds", "lakes", (ANY, None), "missed"),
    ],
)
def test_pairs_that_do_not_change_as_they_should_are_counted(
    before: str, after: str, expected: tuple[str | None, str | None], how: str | None
) -> None:
    tested = case(before, after, kind="direction", expected={"rivers": expected})
    (outcome,), failures = run([tested], FakeClassifier(), SCHEMA.topic_names)
    assert outcome.checked == Counter({"rivers": 1})
    assert outcome.how == Counter([how] if how else [])
    for failure in failures:
        assert failure["expected"] == list(expected)
        assert failure["before"] == {"title": None, "text": before}
        assert failure["wrong"] == how


def test_every_text_is_read_once() -> None:
    fake = FakeClassifier()
    run([case("rivers", "rivers!"), case("rivers", "ponds")], fake, SCHEMA.topic_names)
    assert fake.read == 3


def test_the_table_has_the_worst_test_first_and_says_what_misses() -> None:
    good = [case("rivers", f"rivers {number}", test="good") for number in range(20)]
    cases = [
        *good,
        case("bridges", "ponds", test="good"),
        case("rivers", "ponds", test="poor"),
        case("rivers", "bad rivers", test="poor"),
        case("rivers", "rivers!", test="poor"),
        case(
            "rivers",
            "bad rivers",
            test="turn",
            kind="direction",
            expected={"rivers": ("positive", "negative")},
        ),
    ]
    outcomes, _ = run(cases, FakeClassifier(), SCHEMA.topic_names)
    table = report(outcomes, SCHEMA.topic_names).splitlines()
    assert table[0].startswith("| test | kind | checked | failed | share | rivers | bridges |")
    assert table[2:5] == [
        "| poor | invariance | 3 | 2 | 66.7 % | 2/3 | - | missed 1, stance 1 | 5 %: missed |",
        "| good | invariance | 21 | 1 | 4.8 % | 0/20 | 1/1 | missed 1 | 5 %: met |",
        "| turn | direction | 1 | 0 | 0.0 % | 0/1 | - | - | 20 %: met |",
    ]
    assert table[6:] == [
        "- invariance: 3 of 24 labels changed (12.5 %); the limit is missed by 1 of 2 tests: poor.",
        "- direction: 0 of 1 pairs failed (0.0 %); the limit is met by all 1 tests.",
    ]


@pytest.mark.parametrize(("n_failed", "met"), [(1, False), (0, True)])
def test_the_share_must_be_under_the_limit(n_failed: int, met: bool) -> None:
    outcome = Outcome("t", "invariance", Counter(x=20), Counter(x=n_failed))
    assert outcome.met is met


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "corpus"
    folder.mkdir()
    schema = {**SCHEMA.to_dict()}
    schema["stances"] = [*schema["stances"], {"name": "neutral", "predicted": False}]
    (folder / "schema.json").write_text(json.dumps(schema), encoding="utf-8")
    lines = [json.dumps(item.to_dict()) + "\n" for item in NEWS]
    (folder / "news.jsonl").write_text("".join(lines), encoding="utf-8")
    Splits(splits={"test": tuple(item.id for item in NEWS)}).save(folder / "splits.json")
    monkeypatch.setattr(command, "SEEDS", folder)
    return folder


def use(monkeypatch: pytest.MonkeyPatch, load: Callable[..., object]) -> None:
    monkeypatch.setattr(command.Classifier, "from_pretrained", load)


@pytest.mark.usefixtures("corpus")
def test_the_command_prints_and_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use(monkeypatch, lambda *_, **__: FakeClassifier())
    out = tmp_path / "out"
    assert command.main(["--out", str(out), "--texts", "2"]) == 0
    printed = capsys.readouterr().out
    assert (out / "behaviour.md").read_text(encoding="utf-8") == printed
    # The fake knows the pair of the corpus, and nothing of the templates' topics.
    assert f"| {PAIRS} | direction | 1 | 0 |" in printed
    lines = (out / "failures.jsonl").read_text(encoding="utf-8").splitlines()
    failures = [json.loads(line) for line in lines]
    assert len(list(template_cases(0))) == sum(
        failure["id"].startswith("template-") for failure in failures
    )


@pytest.mark.usefixtures("corpus")
def test_the_command_words_its_errors(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object, **__: object) -> Prediction:
        raise ModelError("nowhere: expected a model folder")

    use(monkeypatch, refuse)
    assert command.main(["--model", "nowhere"]) == 3
    assert capsys.readouterr().err == "nowhere: expected a model folder\n"
    with pytest.raises(SystemExit):
        command.main(["--texts", "0"])
    assert "expected a whole number above 0" in capsys.readouterr().err
