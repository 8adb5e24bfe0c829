//! C interface around `tokenizers`, `minijinja` and `parquet`; documented in include/text_bridge.h.

mod boundary;
mod chat_template;
mod generation;
mod parquet_rows;
mod python_text;
mod tokenizer;
