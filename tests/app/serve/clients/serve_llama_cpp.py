"""llama.cpp's own server, from the package xllamacpp, until its input ends."""

from __future__ import annotations

import os
import sys

import xllamacpp  # pyright: ignore

params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.n_ctx = 2048
params.cpuparams.n_threads = 1
params.port = int(sys.argv[2])
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
os._exit(0)  # its threads have no end
