"""Serves a GGUF model with llama.cpp's own HTTP server on a free port of 127.0.0.1, until standard input is closed.

Usage: llama_server.py MODEL.gguf
Prints the server's address as the first line of standard output once it answers.

Standard input is the leash: whoever started this holds its other end, so it ends with them, however they end.
"""

import os
import sys

import xllamacpp

params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.model_alias = {"smollm2"}
params.hostnames = ["127.0.0.1"]
params.port = 0
# Two requests at once, 2,048 tokens each, on a machine that has other work: llama.cpp splits the context among its slots.
params.n_parallel = 2
params.n_ctx = 4096
params.cpuparams.n_threads = 1
params.cpuparams_batch.n_threads = 2
params.n_threads_http = 4
params.warmup = False
params.ui = False
params.endpoint_metrics = True
# Chat and completions work beside embeddings in this server.
params.embedding = True
params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN

server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.buffer.read()
# Without waiting for the requests that are being answered, which an orderly end would do.
os._exit(0)
