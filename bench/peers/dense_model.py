"""The f32 Hugging Face folder of a GGUF, which peers read that take no packed model: made once, kept in a cache folder."""

import multiprocessing
from pathlib import Path


def convert(model, folder):
    import torch
    from rows import load_tokenizer
    from transformers import AutoModelForCausalLM

    loaded = AutoModelForCausalLM.from_pretrained(Path(model).parent, gguf_file=Path(model).name, dtype=torch.float32)
    loaded.hf_quantizer = None  # the weights are f32 now, but transformers still takes them for a GGUF's
    if hasattr(loaded.config, "quantization_config"):
        del loaded.config.quantization_config
    load_tokenizer(model).save_pretrained(folder)
    loaded.save_pretrained(folder)


def converted(model, cache):
    """The folder with the model; made in a process of its own, so that its memory is not taken for the peer's."""
    folder = Path(cache) / (Path(model).stem + "-f32")
    if not (folder / "model.safetensors").exists():
        child = multiprocessing.get_context("spawn").Process(target=convert, args=(model, folder))
        child.start()
        child.join()
        if child.exitcode != 0:
            raise SystemExit(f"{model}: could not be converted")
    return folder
