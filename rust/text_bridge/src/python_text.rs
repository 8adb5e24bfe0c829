//! Values as Python writes them: str() for printing, json.dumps for the `tojson` filter.

use minijinja::value::{Kwargs, Value, ValueKind};
use minijinja::{Error, ErrorKind};

const MAX_DEPTH: usize = 100;

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message.into())
}

/// Python's repr of a float: shortest digits, exponent below 1e-4 and from 1e16 on.
fn float_text(value: f64) -> String {
    if value.is_nan() {
        return "nan".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf".into() } else { "-inf".into() };
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if value != 0.0 && !(-4..16).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", exponent.abs());
    }
    let plain = format!("{value}");
    if plain.contains('.') { plain } else { plain + ".0" }
}

fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut result = String::with_capacity(text.len() + 2);
    result.push(quote);
    for c in text.chars() {
        match c {
            '\\' => result.push_str("\\\\"),
            '\n' => result.push_str("\\n"),
            '\r' => result.push_str("\\r"),
            '\t' => result.push_str("\\t"),
            _ if c == quote => result.extend(['\\', c]),
            _ if c.is_control() => result.push_str(&format!("\\x{:02x}", c as u32)),
            _ => result.push(c),
        }
    }
    result.push(quote);
    result
}

/// str(value), or repr(value) inside a container.
pub fn write_str(output: &mut String, value: &Value, inside: bool, depth: usize) -> Result<(), Error> {
    if depth > MAX_DEPTH {
        return Err(invalid("value is nested too deeply to be printed"));
    }
    match value.kind() {
        ValueKind::None => output.push_str("None"),
        ValueKind::Bool => output.push_str(if value.is_true() { "True" } else { "False" }),
        ValueKind::Number if !value.is_integer() => {
            output.push_str(&float_text(f64::try_from(value.clone())?));
        }
        ValueKind::String if inside => output.push_str(&quoted(value.as_str().unwrap_or(""))),
        ValueKind::Seq => {
            output.push('[');
            for (i, item) in value.try_iter()?.enumerate() {
                output.push_str(if i > 0 { ", " } else { "" });
                write_str(output, &item, true, depth + 1)?;
            }
            output.push(']');
        }
        ValueKind::Map => {
            output.push('{');
            for (i, key) in value.try_iter()?.enumerate() {
                output.push_str(if i > 0 { ", " } else { "" });
                write_str(output, &key, true, depth + 1)?;
                output.push_str(": ");
                write_str(output, &value.get_item(&key)?, true, depth + 1)?;
            }
            output.push('}');
        }
        _ => output.push_str(&value.to_string()),
    }
    Ok(())
}

struct JsonStyle {
    ensure_ascii: bool,
    sort_keys: bool,
    indent: Option<String>,
    item_separator: String,
    key_separator: String,
}

fn write_json_string(output: &mut String, text: &str, ensure_ascii: bool) {
    output.push('"');
    for c in text.chars() {
        match c {
            '"' => output.push_str("\\\""),
            '\\' => output.push_str("\\\\"),
            '\n' => output.push_str("\\n"),
            '\r' => output.push_str("\\r"),
            '\t' => output.push_str("\\t"),
            '\u{8}' => output.push_str("\\b"),
            '\u{c}' => output.push_str("\\f"),
            _ if (c as u32) < 0x20 || (ensure_ascii && !(' '..='~').contains(&c)) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    output.push_str(&format!("\\u{unit:04x}"));
                }
            }
            _ => output.push(c),
        }
    }
    output.push('"');
}

impl JsonStyle {
    fn line(&self, output: &mut String, depth: usize) {
        if let Some(indent) = &self.indent {
            output.push('\n');
            for _ in 0..depth {
                output.push_str(indent);
            }
        }
    }

