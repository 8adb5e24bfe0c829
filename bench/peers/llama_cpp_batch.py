"""Peer: llama.cpp through llama-cpp-python with many sequences in one batch, as its server runs them with -np:
the requests of bench/batch, every sequence one token a step, prompts up to the rest of a batch of --batch tokens,
the shared system prompt copied from sequence 0 with llama_memory_seq_cp. Sampling is llama.cpp's own (top_p,
temperature). Prints one line.
"""

import argparse
import time

import llama_cpp


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--sequences", type=int, default=16)
    parser.add_argument("--requests", type=int, default=32)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--split-cache", action="store_true", help="a cache per sequence, nothing shared")
    parser.add_argument("--flash-attention", type=int, default=-1, help="-1: llama.cpp decides, 0, 1")
    return parser.parse_args()


def requests_of(count):
    """As bench/batch/batch.cpp makes them: prompt, tokens to generate."""
    requests = []
    for i in range(count):
        prompt = [1000 + 13 * t % 997 for t in range(80)]
        prompt += [2000 + (t * 31 + i * 101) % 20000 for t in range(20 + 500 * (i * 7 % 16) // 15)]
        requests.append((prompt, 64 + 192 * (i * 5 % 16) // 15))
    return requests


class Slot:
    def __init__(self, number):
        self.number, self.prompt, self.done, self.left = number, [], 0, 0
        self.next, self.begun, self.sampler = None, 0.0, None

    def take(self, request, shared, memory):
        llama_cpp.llama_memory_seq_rm(memory, self.number, -1, -1)
        self.prompt, self.left, self.next, self.done = request[0], request[1], None, 0
        if shared:
            llama_cpp.llama_memory_seq_cp(memory, 0, self.number, 0, shared)
            self.done = shared
        self.begun = time.perf_counter()
        chain = llama_cpp.llama_sampler_chain_init(llama_cpp.llama_sampler_chain_default_params())
        llama_cpp.llama_sampler_chain_add(chain, llama_cpp.llama_sampler_init_top_k(40))
        llama_cpp.llama_sampler_chain_add(chain, llama_cpp.llama_sampler_init_top_p(0.95, 1))
        llama_cpp.llama_sampler_chain_add(chain, llama_cpp.llama_sampler_init_temp(0.8))
        llama_cpp.llama_sampler_chain_add(chain, llama_cpp.llama_sampler_init_dist(self.number))
        self.sampler = chain


def put(batch, token, position, sequence, logits):
    at = batch.n_tokens
    batch.token[at], batch.pos[at], batch.n_seq_id[at] = token, position, 1
    batch.seq_id[at][0] = sequence
    batch.logits[at] = 1 if logits else 0
    batch.n_tokens = at + 1
    return at


def main():
    options = parse()
    model_options = llama_cpp.llama_model_default_params()
    model = llama_cpp.llama_model_load_from_file(options.model.encode(), model_options)
    settings = llama_cpp.llama_context_default_params()
    settings.n_ctx = 1024 * (options.sequences + 1)
    settings.n_batch = settings.n_ubatch = options.batch
    settings.n_seq_max = options.sequences + 1
    settings.n_threads = settings.n_threads_batch = 2
    settings.kv_unified = not options.split_cache
    settings.flash_attn_type = options.flash_attention
    context = llama_cpp.llama_init_from_model(model, settings)
    memory = llama_cpp.llama_get_memory(context)
    batch = llama_cpp.llama_batch_init(options.batch, 0, 1)
    waiting = requests_of(options.requests)
    shared = waiting[0][0][:80]
    started = time.perf_counter()
    if options.split_cache:
        shared = []
    else:
        batch.n_tokens = 0
        for position, token in enumerate(shared):
            put(batch, token, position, 0, False)
        llama_cpp.llama_decode(context, batch)
    slots = [Slot(i + 1) for i in range(options.sequences)]
    generated, firsts = 0, []
    while True:
        for slot in slots:
            if slot.left == 0 and waiting:
                slot.take(waiting.pop(0), len(shared), memory)
        batch.n_tokens, asked = 0, []
        for slot in slots:
            if slot.left and slot.next is not None:
                asked.append((slot, put(batch, slot.next, slot.done, slot.number, True)))
                slot.done += 1
        for slot in slots:
            while slot.left and slot.next is None and slot.done < len(slot.prompt) and batch.n_tokens < options.batch:
                last = slot.done + 1 == len(slot.prompt)
                at = put(batch, slot.prompt[slot.done], slot.done, slot.number, last)
                slot.done += 1
                if last:
                    asked.append((slot, at))
        if batch.n_tokens == 0:
            break
        if llama_cpp.llama_decode(context, batch) != 0:
            raise SystemExit("llama_decode failed")
        for slot, at in asked:
            first = slot.next is None
            slot.next = llama_cpp.llama_sampler_sample(slot.sampler, context, at)
            if first:
                firsts.append(time.perf_counter() - slot.begun)
            generated += 1
            slot.left -= 1
    seconds = time.perf_counter() - started
    firsts.sort()
    print(f"llama.cpp, {options.sequences} sequences: {generated / seconds:.1f} generated tokens/s, "
          f"first token p50 {firsts[len(firsts) // 2]:.3f} s p95 {firsts[int(0.95 * (len(firsts) - 1))]:.3f} s")


if __name__ == "__main__":
    main()
