"""Main memory: what its end looks like, and how much was held."""

from __future__ import annotations

import errno

import pytest

from whatworks.base.errors import ArmFailure, arm_failures
from whatworks.base.memory import is_out_of_memory, measure_peak_memory
from whatworks.training.failure import diagnose


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"),
        RuntimeError("std::bad_alloc"),
        RuntimeError("CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
    ],
)
def test_every_end_of_memory_is_one_wherever_it_is_met(error: Exception) -> None:
    assert is_out_of_memory(error)
    assert diagnose(error).kind == "memory"
    with pytest.raises(ArmFailure, match="out of memory"), arm_failures():
        raise error


@pytest.mark.parametrize("error", [RuntimeError("shapes differ"), KeyboardInterrupt(), OSError()])
def test_other_errors_are_none(error: BaseException) -> None:
    assert not is_out_of_memory(error)


def test_peak_memory_grows_with_what_is_held() -> None:
    before, _ = measure_peak_memory()
    held = bytearray(before)
    assert len(held) <= measure_peak_memory()[0] < 20 * before
