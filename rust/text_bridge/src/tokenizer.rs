use std::str::FromStr;
use std::sync::OnceLock;

use tokenizers::processors::PostProcessorWrapper;
use tokenizers::Tokenizer;

use crate::boundary::{guarded, slice, utf8, Failure, TbBytes};
use crate::token_bytes::TokenBytes;

pub struct TbTokenizer {
    pub inner: Tokenizer,
    pub bytes: TokenBytes,
    /// With added tokens; the crate builds the whole vocabulary to count it.
    size: OnceLock<usize>,
}

#[repr(C)]
pub struct TbEncoding {
    ids: *mut u32,
    offsets: *mut u32,
    count: usize,
}

fn into_raw(values: Vec<u32>) -> *mut u32 {
    Box::into_raw(values.into_boxed_slice()) as *mut u32
}

/// A token owns its leading space; the post-processor would cut it off the offsets.
fn keep_spaces(processor: PostProcessorWrapper) -> PostProcessorWrapper {
    match processor {
        PostProcessorWrapper::ByteLevel(inner) => {
            PostProcessorWrapper::ByteLevel(inner.trim_offsets(false))
        }
        PostProcessorWrapper::Roberta(inner) => {
            PostProcessorWrapper::Roberta(inner.trim_offsets(false))
        }
        PostProcessorWrapper::Sequence(mut inner) => {
            for part in inner.as_mut() {
                *part = keep_spaces(part.clone());
            }
            PostProcessorWrapper::Sequence(inner)
        }
        other => other,
    }
}

