"""Articles to token windows: the only module that knows the tokenizer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from stance.errors import ModelError, in_words, shorten
from stance.records import Article
from stance.sentences import Sentence, split_sentences

Int64Array = NDArray[np.int64]
MAX_TOKENIZER_BYTES = 100_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedArticle:
    """An article as sentences and their token ids.

    Attributes:
        sentences: Title first, then the text, in order.
        token_ids: Per sentence its ids without special tokens; a sentence of characters that the
            tokenizer drops has none.
    """

    sentences: tuple[Sentence, ...]
    token_ids: tuple[list[int], ...]

    @property
    def n_tokens(self) -> int:
        """Tokens of the whole article, special tokens not counted."""
        return sum(map(len, self.token_ids))


@dataclass(frozen=True, slots=True)
class Segment:
    """A sentence, or a piece of one too long for a window: tokens [start, end) of the window."""

    sentence: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Window:
    """Consecutive segments that the encoder reads together."""

    token_ids: list[int]
    segments: tuple[Segment, ...]

    @property
    def width(self) -> int:
        """Tokens with the frame of two special tokens."""
        return len(self.token_ids) + 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TokenBatch:
    """Windows as arrays.

    Attributes:
        input_ids: Shape (rows, tokens), with the special tokens, padded.
        attention_mask: Shape (rows, tokens); 1 for tokens, 0 for padding.
        content_mask: Shape (rows, tokens); True for tokens of the text.
        segment_starts: Shape (segments,); first token of each segment among the content tokens
            taken row by row. Segments lie side by side and cover all of them.
    """

    input_ids: Int64Array
    attention_mask: Int64Array
    content_mask: NDArray[np.bool_]
    segment_starts: Int64Array


@contextmanager
def _worded(place: str) -> Iterator[None]:
    """Turn whatever the tokenizer raises, its panics included, into a `ModelError`."""
    try:
        yield
    except BaseException as error:
        # The library raises bare Exceptions, and its panics are not even these.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise ModelError(f"{place}: {in_words(error)}") from None


def load_tokenizer(content: bytes, place: str) -> Tokenizer:
    """Build a tokenizer from the content of its file.

    Args:
        content: `tokenizer.json` of a fast tokenizer.
        place: The file's name, for the message.

    Raises:
        ModelError: If it is none.
    """
    if len(content) > MAX_TOKENIZER_BYTES:
        raise ModelError(
            f"{place}: expected at most {MAX_TOKENIZER_BYTES:,} bytes, found {len(content):,}"
        )
    with _worded(f"{place}: not a tokenizer"):
        return Tokenizer.from_str(content.decode("utf-8"))


class ArticleEncoder:
    """Splits articles into sentences, tokenises them and packs them into windows.

    Args:
        tokenizer: A tokenizer whose post-processor frames a text as one special token, the text,
            one special token (as BERT's does).
        window_tokens: Longest window, special tokens included.
    """

    def __init__(self, tokenizer: Tokenizer, *, window_tokens: int) -> None:
        """Take the special tokens of the frame from the tokenizer.

        Raises:
            ModelError: If the tokenizer frames texts in another way, or cannot read any.
        """
        if window_tokens < 8:
            raise ModelError(f"window_tokens: expected at least 8, found {window_tokens}")
        with _worded("tokenizer: cannot read a text"):
            # A tokenizer file may carry its own limits; whole articles are our promise.
            tokenizer.no_truncation()
            tokenizer.no_padding()
            frame = tokenizer.encode("", add_special_tokens=True).ids
            framed = tokenizer.encode("a", add_special_tokens=True)
            unknown = tokenizer.encode("\U000fffff", add_special_tokens=False).ids
        # A text between the two: some tokenizers put both special tokens behind it.
        if len(frame) != 2 or len(framed) < 2 or [framed.ids[0], framed.ids[-1]] != frame:
            raise ModelError(
                "tokenizer: expected one special token before and one behind a text, "
                f"found {shorten(' '.join(framed.tokens[:20]))} for 'a'; "
                "use an encoder that is framed like BERT"
            )
        self.tokenizer = tokenizer
        self._first, self._last = frame
        self._unknown = unknown[0] if unknown else self._last
        self.capacity = window_tokens - 2

    def encode(self, articles: Sequence[Article]) -> list[EncodedArticle]:
        """Split and tokenise articles; the library's threads share the sentences.

        Raises:
            ModelError: If the tokenizer fails.
        """
        sentences = [
            (*split_sentences(article.title or "", "title"), *split_sentences(article.text))
            for article in articles
        ]
        # Lone surrogates have no UTF-8 form; a replacement of the same length keeps offsets.
        texts = [
            sentence.text.encode("utf-8", "replace").decode("utf-8")
            for group in sentences
            for sentence in group
        ]
        with _worded("tokenizer: cannot read a text"):
            encodings = iter(self.tokenizer.encode_batch_fast(texts, add_special_tokens=False))
        encoded = []
        for group in sentences:
            token_ids = tuple(next(encodings).ids for _ in group)
            # A text without a single known character still needs one token to be scored by.
            if group and not any(token_ids):
                token_ids = ([self._unknown], *token_ids[1:])
            encoded.append(EncodedArticle(sentences=group, token_ids=token_ids))
        return encoded

    def pack(self, token_ids: Sequence[Sequence[int]]) -> Iterator[Window]:
        """Pack sentences into windows: in order, none split unless longer than a window."""
        ids: list[int] = []
        segments: list[Segment] = []
        for index, sentence in enumerate(token_ids):
            for piece_start in range(0, len(sentence), self.capacity):
                piece = sentence[piece_start : piece_start + self.capacity]
                if len(ids) + len(piece) > self.capacity:
                    yield Window(ids, tuple(segments))
                    ids, segments = [], []
                segments.append(Segment(index, len(ids), len(ids) + len(piece)))
                ids.extend(piece)
        if ids:
            yield Window(ids, tuple(segments))

    def batch(
        self, windows: Sequence[Window], rows: int | None = None, width: int = 0
    ) -> TokenBatch:
        """Frame and pad windows.

        Args:
            windows: In the order of their rows.
            rows: Rows of the arrays, at least as many as windows; None for as many.
            width: Columns of the arrays at least; more where a window needs more.
        """
        width = max([width, 2, *(window.width for window in windows)])
        shape = (len(windows) if rows is None else rows, width)
        # The mask hides what stands behind a window; any known id will do.
        input_ids = np.full(shape, self._last, dtype=np.int64)
        attention_mask = np.zeros(shape, dtype=np.int64)
        content_mask = np.zeros(shape, dtype=np.bool_)
        # A row without a window reads its frame: attention to nothing at all is undefined.
        input_ids[:, 0] = self._first
        attention_mask[:, :2] = 1
        starts: list[int] = []
        offset = 0
        for row, window in enumerate(windows):
            length = len(window.token_ids)
            input_ids[row, 1 : length + 1] = window.token_ids
            attention_mask[row, : length + 2] = 1
            content_mask[row, 1 : length + 1] = True
            starts.extend(offset + segment.start for segment in window.segments)
            offset += length
        return TokenBatch(
            input_ids=input_ids,
            attention_mask=attention_mask,
            content_mask=content_mask,
            segment_starts=np.asarray(starts, dtype=np.int64),
        )
