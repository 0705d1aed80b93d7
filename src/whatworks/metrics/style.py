"""Style: said in the wanted manner, with the content kept.

Three measures, none of which any arm trains on. A *classifier* (logistic regression on n-grams of
characters and words) tells the wanted style from other text; it decides. Two *language models* of
characters, one of each style, give the gap in bits per character. *Content* is what an answer
keeps: the likeness of its embedding to the target's, and the names and numbers that the target
takes from the input. The score is their product for each answer, as in Krishna et al. 2020
("Reformulating Unsupervised Style Transfer as Paraphrase Generation", section 4): style without
content and content without style are both worth nothing. Empty answers are wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from statistics import fmean
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, TypeAdapter
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline, make_union

from whatworks.base.errors import InputError
from whatworks.base.phrasing import quote_briefly
from whatworks.data import read
from whatworks.data.task import Example
from whatworks.metrics.character_model import CharacterModel
from whatworks.metrics.definition import FILE, Options, metric
from whatworks.metrics.names_and_numbers import find_entities
from whatworks.metrics.normalise import is_contained
from whatworks.metrics.score import Score
from whatworks.metrics.text_overlap import average_parts
from whatworks.prompts.retrieval import load_embedder as named

PIECE = 30
"""Words to which reference texts are cut, so that their length says nothing about their style."""
LEAST = 20
"""Fewest pieces of each style from which a classifier is trained."""
MOST = 3_000
FOLDS = 5


Pieces = tuple[str, ...]


def cut(texts: Sequence[str]) -> Pieces:
    """Texts in pieces of at most ``PIECE`` words; every nth piece where there are too many."""
    pieces: list[str] = []
    for text in texts:
        words = text.strip().split(" ")
        pieces += [" ".join(words[i : i + PIECE]) for i in range(0, len(words), PIECE)]
    full = [piece.strip() for piece in pieces if piece.strip()]
    return tuple(full[:: max(0, len(full) - 1) // MOST + 1])


def _read_pieces(value: Any) -> Pieces:
    if isinstance(value, list | tuple):
        return cut(TypeAdapter(list[str]).validate_python(value))

    data = read(Path(TypeAdapter(str).validate_python(value)))
    whole = data.format == "passages"  # opening and continuation are one text
    return cut([f"{e.text}\n{e.target}" if whole else e.target for e in data.examples])


Reference = Annotated[Pieces, BeforeValidator(_read_pieces), FILE]


class StyleOptions(Options):
    """Options of ``style``.

    Attributes:
        wanted: Text in the wanted style: a file, a folder, or texts; by default the targets of the
            rows set aside (``split: {aside: N}``).
        others: Text in other styles; by default the inputs of the rows set aside.
        content: What the content is measured by; ``none`` for style alone.
        embedder: ``auto``, ``lexical``, ``minilm``, or an encoder's folder or id.
    """

    wanted: Reference
    others: Reference
    content: Literal["target", "input", "none"] = "target"
    embedder: str = "auto"


def _compute_figures(
    examples: Sequence[Example], scores: Sequence[Score], options: StyleOptions
) -> dict[str, float]:
    """Means of the parts, and how often the classifier is right on reference text it has not seen.

    ``classifier_accuracy`` is balanced, from five-fold cross-validation: .5 would be a coin.
    """
    accuracy = _measure(options.wanted, options.others).accuracy
    return {**average_parts(examples, scores), "classifier_accuracy": accuracy}


def _learn(train: Sequence[Example], aside: Sequence[Example]) -> dict[str, Any]:
    """Both styles from the rows set aside: targets are in the wanted one, inputs in the other."""
    del train
    if not aside:
        return {}
    return {
        "wanted": [row.target for row in aside],
        "others": [row.text for row in aside],
    }


@metric(
    StyleOptions,
    figures=_compute_figures,
    learn=_learn,
    blind=lambda options: options.content != "target",
    seconds=lambda _: None,
)
def style(example: Example, text: str, options: StyleOptions) -> Score:
    """In the wanted style, times the content kept.

    Parts: ``style`` (the classifier takes it for the wanted one), ``probability`` (how surely),
    ``gap`` (bits per character by which the wanted style's language model finds it likelier than
    the other's), ``similarity``, ``entities`` (share kept; only where there are any). Lenient: the
    classifier's probability times the content, where that is more.

    Args:
        example: Its target is the wanted answer, and may be blank unless content is measured by it.
        text: The answer.
        options: The two styles, and how the content is measured.

    Raises:
        InputError: If there is too little reference text, or nothing to measure the content by.
    """
    content = options.content
    measure = _measure(options.wanted, options.others)
    reference = {"target": example.target, "input": example.text, "none": ""}[content]
    if content != "none" and not reference.strip():
        raise InputError(
            f"there is no {content} to measure the content by",
            place=f"example {example.id!r}",
            remedy="set the option `content` to input or none",
        )
    answer = text.strip()
    if not answer:
        return Score(0.0, "wrong", "says nothing", parts={"style": 0.0, "probability": 0.0})
    probability = measure.probability(answer)
    styled = probability >= 0.5
    parts = {"style": float(styled), "probability": probability, "gap": measure.gap(answer)}
    missing: list[str] = []
    share = 1.0
    if content != "none":
        carried = [
            e for e in find_entities(reference, example.text) if is_contained(e, example.text)
        ]
        missing = [one for one in carried if not is_contained(one, answer)]
        parts["similarity"] = _measure_similarity(answer, reference.strip(), options.embedder)
        shares = [parts["similarity"]]
        if carried:
            parts["entities"] = 1 - len(missing) / len(carried)
            shares.append(parts["entities"])
        share = fmean(shares)
    value = share if styled else 0.0
    lenient = max(value, share * probability)
    if value == 1.0:
        return Score(1.0, "correct", parts=parts)
    problems = [] if styled else [f"does not sound like the wanted style: {quote_briefly(answer)}"]
    problems += [f"leaves out {missing[0]!r}"] if missing else []
    if content != "none" and parts["similarity"] < 1.0:
        problems.append(f"content {share:.2f} like {quote_briefly(reference)}")
    return Score(value, "wrong", "; ".join(problems), lenient, parts)


class Measure:
    """What tells two styles apart.

    Args:
        wanted: Text in the wanted style.
        others: Text in other styles.

    Raises:
        InputError: If there is too little of one.
    """

    def __init__(self, wanted: Pieces, others: Pieces) -> None:
        for name, texts in (("wanted", wanted), ("others", others)):
            if len(texts) < LEAST:
                raise InputError(
                    f"{len(texts)} pieces of text in the style {name!r} are too few",
                    place="metric 'style'",
                    remedy=f"give at least {LEAST} of up to {PIECE} words, in a file or by "
                    "`split: {aside: N}`",
                )
        self._texts = [*wanted, *others]
        self._labels = [1] * len(wanted) + [0] * len(others)
        self._classifier = _build_classifier().fit(self._texts, self._labels)
        self._models = CharacterModel(wanted), CharacterModel(others)

    def probability(self, text: str) -> float:
        """How surely the text is in the wanted style, in [0, 1]."""
        return float(self._classifier.predict_proba([text])[0, 1])

    def gap(self, text: str) -> float:
        """Bits per character by which the wanted style's model finds the text likelier."""
        mine, other = self._models
        return other.bits(text) - mine.bits(text)

    @cached_property
    def accuracy(self) -> float:
        """Balanced accuracy of the classifier on reference text held out in turn."""
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
        accuracies = cross_val_score(
            _build_classifier(), self._texts, self._labels, cv=folds, scoring="balanced_accuracy"
        )
        return float(accuracies.mean())


_measure = lru_cache(maxsize=8)(Measure)


def _build_classifier() -> Pipeline:
    features: FeatureUnion = make_union(
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True),
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\w+|[^\w\s]"),
    )
    return make_pipeline(features, LogisticRegression(C=10, class_weight="balanced"))


def _measure_similarity(answer: str, reference: str, embedder: str) -> float:
    """Cosine of the two texts' embeddings, no less than 0."""
    if answer == reference:
        return 1.0

    one, other = named(embedder).embed([answer, reference])
    return min(1.0, max(0.0, round(float(one @ other), 6)))
