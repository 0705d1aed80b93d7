"""What may answer in the place of the language model; each kind is listed once, here."""

from typing import Annotated

from pydantic import Field

from whatworks.prompts.answerers.answerer import Answerer, Reply
from whatworks.prompts.answerers.linear import LinearClassifier, measure_log_chances
from whatworks.prompts.answerers.predictions import Predictions

AnyAnswerer = Annotated[Predictions | LinearClassifier, Field(discriminator="kind")]
"""Every kind of answerer, as a candidate holds it."""

__all__ = [
    "Answerer",
    "AnyAnswerer",
    "LinearClassifier",
    "Predictions",
    "Reply",
    "measure_log_chances",
]
