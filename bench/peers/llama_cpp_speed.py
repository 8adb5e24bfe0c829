"""Peer: llama.cpp through llama-cpp-python: prompt processing, generation, and the greedy text.

Calls llama_decode and the greedy sampler directly, so that no Python work is in the measured time; flash
attention is tried on and off and the faster counts. Prints one JSON line.
"""

import argparse
import importlib.metadata
import os
import time

import llama_cpp
from llama_cpp import Llama
from rows import report


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--prompt", required=True)
    parser.add_argument("--prompt-tokens", type=int, default=512)
    parser.add_argument("--generate", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=5)
    return parser.parse_args()


def clear(llama):
    llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(llama.ctx), True)


def decode(llama, ids):
    array = (llama_cpp.llama_token * len(ids))(*ids)
    if llama_cpp.llama_decode(llama.ctx, llama_cpp.llama_batch_get_one(array, len(ids))) != 0:
        raise SystemExit("llama_decode failed")
    llama_cpp.llama_synchronize(llama.ctx)


def measure(llama, prompt, long_prompt, options):
    sampler = llama_cpp.llama_sampler_init_greedy()
    best_prompt = best_generation = 0.0
    for _ in range(options.repeats):
        clear(llama)
        start = time.perf_counter()
        decode(llama, long_prompt)
        best_prompt = max(best_prompt, len(long_prompt) / (time.perf_counter() - start))
    for _ in range(max(1, options.repeats // 2)):
        clear(llama)
        decode(llama, prompt)
        ids = [llama_cpp.llama_sampler_sample(sampler, llama.ctx, -1)]
        start = time.perf_counter()
        while len(ids) < options.generate:
            decode(llama, [ids[-1]])
            ids.append(llama_cpp.llama_sampler_sample(sampler, llama.ctx, -1))
        best_generation = max(best_generation, (len(ids) - 1) / (time.perf_counter() - start))
    llama_cpp.llama_sampler_free(sampler)
    return best_prompt, best_generation, ids


def main():
    options = parse()
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    results = []
    for flash in (False, True):
        llama = Llama(options.model, n_ctx=1024, n_batch=512, n_ubatch=512, n_threads=threads, n_threads_batch=threads,
                      flash_attn=flash, verbose=False)
        prompt = llama.tokenize(options.prompt.encode(), add_bos=False, special=True)
        long_prompt = (prompt * (options.prompt_tokens // len(prompt) + 1))[:options.prompt_tokens]
        results.append((flash, *measure(llama, prompt, long_prompt, options)))
        text = llama.detokenize(results[-1][3], special=True).decode(errors="replace")
        llama.close()
    best_prompt = max(results, key=lambda r: r[1])
    best_generation = max(results, key=lambda r: r[2])
    report(peer="llama.cpp", prompt_tokens=options.prompt_tokens, prompt_tokens_per_second=best_prompt[1],
           prompt_flash_attention=best_prompt[0], generation_tokens=options.generate,
           generation_tokens_per_second=best_generation[2], generation_flash_attention=best_generation[0],
           ids=results[0][3], text=text, system=llama_cpp.llama_print_system_info().decode(),
           versions={"llama-cpp-python": importlib.metadata.version("llama-cpp-python")})


if __name__ == "__main__":
    main()
