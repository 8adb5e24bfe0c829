//! `{% generation %}` blocks: minijinja has no such tag, so the source gets a mark printed at both
//! ends of each block, and the marks are taken out of the output again.

use crate::boundary::Failure;

pub const MARK_FUNCTION: &str = "toolkit_generation_mark";

/// One rewritten template.
pub struct Rewritten {
    pub source: String,
    pub blocks: usize,
}

struct Tag<'a> {
    inner: &'a str,       // between the delimiters, without whitespace control
    left: &'a str,        // "-", "+" or ""
    right: &'a str,
    end: usize,           // first byte after the tag
}

/// Where the delimiter `closing` stands after `at`, outside of string literals.
fn find_closing(source: &str, at: usize, closing: &[u8; 2]) -> Option<usize> {
    let bytes = source.as_bytes();
    let mut quote = 0u8;
    let mut i = at;
    while i + 1 < bytes.len() {
        let byte = bytes[i];
        if quote != 0 {
            match byte {
                b'\\' => i += 1,
                _ if byte == quote => quote = 0,
                _ => {}
            }
        } else if byte == b'\'' || byte == b'"' {
            quote = byte;
        } else if bytes[i..i + 2] == closing[..] {
            return Some(i);
        }
        i += 1;
    }
    None
}

/// Parses the block tag that starts at `at` ("{%").
fn tag_at(source: &str, at: usize) -> Option<Tag<'_>> {
    let end = find_closing(source, at + 2, b"%}")?;
    let mut inner = &source[at + 2..end];
    let (mut left, mut right) = ("", "");
    if inner.starts_with(['-', '+']) {
        (left, inner) = inner.split_at(1);
    }
    if inner.ends_with(['-', '+']) {
        (inner, right) = inner.split_at(inner.len() - 1);
    }
    Some(Tag { inner: inner.trim(), left, right, end: end + 2 })
}

/// First byte after the `closing` delimiter, or the end of the source.
fn skip_past(source: &str, at: usize, closing: &str) -> usize {
    source[at..].find(closing).map_or(source.len(), |i| at + i + closing.len())
}

fn line_of(source: &str, at: usize) -> usize {
    1 + source[..at].matches('\n').count()
}

/// A block tag that prints a mark; it keeps the whitespace rules of the tag it stands for.
fn print_mark(output: &mut String, tag: &Tag<'_>, which: &str) {
    output.push_str(&format!(
        "{{%{} if true %}}{{{{ {MARK_FUNCTION}({which}) }}}}{{% endif {}%}}",
        tag.left, tag.right
    ));
}

pub fn rewrite(source: &str) -> Result<Rewritten, Failure> {
    let mut output = String::with_capacity(source.len());
    let (mut copied, mut at, mut blocks) = (0, 0, 0);
    let mut open_line = None;
    let mut raw = false;
    while let Some(found) = source[at..].find('{') {
        let start = at + found;
        let rest = &source[start..];
        if rest.starts_with("{#") && !raw {
            at = skip_past(source, start + 2, "#}");
            continue;
        }
        if rest.starts_with("{{") && !raw {
            at = find_closing(source, start + 2, b"}}").map_or(start + 2, |end| end + 2);
            continue;
        }
        let Some(tag) = rest.starts_with("{%").then(|| tag_at(source, start)).flatten() else {
            at = start + 1;
            continue;
        };
        at = tag.end;
        if raw {
            raw = tag.inner != "endraw";
            at = if raw { start + 1 } else { tag.end };
            continue;
        }
        match tag.inner {
            "raw" => raw = true,
            "generation" => {
                if let Some(line) = open_line {
                    return Err(Failure::invalid(format!(
                        "line {}: generation block inside the one of line {line}",
                        line_of(source, start)
                    )));
                }
                open_line = Some(line_of(source, start));
                output.push_str(&source[copied..start]);
                print_mark(&mut output, &tag, "true");
                copied = tag.end;
            }
            "endgeneration" => {
                if open_line.take().is_none() {
                    return Err(Failure::invalid(format!(
                        "line {}: endgeneration without generation",
                        line_of(source, start)
                    )));
                }
                blocks += 1;
                output.push_str(&source[copied..start]);
                print_mark(&mut output, &tag, "false");
                copied = tag.end;
            }
            _ => {}
        }
    }
    if let Some(line) = open_line {
        return Err(Failure::invalid(format!("line {line}: generation block is not closed")));
    }
    output.push_str(&source[copied..]);
    Ok(Rewritten { source: output, blocks })
}

/// A pair of marks that occurs in none of `texts`.
pub fn unused_marks(texts: [&str; 2]) -> (String, String) {
    let mut number = 0u32;
    loop {
        let stem = format!("\u{f8ff}{number}");
        if texts.iter().all(|text| !text.contains(&stem)) {
            return (format!("{stem}<\u{f8ff}"), format!("{stem}>\u{f8ff}"));
        }
        number += 1;
    }
}

/// Removes the marks and returns the text with the byte ranges they enclosed.
pub fn take_marks(text: &str, open: &str, close: &str) -> Result<(String, Vec<usize>), Failure> {
    let mut clean = String::with_capacity(text.len());
    let mut ranges = Vec::new();
    let mut rest = text;
    while let Some(begin) = rest.find(open) {
        clean.push_str(&rest[..begin]);
        rest = &rest[begin + open.len()..];
        let end = rest
            .find(close)
            .ok_or_else(|| Failure::invalid("a generation block was left before its end"))?;
        ranges.push(clean.len());
        clean.push_str(&rest[..end]);
        ranges.push(clean.len());
        rest = &rest[end + close.len()..];
    }
    clean.push_str(rest);
    Ok((clean, ranges))
}
