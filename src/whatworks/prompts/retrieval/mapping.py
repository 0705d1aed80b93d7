"""The vector of a request, moved by a learned linear map.

An exported arm carries this file as it stands, so it needs numpy alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]


def map_vector(vector: Vector, down: Vector, up: Vector) -> Vector:
    """A unit vector ``q`` as ``q + up down q``, of unit length again (zero stays zero).

    Args:
        vector: Of the request, [dimensions].
        down: [rank, dimensions].
        up: [dimensions, rank].
    """
    # By einsum: a vector is the same bits alone and among others.
    inner: Vector = np.einsum("rd,d->r", down, vector)
    moved: Vector = vector + np.einsum("dr,r->d", up, inner)
    length = np.float32(np.sqrt(np.einsum("d,d->", moved, moved)))
    return moved / length if length > 0 else moved
