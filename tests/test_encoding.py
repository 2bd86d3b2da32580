"""Articles become windows that hold every token once, in order, and are padded without a trace."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, pairwise

import numpy as np
import pytest
import tiny
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, processors

from stance.encoding import ArticleEncoder, Segment, Window
from stance.errors import ModelError
from stance.records import Article

CLS, SEP = (tiny.vocabulary().index(name) for name in ("[CLS]", "[SEP]"))
widths = st.integers(8, 24)
# Token ids of sentences; some sentences have no tokens, some are longer than a window.
sentence_ids = st.lists(st.lists(st.integers(5, 90), max_size=60), max_size=12)
words = st.sampled_from([*tiny.vocabulary()[60:], "Quay", "unknownish", ".", "?", "\n", "5"])
texts = st.lists(words, min_size=1, max_size=40).map(" ".join) | st.text(max_size=80)


def flat(lists: Iterable[list[int]]) -> list[int]:
    return list(chain.from_iterable(lists))


@given(ids=sentence_ids, width=widths)
def test_windows_hold_every_token_once_and_in_order(ids: list[list[int]], width: int) -> None:
    windows = list(tiny.encoder(width).pack(ids))
    assert flat(window.token_ids for window in windows) == flat(ids)
    for window in windows:
        assert 0 < len(window.token_ids) <= width - 2
        edges = [segment.start for segment in window.segments]
        ends = [segment.end for segment in window.segments]
        assert edges == [0, *ends[:-1]]
        assert ends[-1] == len(window.token_ids)


@given(ids=sentence_ids, width=widths)
def test_segments_name_the_sentence_that_their_tokens_are_of(
    ids: list[list[int]], width: int
) -> None:
    pieces: dict[int, list[list[int]]] = {}
    order = []
    for window in tiny.encoder(width).pack(ids):
        for segment in window.segments:
            pieces.setdefault(segment.sentence, []).append(
                window.token_ids[segment.start : segment.end]
            )
            order.append(segment.sentence)
    assert order == sorted(order)
    assert {number: flat(parts) for number, parts in pieces.items()} == {
        number: sentence for number, sentence in enumerate(ids) if sentence
    }


@given(ids=sentence_ids, width=widths)
def test_a_sentence_is_split_only_if_it_is_longer_than_a_window(
    ids: list[list[int]], width: int
) -> None:
    segments = [segment for window in tiny.encoder(width).pack(ids) for segment in window.segments]
    for number, sentence in enumerate(ids):
        count = sum(segment.sentence == number for segment in segments)
        assert count == -(-len(sentence) // (width - 2))


@given(ids=sentence_ids, width=widths)
def test_a_window_ends_only_where_the_next_piece_does_not_fit(
    ids: list[list[int]], width: int
) -> None:
    windows = list(tiny.encoder(width).pack(ids))
    for window, following in pairwise(windows):
        first = following.segments[0]
        assert len(window.token_ids) + first.end - first.start > width - 2


@given(title=st.none() | texts, text=texts)
def test_sentences_come_with_the_tokens_of_their_text(title: str | None, text: str) -> None:
    made = tiny.tokenizer()
    encoded = tiny.encoder().encode([Article(title=title, text=text)])[0]
    parts = {"title": title or "", "text": text}
    assert len(encoded.token_ids) == len(encoded.sentences)
    for sentence, ids in zip(encoded.sentences, encoded.token_ids, strict=True):
        assert sentence.text == parts[sentence.part][sentence.start : sentence.end]
        alone = made.encode(sentence.text, add_special_tokens=False).ids
        assert ids == alone or (not alone and sum(map(len, encoded.token_ids)) == 1)
    assert encoded.n_tokens == sum(map(len, encoded.token_ids))
    shown = [sentence.part for sentence in encoded.sentences]
    assert shown == sorted(shown, reverse=True)  # "title" stands before "text"


@given(group=st.lists(texts, min_size=1, max_size=5))
def test_an_article_is_encoded_alone_as_among_others(group: list[str]) -> None:
    encoder = tiny.encoder()
    together = encoder.encode([Article(text=text) for text in group])
    assert together == [encoder.encode([Article(text=text)])[0] for text in group]


@pytest.mark.parametrize("text", ["\x01", "\x07 \x08\x0e", "\ue000\ue001"])
def test_a_text_without_any_known_sign_still_has_one_token(text: str) -> None:
    encoded = tiny.encoder().encode([Article(text=text)])[0]
    assert encoded.sentences
    assert encoded.n_tokens == 1
    assert len(list(tiny.encoder().pack(encoded.token_ids))) == 1


def test_only_a_text_without_any_tokens_is_given_one() -> None:
    encoded = tiny.encoder().encode([Article(title="\x01", text="The quay thrives.")])[0]
    assert encoded.token_ids[0] == []
    assert len(encoded.token_ids[1]) == 4


def test_halves_of_surrogate_pairs_keep_their_place() -> None:
    text = "The quay \ud800 thrives. \udfff Our ferry rots."
    encoded = tiny.encoder().encode([Article(text=text)])[0]
    assert all(text[s.start : s.end] == s.text for s in encoded.sentences)
    known = [tiny.vocabulary().index(word) for word in ("quay", "thrives", "ferry", "rots")]
    assert set(known) <= set(flat(encoded.token_ids))


@given(ids=sentence_ids, width=widths)
def test_batches_frame_and_pad(ids: list[list[int]], width: int) -> None:
    encoder = tiny.encoder(width)
    windows = list(encoder.pack(ids))
    batch = encoder.batch(windows)
    longest = max((len(window.token_ids) for window in windows), default=0)
    for array in (batch.input_ids, batch.attention_mask, batch.content_mask):
        assert array.shape == (len(windows), longest + 2)
    for row, window in enumerate(windows):
        length = len(window.token_ids)
        assert batch.input_ids[row, : length + 2].tolist() == [CLS, *window.token_ids, SEP]
        assert batch.attention_mask[row].tolist() == [1] * (length + 2) + [0] * (longest - length)
        assert np.flatnonzero(batch.content_mask[row]).tolist() == list(range(1, length + 1))


@given(ids=sentence_ids, width=widths, rows=st.integers(0, 5), columns=st.integers(0, 30))
def test_a_batch_of_a_given_shape_holds_the_same_windows(
    ids: list[list[int]], width: int, rows: int, columns: int
) -> None:
    encoder = tiny.encoder(width)
    windows = list(encoder.pack(ids))
    plain = encoder.batch(windows)
    n, longest = plain.input_ids.shape
    wide = encoder.batch(windows, n + rows, columns)
    assert wide.input_ids.shape == (n + rows, max(longest, columns))
    assert wide.segment_starts.tolist() == plain.segment_starts.tolist()
    assert (
        wide.input_ids[wide.content_mask].tolist() == plain.input_ids[plain.content_mask].tolist()
    )
    assert wide.attention_mask[:n].sum() == plain.attention_mask.sum()
    # Rows of padding are read as empty texts, whose frame attends to itself.
    assert wide.input_ids[n:, :2].tolist() == [[CLS, SEP]] * rows
    assert wide.attention_mask[n:].sum() == 2 * rows


@given(ids=sentence_ids, width=widths)
def test_segment_starts_cut_the_content_tokens_into_segments(
    ids: list[list[int]], width: int
) -> None:
    encoder = tiny.encoder(width)
    windows = list(encoder.pack(ids))
    batch = encoder.batch(windows)
    content = batch.input_ids[batch.content_mask]
    cut = np.split(content, batch.segment_starts[1:]) if windows else []
    assert [piece.tolist() for piece in cut] == [
        window.token_ids[segment.start : segment.end]
        for window in windows
        for segment in window.segments
    ]


def test_a_batch_by_hand() -> None:
    windows = [
        Window([7, 8, 9], (Segment(0, 0, 1), Segment(1, 1, 3))),
        Window([6], (Segment(2, 0, 1),)),
    ]
    batch = tiny.encoder().batch(windows)
    assert batch.input_ids[:, :3].tolist() == [[CLS, 7, 8], [CLS, 6, SEP]]
    assert batch.attention_mask.tolist() == [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]
    assert batch.segment_starts.tolist() == [0, 1, 3]


def test_limits_in_the_tokenizer_file_do_not_cut_texts() -> None:
    cutting = tiny.tokenizer()
    cutting.enable_truncation(4)
    cutting.enable_padding(length=40)
    encoder = ArticleEncoder(cutting, window_tokens=16)
    encoded = encoder.encode([Article(text="the quay of the village thrives in the town")])[0]
    assert encoded.n_tokens == 9


def framed(template: str) -> Tokenizer:
    """The tokenizer with its special tokens elsewhere."""
    made = tiny.tokenizer()
    made.post_processor = processors.TemplateProcessing(
        single=template, special_tokens=[("[CLS]", CLS), ("[SEP]", SEP)]
    )
    return made


@pytest.mark.parametrize("template", ["$A", "[CLS] $A", "[CLS] $A [SEP] [SEP]", "$A [SEP] [CLS]"])
def test_other_frames_are_refused(template: str) -> None:
    with pytest.raises(ModelError, match="one special token before and one behind"):
        ArticleEncoder(framed(template), window_tokens=16)


def test_a_tokenizer_without_a_frame_is_refused() -> None:
    bare = Tokenizer(models.WordPiece({"[UNK]": 0, "a": 1}, unk_token="[UNK]"))
    with pytest.raises(ModelError, match="framed like BERT"):
        ArticleEncoder(bare, window_tokens=16)


def test_a_window_without_room_is_refused() -> None:
    with pytest.raises(ModelError, match="at least 8, found 7"):
        tiny.encoder(7)
