/* C interface of the Rust library around the crates `tokenizers`, `minijinja`,
 * `llguidance` and `parquet`.
 *
 * Every text is UTF-8 given by pointer and length (NUL bytes allowed). Functions that can fail
 * return 0 for success or a TbStatus and fill `error` with a message; a panic inside becomes
 * TB_INTERNAL. Whatever arrives in a Tb... struct is freed with its own tb_..._free. All functions
 * are safe to call from several threads, on the same handle too (TbParquet: one at a time). */
#ifndef TEXT_BRIDGE_H
#define TEXT_BRIDGE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
  TB_OK = 0,
  TB_INVALID_INPUT = 1, /* bad JSON, template, text or id: the message says where */
  TB_LIMIT = 2,         /* a template ran too long or wrote too much */
  TB_INTERNAL = 3       /* a panic: our bug or the crate's */
} TbStatus;

typedef struct {
  uint8_t* data; /* not NUL-terminated; NULL when empty */
  size_t size;
  size_t capacity;
} TbBytes;

void tb_bytes_free(TbBytes bytes);

/* ---- tokenizer ------------------------------------------------------------------------------ */

typedef struct TbTokenizer TbTokenizer;

/* From a tokenizer.json. Truncation and padding that the file asks for are switched off, and
 * offsets cover a token's leading space. */
int tb_tokenizer_new(const uint8_t* json, size_t size, TbTokenizer** tokenizer, TbBytes* error);
void tb_tokenizer_free(TbTokenizer* tokenizer);

typedef struct {
  uint32_t* ids;     /* count */
  uint32_t* offsets; /* 2 * count: begin and end byte of each token in the text */
  size_t count;
} TbEncoding;

int tb_encode(const TbTokenizer* tokenizer, const uint8_t* text, size_t size, int add_special,
              TbEncoding* encoding, TbBytes* error);
void tb_encoding_free(TbEncoding encoding);

int tb_decode(const TbTokenizer* tokenizer, const uint32_t* ids, size_t count, int skip_special,
              TbBytes* text, TbBytes* error);

size_t tb_vocabulary_size(const TbTokenizer* tokenizer); /* with added tokens */
int64_t tb_token_to_id(const TbTokenizer* tokenizer, const uint8_t* token,
                       size_t size); /* -1: none */
int tb_id_to_token(const TbTokenizer* tokenizer, uint32_t id,
                   TbBytes* token); /* 1 if there is one */

/* The bytes a token stands for (its text if it is an added one); 1 if there is such a token. */
int tb_token_bytes(const TbTokenizer* tokenizer, uint32_t id, TbBytes* bytes);
int tb_token_special(const TbTokenizer* tokenizer,
                     uint32_t id); /* 1: left out of decoded text on demand */

/* ---- chat template -------------------------------------------------------------------------- */

typedef struct TbTemplate TbTemplate;

/* Compiles a Jinja template as transformers configures it. `max_steps` bounds the instructions of
 * one render, `max_output` its bytes. */
int tb_template_new(const uint8_t* source, size_t size, uint64_t max_steps, size_t max_output,
                    TbTemplate** chat_template, TbBytes* error);
void tb_template_free(TbTemplate* chat_template);

/* 1 if the template has {% generation %} blocks. */
int tb_template_marks_generation(const TbTemplate* chat_template);

typedef struct {
  TbBytes text;
  size_t* marks; /* 2 * mark_count: begin and end byte of what each {% generation %} block wrote */
  size_t mark_count;
} TbRendered;

/* `variables` is a JSON object. */
int tb_template_render(const TbTemplate* chat_template, const uint8_t* variables, size_t size,
                       TbRendered* rendered, TbBytes* error);
void tb_rendered_free(TbRendered rendered);

/* ---- grammars ------------------------------------------------------------------------------- */

typedef struct TbVocabulary TbVocabulary;
typedef struct TbConstraint TbConstraint;

/* The vocabulary of a tokenizer in the form grammars need; `stop_ids` end a text. Fails for a
 * tokenizer whose tokens have no bytes of their own (WordPiece). */
int tb_vocabulary_new(const TbTokenizer* tokenizer, const uint32_t* stop_ids, size_t stop_count,
                      TbVocabulary** vocabulary, TbBytes* error);
void tb_vocabulary_free(TbVocabulary* vocabulary);

typedef enum {
  TB_JSON_SCHEMA = 0,
  TB_REGEX = 1, /* of the whole text; Rust's syntax without anchors */
  TB_LARK = 2   /* llguidance's dialect of Lark */
} TbGrammarKind;

/* Compiles a grammar, within the crate's limits of size and work. */
int tb_constraint_new(const TbVocabulary* vocabulary, int kind, const uint8_t* grammar, size_t size,
                      TbConstraint** constraint, TbBytes* error);
void tb_constraint_free(TbConstraint* constraint);

/* An independent one in the same state. */
int tb_constraint_copy(const TbConstraint* constraint, TbConstraint** copy, TbBytes* error);

/* Fills bit i of `bits` (32 * words of them) with whether token i may come next. */
int tb_constraint_allowed(TbConstraint* constraint, uint32_t* bits, size_t words, TbBytes* error);
int tb_constraint_accept(TbConstraint* constraint, uint32_t id, TbBytes* error);
int tb_constraint_complete(const TbConstraint* constraint); /* 1: only a stop token may come */

/* ---- Parquet -------------------------------------------------------------------------------- */

typedef struct TbParquet TbParquet;

/* A file with its columns plain or packed by snappy, gzip or zstd. */
int tb_parquet_open(const uint8_t* path, size_t size, TbParquet** reader, TbBytes* error);
void tb_parquet_free(TbParquet* reader);

int64_t tb_parquet_row_count(const TbParquet* reader); /* as the footer states it */

/* The next row as the text of a JSON object, without its null members; empty at the end. After an
 * error there are no more rows. */
int tb_parquet_next(TbParquet* reader, TbBytes* row, TbBytes* error);

#ifdef __cplusplus
}
#endif

#endif
