//! What a text may go on with so that it obeys a grammar, by the crate `llguidance`.

use std::sync::Arc;

use llguidance::api::{ParserLimits, TopLevelGrammar};
use llguidance::earley::SlicedBiasComputer;
use llguidance::toktrie::{
    ApproximateTokEnv, InferenceCapabilities, TokEnv, TokRxInfo, TokTrie,
};
use llguidance::{Matcher, ParserFactory};
use serde_json::{json, Value};

use crate::boundary::{guarded, on_deep_stack, slice, utf8, Failure, TbBytes, INTERNAL};
use crate::tokenizer::TbTokenizer;

const JSON_SCHEMA: i32 = 0;
const REGEX: i32 = 1;
const LARK: i32 = 2;

/// The depth of the crate's tree of tokens is one byte.
const MAX_TOKEN_BYTES: usize = 255;
/// Between the marks of a JSON text: as models write it, on one line or indented. Any amount would
/// let a small model write white space until its limit.
const JSON_SPACE: &str = r" |\n[ \t]{0,32}";
/// An object of n properties takes time in n squared: 5000 of them fit here and take seconds.
const MAX_GRAMMAR_BYTES: usize = 128 << 10;
const MAX_GRAMMAR_SYMBOLS: usize = 200_000;
const MAX_LEXER_STATES: usize = 50_000;

pub struct TbVocabulary {
    factory: ParserFactory,
    stop_ids: Arc<[u32]>,
}

pub struct TbConstraint {
    matcher: Matcher,
    stop_ids: Arc<[u32]>,
}

fn tree_of(tokenizer: &TbTokenizer, stop_ids: &[u32]) -> Result<TokTrie, Failure> {
    if !tokenizer.bytes.known() {
        return Err(Failure::invalid(
            "the tokens of this tokenizer have no bytes of their own, which a grammar needs: \
             expected byte-level BPE or SentencePiece with spaces",
        ));
    }
    let count = tokenizer.inner.get_vocab(true).into_values().max().map_or(0, |id| id + 1);
    if let Some(id) = stop_ids.iter().find(|id| **id >= count) {
        return Err(Failure::invalid(format!("stop id {id} is not one of the {count} tokens")));
    }
    if stop_ids.is_empty() {
        return Err(Failure::invalid("a grammar needs a token that ends the text"));
    }
    let words: Vec<Vec<u8>> = (0..count)
        .map(|id| {
            let Some(token) = tokenizer.inner.id_to_token(id) else { return Vec::new() };
            let mut bytes = tokenizer.bytes.of(id, &token);
            if tokenizer.bytes.special(id) {
                bytes.insert(0, TokTrie::SPECIAL_TOKEN_MARKER);
            }
            if bytes.len() > MAX_TOKEN_BYTES { Vec::new() } else { bytes }
        })
        .collect();
    let tree = TokTrie::from(&TokRxInfo::new(count, stop_ids[0]), &words);
    Ok(tree.with_eos_tokens(stop_ids))
}

fn read_schema(text: &str) -> Result<Value, Failure> {
    let mut schema: Value = serde_json::from_str(text)
        .map_err(|error| Failure::invalid(format!("not JSON: {error}")))?;
    if let Some(members) = schema.as_object_mut() {
        members.insert("x-guidance".into(), json!({"whitespace_pattern": JSON_SPACE}));
    }
    Ok(schema)
}

impl TbVocabulary {
    fn new(tokenizer: &TbTokenizer, stop_ids: &[u32]) -> Result<Self, Failure> {
        let environment: TokEnv =
            Arc::new(ApproximateTokEnv::new(tree_of(tokenizer, stop_ids)?));
        let mut factory = ParserFactory::new(
            &environment,
            InferenceCapabilities::default(),
            &SlicedBiasComputer::general_slices(),
        )
        .map_err(|error| Failure::invalid(error.to_string()))?;
        factory.quiet();
        *factory.limits_mut() = ParserLimits {
            max_grammar_size: MAX_GRAMMAR_SYMBOLS,
            max_lexer_states: MAX_LEXER_STATES,
            verbose_errors: false,
            ..ParserLimits::default()
        };
        Ok(TbVocabulary { factory, stop_ids: stop_ids.into() })
    }

    fn compile(&self, kind: i32, grammar: &str) -> Result<TbConstraint, Failure> {
        if grammar.len() > MAX_GRAMMAR_BYTES {
            return Err(Failure::limit(format!(
                "{} bytes, at most {MAX_GRAMMAR_BYTES} are read",
                grammar.len()
            )));
        }
        let parsed = match kind {
            JSON_SCHEMA => TopLevelGrammar::from_json_schema(read_schema(grammar)?),
            REGEX => TopLevelGrammar::from_regex(grammar),
            LARK => TopLevelGrammar::from_lark(grammar.to_string()),
            other => return Err(Failure::invalid(format!("unknown kind of grammar {other}"))),
        };
        let mut matcher = Matcher::new(self.factory.create_parser(parsed));
        check(&mut matcher)?;
        // A text that nothing can begin (an object that has to be a number) is found here.
        matcher.compute_mask_or_eos().map_err(|error| failure(&error.to_string()))?;
        Ok(TbConstraint { matcher, stop_ids: self.stop_ids.clone() })
    }
}

