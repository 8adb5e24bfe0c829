//! C interface around `tokenizers`, `minijinja`, `llguidance` and `parquet`; documented in include/text_bridge.h.

mod boundary;
mod chat_template;
mod generation;
mod grammar;
mod parquet_rows;
mod python_text;
mod token_bytes;
mod tokenizer;
