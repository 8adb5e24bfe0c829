//! The bytes each token stands for: byte-level BPE spells a byte as one printable character (GPT-2),
//! SentencePiece writes a space as U+2581 and a byte it has no word for as <0xNN>.

use std::collections::{HashMap, HashSet};

use tokenizers::{DecoderWrapper, Tokenizer};

/// How a vocabulary spells bytes.
enum Spelling {
    ByteLevel(HashMap<char, u8>),
    Spaces { mark: char, byte_fallback: bool },
    /// WordPiece and others that lose what stood between the words.
    Words,
}

pub struct TokenBytes {
    spelling: Spelling,
    special: HashSet<u32>,
    added: HashSet<u32>,
}

fn byte_letters() -> HashMap<char, u8> {
    let mut letters = HashMap::with_capacity(256);
    let mut next = 256u32;
    for byte in 0..=255u8 {
        let printable = matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
        let code = if printable { u32::from(byte) } else { next };
        next += u32::from(!printable);
        letters.extend(char::from_u32(code).map(|letter| (letter, byte)));
    }
    letters
}

fn single(text: &str) -> Option<char> {
    let mut letters = text.chars();
    letters.next().filter(|_| letters.next().is_none())
}

/// The letter a decoder turns into a space.
fn space_mark(decoder: &DecoderWrapper) -> Option<char> {
    match decoder {
        DecoderWrapper::Metaspace(metaspace) => Some(metaspace.get_replacement()),
        // The pattern has no accessor.
        DecoderWrapper::Replace(replace) if replace.content == " " => {
            let json = serde_json::to_value(replace).ok()?;
            single(json.get("pattern")?.get("String")?.as_str()?)
        }
        _ => None,
    }
}

fn flat<'a>(decoder: &'a DecoderWrapper, parts: &mut Vec<&'a DecoderWrapper>) {
    match decoder {
        DecoderWrapper::Sequence(sequence) => {
            sequence.get_decoders().iter().for_each(|part| flat(part, parts))
        }
        other => parts.push(other),
    }
}

fn spelling_of(tokenizer: &Tokenizer) -> Spelling {
    let mut parts = Vec::new();
    if let Some(decoder) = tokenizer.get_decoder() {
        flat(decoder, &mut parts);
    }
    if parts.iter().any(|part| matches!(part, DecoderWrapper::ByteLevel(_))) {
        return Spelling::ByteLevel(byte_letters());
    }
    let byte_fallback = parts.iter().any(|part| matches!(part, DecoderWrapper::ByteFallback(_)));
    match parts.iter().find_map(|part| space_mark(part)) {
        Some(mark) => Spelling::Spaces { mark, byte_fallback },
        None => Spelling::Words,
    }
}

/// "<0x0A>" is the byte 10.
fn fallback_byte(token: &str) -> Option<u8> {
    let digits = token.strip_prefix("<0x")?.strip_suffix('>')?;
    if digits.len() == 2 { u8::from_str_radix(digits, 16).ok() } else { None }
}

impl TokenBytes {
    pub fn new(tokenizer: &Tokenizer) -> Self {
        let added = tokenizer.get_added_tokens_decoder();
        TokenBytes {
            spelling: spelling_of(tokenizer),
            special: added.iter().filter(|(_, token)| token.special).map(|(id, _)| *id).collect(),
            added: added.into_keys().collect(),
        }
    }

    pub fn known(&self) -> bool {
        !matches!(self.spelling, Spelling::Words)
    }

    pub fn special(&self, id: u32) -> bool {
        self.special.contains(&id)
    }

    /// `token` is the text of `id` in the vocabulary.
    pub fn of(&self, id: u32, token: &str) -> Vec<u8> {
        // Added tokens stand in the vocabulary as they are.
        if self.added.contains(&id) {
            return token.as_bytes().to_vec();
        }
        match &self.spelling {
            Spelling::ByteLevel(letters) => token
                .chars()
                .map(|letter| letters.get(&letter).copied())
                .collect::<Option<Vec<u8>>>()
                .unwrap_or_else(|| token.as_bytes().to_vec()),
            Spelling::Spaces { mark, byte_fallback } => match fallback_byte(token) {
                Some(byte) if *byte_fallback => vec![byte],
                _ => token.replace(*mark, " ").into_bytes(),
            },
            Spelling::Words => token.strip_prefix("##").unwrap_or(token).as_bytes().to_vec(),
        }
    }
}