    fn key(&self, key: &Value) -> Result<String, Error> {
        match key.kind() {
            ValueKind::String => Ok(key.as_str().unwrap_or("").into()),
            ValueKind::Bool => Ok(key.is_true().to_string()),
            ValueKind::None => Ok("null".into()),
            ValueKind::Number => {
                let mut text = String::new();
                write_str(&mut text, key, false, 0)?;
                Ok(text)
            }
            other => Err(invalid(format!("tojson: a {other} cannot be a key"))),
        }
    }

    fn write(&self, output: &mut String, value: &Value, depth: usize) -> Result<(), Error> {
        if depth > MAX_DEPTH {
            return Err(invalid("tojson: value is nested too deeply"));
        }
        match value.kind() {
            ValueKind::None => output.push_str("null"),
            ValueKind::Bool => output.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number if !value.is_integer() => {
                output.push_str(match float_text(f64::try_from(value.clone())?).as_str() {
                    "nan" => "NaN",
                    "inf" => "Infinity",
                    "-inf" => "-Infinity",
                    text => text,
                });
            }
            ValueKind::Number => output.push_str(&value.to_string()),
            ValueKind::String => {
                write_json_string(output, value.as_str().unwrap_or(""), self.ensure_ascii);
            }
            ValueKind::Seq | ValueKind::Iterable => {
                output.push('[');
                let mut count = 0;
                for item in value.try_iter()? {
                    if count > 0 {
                        output.push_str(&self.item_separator);
                    }
                    self.line(output, depth + 1);
                    self.write(output, &item, depth + 1)?;
                    count += 1;
                }
                if count > 0 {
                    self.line(output, depth);
                }
                output.push(']');
            }
            ValueKind::Map => self.write_map(output, value, depth)?,
            other => return Err(invalid(format!("tojson: a value of type {other} is not JSON"))),
        }
        Ok(())
    }

    fn write_map(&self, output: &mut String, map: &Value, depth: usize) -> Result<(), Error> {
        let mut keys: Vec<Value> = map.try_iter()?.collect();
        if self.sort_keys {
            keys.sort();
        }
        output.push('{');
        for (i, key) in keys.iter().enumerate() {
            if i > 0 {
                output.push_str(&self.item_separator);
            }
            self.line(output, depth + 1);
            write_json_string(output, &self.key(key)?, self.ensure_ascii);
            output.push_str(&self.key_separator);
            self.write(output, &map.get_item(key)?, depth + 1)?;
        }
        if !keys.is_empty() {
            self.line(output, depth);
        }
        output.push('}');
        Ok(())
    }
}

fn indent_text(value: Option<Value>) -> Result<Option<String>, Error> {
    let Some(value) = value.filter(|v| !v.is_none()) else { return Ok(None) };
    if let Some(text) = value.as_str() {
        return Ok(Some(text.chars().take(16).collect()));
    }
    let width = i64::try_from(value)?;
    Ok(Some(" ".repeat(width.clamp(0, 16) as usize)))
}

/// The filter `tojson(ensure_ascii=False, indent=None, separators=None, sort_keys=False)`.
pub fn to_json(value: Value, ensure_ascii: Option<bool>, options: Kwargs) -> Result<String, Error> {
    let indent = indent_text(options.get::<Option<Value>>("indent")?)?;
    let mut style = JsonStyle {
        ensure_ascii: options.get::<Option<bool>>("ensure_ascii")?.or(ensure_ascii).unwrap_or(false),
        sort_keys: options.get::<Option<bool>>("sort_keys")?.unwrap_or(false),
        item_separator: if indent.is_some() { "," } else { ", " }.into(),
        key_separator: ": ".into(),
        indent,
    };
    if let Some(separators) = options.get::<Option<Vec<String>>>("separators")? {
        let [item, key] = separators.as_slice() else {
            return Err(invalid("tojson: separators takes two strings"));
        };
        (style.item_separator, style.key_separator) = (item.clone(), key.clone());
    }
    options.assert_all_used()?;
    let mut output = String::new();
    style.write(&mut output, &value, 0)?;
    Ok(output)
}
