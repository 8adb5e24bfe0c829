//! C interface around `tokenizers` and `minijinja`; documented in include/text_bridge.h.

mod boundary;
mod chat_template;
mod generation;
mod python_text;
mod tokenizer;