/// Value of a base64 letter; anything else ends the number being read.
fn base64_digit(letter: u8) -> Option<u64> {
    match letter {
        b'A'..=b'Z' => Some(u64::from(letter - b'A')),
        b'a'..=b'z' => Some(u64::from(letter - b'a') + 26),
        b'0'..=b'9' => Some(u64::from(letter - b'0') + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

/// A SentencePiece character map begins with the byte size of its trie, little-endian; the crate
/// reserves that much before it looks whether so much is there.
fn check_character_map(base64: &str) -> Result<(), Failure> {
    let held = base64.len() as u64 / 4 * 3;
    let mut bits: u64 = 0;
    for letter in base64.bytes().chain(std::iter::repeat(b'A')).take(6) {
        bits = bits << 6 | base64_digit(letter).unwrap_or(0);
    }
    let stated = u64::from(((bits >> 4) as u32).swap_bytes());
    if stated > held {
        return Err(Failure::invalid(format!(
            "precompiled_charsmap states a trie of {stated} bytes, but holds {held} in all"
        )));
    }
    Ok(())
}

fn check_character_maps(value: &serde_json::Value) -> Result<(), Failure> {
    match value {
        serde_json::Value::Array(items) => items.iter().try_for_each(check_character_maps),
        serde_json::Value::Object(members) => members.iter().try_for_each(|(name, member)| {
            match member.as_str() {
                Some(text) if name == "precompiled_charsmap" => check_character_map(text),
                _ => check_character_maps(member),
            }
        }),
        _ => Ok(()),
    }
}

fn load(json: &str) -> Result<Tokenizer, Failure> {
    // A name may be written with escapes, so a backslash before a "u" asks for the look too.
    if json.contains("precompiled_charsmap") || json.contains("\\u00") {
        let value: serde_json::Value =
            serde_json::from_str(json).map_err(|e| Failure::invalid(e.to_string()))?;
        check_character_maps(&value)?;
    }
    let mut inner = Tokenizer::from_str(json).map_err(|e| Failure::invalid(e.to_string()))?;
    inner.with_padding(None);
    inner.with_truncation(None).map_err(|e| Failure::invalid(e.to_string()))?;
    if let Some(processor) = inner.get_post_processor().cloned() {
        inner.with_post_processor(Some(keep_spaces(processor)));
    }
    Ok(inner)
}

/// # Safety
/// See include/text_bridge.h; all pointers are valid for the call.
#[no_mangle]
pub unsafe extern "C" fn tb_tokenizer_new(
    json: *const u8,
    size: usize,
    tokenizer: *mut *mut TbTokenizer,
    error: *mut TbBytes,
) -> i32 {
    guarded(error, || {
        let inner = load(utf8(slice(json, size), "tokenizer.json")?)?;
        let bytes = TokenBytes::new(&inner);
        *tokenizer = Box::into_raw(Box::new(TbTokenizer { inner, bytes, size: OnceLock::new() }));
        Ok(())
    })
}

/// # Safety
/// `tokenizer` came from tb_tokenizer_new and is not used afterwards.
#[no_mangle]
pub unsafe extern "C" fn tb_tokenizer_free(tokenizer: *mut TbTokenizer) {
    if !tokenizer.is_null() {
        drop(Box::from_raw(tokenizer));
    }
}

/// # Safety
/// See include/text_bridge.h.
#[no_mangle]
pub unsafe extern "C" fn tb_encode(
    tokenizer: *const TbTokenizer,
    text: *const u8,
    size: usize,
    add_special: i32,
    encoding: *mut TbEncoding,
    error: *mut TbBytes,
) -> i32 {
    guarded(error, || {
        if size > u32::MAX as usize {
            return Err(Failure::invalid(format!("text has {size} bytes, at most {} fit", u32::MAX)));
        }
        let text = utf8(slice(text, size), "text")?;
        let tokenizer = &(*tokenizer).inner;
        let found = tokenizer
            .encode(text, add_special != 0)
            .map_err(|e| Failure::invalid(e.to_string()))?;
        let ids = found.get_ids().to_vec();
        let mut offsets = Vec::with_capacity(2 * ids.len());
        for (begin, end) in found.get_offsets() {
            offsets.push(*begin as u32);
            offsets.push(*end as u32);
        }
        let count = ids.len();
        *encoding = TbEncoding { ids: into_raw(ids), offsets: into_raw(offsets), count };
        Ok(())
    })
}

/// # Safety
/// `encoding` came from tb_encode and was not freed before.
#[no_mangle]
pub unsafe extern "C" fn tb_encoding_free(encoding: TbEncoding) {
    for (data, size) in [(encoding.ids, encoding.count), (encoding.offsets, 2 * encoding.count)] {
        if !data.is_null() {
            drop(Box::from_raw(std::ptr::slice_from_raw_parts_mut(data, size)));
        }
    }
}

/// # Safety
/// See include/text_bridge.h.
#[no_mangle]
pub unsafe extern "C" fn tb_decode(
    tokenizer: *const TbTokenizer,
    ids: *const u32,
    count: usize,
    skip_special: i32,
    text: *mut TbBytes,
    error: *mut TbBytes,
) -> i32 {
    guarded(error, || {
        let decoded = (*tokenizer)
            .inner
            .decode(slice(ids, count), skip_special != 0)
            .map_err(|e| Failure::invalid(e.to_string()))?;
        *text = TbBytes::from(decoded.into_bytes());
        Ok(())
    })
}

/// # Safety
/// `tokenizer` is a live handle.
#[no_mangle]
pub unsafe extern "C" fn tb_vocabulary_size(tokenizer: *const TbTokenizer) -> usize {
    let tokenizer = &*tokenizer;
    *tokenizer.size.get_or_init(|| tokenizer.inner.get_vocab_size(true))
}

/// # Safety
/// See include/text_bridge.h.
#[no_mangle]
pub unsafe extern "C" fn tb_token_to_id(
    tokenizer: *const TbTokenizer,
    token: *const u8,
    size: usize,
) -> i64 {
    match std::str::from_utf8(slice(token, size)) {
        Ok(token) => (*tokenizer).inner.token_to_id(token).map_or(-1, i64::from),
        Err(_) => -1,
    }
}

/// # Safety
/// See include/text_bridge.h.
#[no_mangle]
pub unsafe extern "C" fn tb_id_to_token(
    tokenizer: *const TbTokenizer,
    id: u32,
    token: *mut TbBytes,
) -> i32 {
    match (*tokenizer).inner.id_to_token(id) {
        Some(found) => {
            *token = TbBytes::from(found.into_bytes());
            1
        }
        None => 0,
    }
}

/// # Safety
/// See include/text_bridge.h.
#[no_mangle]
pub unsafe extern "C" fn tb_token_bytes(
    tokenizer: *const TbTokenizer,
    id: u32,
    bytes: *mut TbBytes,
) -> i32 {
    let tokenizer = &*tokenizer;
    match tokenizer.inner.id_to_token(id) {
        Some(token) => {
            *bytes = TbBytes::from(tokenizer.bytes.of(id, &token));
            1
        }
        None => 0,
    }
}

/// # Safety
/// `tokenizer` is a live handle.
#[no_mangle]
pub unsafe extern "C" fn tb_token_special(tokenizer: *const TbTokenizer, id: u32) -> i32 {
    i32::from((*tokenizer).bytes.special(id))
}