/// The crate catches its own panics and adds where they came from.
fn failure(message: &str) -> Failure {
    match message.strip_prefix("panic: ") {
        Some(panicked) => Failure {
            status: INTERNAL,
            message: panicked.split("\n<backtrace>").next().unwrap_or_default().into(),
        },
        None => Failure::invalid(message.trim_end_matches("<non-verbose/>").trim_end()),
    }
}

fn check(matcher: &mut Matcher) -> Result<(), Failure> {
    matcher.get_error().map_or(Ok(()), |message| Err(failure(&message)))
}

impl TbConstraint {
    fn allowed(&mut self, bits: &mut [u32]) -> Result<(), Failure> {
        let mask = self.matcher.compute_mask_or_eos().map_err(|e| failure(&e.to_string()))?;
        let found = mask.as_slice();
        let common = found.len().min(bits.len());
        bits[..common].copy_from_slice(&found[..common]);
        bits[common..].fill(0);
        Ok(())
    }

    fn accept(&mut self, id: u32) -> Result<(), Failure> {
        if self.matcher.is_stopped() && self.stop_ids.contains(&id) {
            return check(&mut self.matcher);
        }
        self.matcher.consume_token(id).map_err(|error| failure(&error.to_string()))
    }
}

/// # Safety
/// See include/text_bridge.h; all pointers are valid for the call.
#[no_mangle]
pub unsafe extern "C" fn tb_vocabulary_new(
    tokenizer: *const TbTokenizer,
    stop_ids: *const u32,
    stop_count: usize,
    vocabulary: *mut *mut TbVocabulary,
    error: *mut TbBytes,
) -> i32 {
    guarded(error, || {
        let made = TbVocabulary::new(&*tokenizer, slice(stop_ids, stop_count))?;
        *vocabulary = Box::into_raw(Box::new(made));
        Ok(())
    })
}

/// # Safety
/// `vocabulary` came from tb_vocabulary_new and is not used afterwards.
#[no_mangle]
pub unsafe extern "C" fn tb_vocabulary_free(vocabulary: *mut TbVocabulary) {
    if !vocabulary.is_null() {
        drop(Box::from_raw(vocabulary));
    }
}

/// # Safety
/// See include/text_bridge.h.
#[no_mangle]
pub unsafe extern "C" fn tb_constraint_new(
    vocabulary: *const TbVocabulary,
    kind: i32,
    grammar: *const u8,
    size: usize,
    constraint: *mut *mut TbConstraint,
    error: *mut TbBytes,
) -> i32 {
    guarded(error, || {
        let vocabulary = &*vocabulary;
        let grammar = utf8(slice(grammar, size), "grammar")?;
        let made = on_deep_stack(|| vocabulary.compile(kind, grammar))?;
        *constraint = Box::into_raw(Box::new(made));
        Ok(())
    })
}

/// # Safety
/// `constraint` came from this library and is not used afterwards.
#[no_mangle]
pub unsafe extern "C" fn tb_constraint_free(constraint: *mut TbConstraint) {
    if !constraint.is_null() {
        drop(Box::from_raw(constraint));
    }
}

/// # Safety
/// See include/text_bridge.h.
#[no_mangle]
pub unsafe extern "C" fn tb_constraint_copy(
    constraint: *const TbConstraint,
    copy: *mut *mut TbConstraint,
    error: *mut TbBytes,
) -> i32 {
    guarded(error, || {
        let constraint = &*constraint;
        let made = TbConstraint {
            matcher: constraint.matcher.deep_clone(),
            stop_ids: constraint.stop_ids.clone(),
        };
        *copy = Box::into_raw(Box::new(made));
        Ok(())
    })
}

/// # Safety
/// `bits` has `words` elements.
#[no_mangle]
pub unsafe extern "C" fn tb_constraint_allowed(
    constraint: *mut TbConstraint,
    bits: *mut u32,
    words: usize,
    error: *mut TbBytes,
) -> i32 {
    guarded(error, || {
        if words == 0 {
            return Ok(());
        }
        (*constraint).allowed(std::slice::from_raw_parts_mut(bits, words))
    })
}

/// # Safety
/// See include/text_bridge.h.
#[no_mangle]
pub unsafe extern "C" fn tb_constraint_accept(
    constraint: *mut TbConstraint,
    id: u32,
    error: *mut TbBytes,
) -> i32 {
    guarded(error, || (*constraint).accept(id))
}

/// # Safety
/// `constraint` is a live handle.
#[no_mangle]
pub unsafe extern "C" fn tb_constraint_complete(constraint: *const TbConstraint) -> i32 {
    i32::from((*constraint).matcher.is_stopped())
}
