#!/usr/bin/env python3
"""LangChain's classes for OpenAI's API."""

import sys

from served import MODEL, Served, check, enter_clients, has_encoder, has_sample, skip

enter_clients("langchain_openai")
from langchain_openai import ChatOpenAI, OpenAIEmbeddings  # noqa: E402

if not has_sample():
    skip("no sample model; run scripts/setup")
with Served(sys.argv[1], "--model", MODEL) as running:
    model = ChatOpenAI(base_url=running.url + "/v1", api_key="none", model=MODEL, temperature=0, max_tokens=16)
    check(model.invoke("Name a colour.").content, "invoke")
    check("".join(part.content for part in model.stream("Name a colour.")) == model.invoke("Name a colour.").content, "stream")
    if has_encoder():
        vectors = OpenAIEmbeddings(base_url=running.url + "/v1", api_key="none", model="sample://all-minilm-l6-v2",
                                   check_embedding_ctx_length=False).embed_documents(["one", "two"])
        check(len(vectors) == 2, "embeddings")
