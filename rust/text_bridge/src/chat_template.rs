use std::ffi::CString;
use std::io::{self, Write};

use minijinja::value::{Value, ValueKind};
use minijinja::{escape_formatter, AutoEscape, Environment, Error, ErrorKind, Output, State};
use serde_json::Value as Json;

use crate::boundary::{guarded, on_deep_stack, slice, utf8, Failure, TbBytes};
use crate::generation::{rewrite, take_marks, unused_marks, MARK_FUNCTION};
use crate::python_text::{to_json, write_str};

const NAME: &str = "chat_template";
const OPEN_MARK: &str = "toolkit_open_mark";
const CLOSE_MARK: &str = "toolkit_close_mark";
/// Calls inside calls; each costs a few kilobytes of stack.
const MAX_CALLS: usize = 100;

pub struct TbTemplate {
    environment: Environment<'static>,
    source: String,
    blocks: usize,
    max_output: usize,
}

#[repr(C)]
pub struct TbRendered {
    text: TbBytes,
    marks: *mut usize,
    mark_count: usize,
}

fn format_value(output: &mut Output, state: &State, value: &Value) -> Result<(), Error> {
    let own = match value.kind() {
        ValueKind::Bool | ValueKind::None | ValueKind::Seq | ValueKind::Map => true,
        ValueKind::Number => !value.is_integer(),
        _ => false,
    };
    if !own {
        return escape_formatter(output, state, value);
    }
    let text = str_of(value)?;
    output.write_str(&text).map_err(Error::from)
}

/// Python's str().
fn str_of(value: &Value) -> Result<String, Error> {
    let mut text = String::new();
    write_str(&mut text, value, false, 0)?;
    Ok(text)
}

fn trim(value: Value, characters: Option<String>) -> Result<String, Error> {
    let text = str_of(&value)?;
    Ok(match characters {
        Some(set) => text.trim_matches(|c| set.contains(c)).into(),
        None => text.trim().into(),
    })
}

/// Methods of Python's str that minijinja-contrib lacks, then its own.
fn call_method(
    state: &State,
    value: &Value,
    method: &str,
    arguments: &[Value],
) -> Result<Value, Error> {
    let texts: Vec<&str> = arguments.iter().filter_map(|a| a.as_str()).collect();
    match (value.as_str(), method, texts.as_slice()) {
        (Some(text), "removeprefix", [prefix]) => {
            Ok(text.strip_prefix(prefix).unwrap_or(text).into())
        }
        (Some(text), "removesuffix", [suffix]) => {
            Ok(text.strip_suffix(suffix).unwrap_or(text).into())
        }
        (Some(text), "rsplit", [separator]) if !separator.is_empty() => {
            let most = match arguments.get(1) {
                Some(count) => i64::try_from(count.clone())?,
                None => -1,
            };
            let pieces = usize::try_from(most).map_or(usize::MAX, |n| n.saturating_add(1));
            let mut found: Vec<Value> = text.rsplitn(pieces, separator).map(Value::from).collect();
            found.reverse();
            Ok(Value::from(found))
        }
        _ => minijinja_contrib::pycompat::unknown_method_callback(state, value, method, arguments),
    }
}

fn strftime_now(format: &str) -> Result<String, Error> {
    let bad = || Error::new(ErrorKind::InvalidOperation, "strftime_now: bad format");
    let c_format = CString::new(format).map_err(|_| bad())?;
    if format.is_empty() || format.len() > 200 {
        return if format.is_empty() { Ok(String::new()) } else { Err(bad()) };
    }
    let mut buffer = vec![0u8; 4096];
    let written = unsafe {
        let now = libc::time(std::ptr::null_mut());
        let mut local: libc::tm = std::mem::zeroed();
        libc::localtime_r(&now, &mut local);
        libc::strftime(buffer.as_mut_ptr().cast(), buffer.len(), c_format.as_ptr(), &local)
    };
    buffer.truncate(written);
    String::from_utf8(buffer).map_err(|_| bad())
}

fn raise_exception(message: String) -> Result<Value, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, format!("the template says: {message}")))
}

fn mark(state: &State, opens: bool) -> Value {
    let name = if opens { OPEN_MARK } else { CLOSE_MARK };
    state.lookup(name).unwrap_or(Value::UNDEFINED)
}

fn describe(error: &Error) -> Failure {
    let mut message = match error.line() {
        Some(line) => format!("line {line}: "),
        None => String::new(),
    };
    match error.detail() {
        Some(detail) if error.kind() == ErrorKind::InvalidOperation => message.push_str(detail),
        Some(detail) => message.push_str(&format!("{}: {detail}", error.kind())),
        None => message.push_str(&error.kind().to_string()),
    }
    if error.kind() == ErrorKind::OutOfFuel {
        return Failure::limit(message + ": the template takes too many steps");
    }
    Failure::invalid(message)
}

impl TbTemplate {
    fn new(source: &str, max_steps: u64, max_output: usize) -> Result<Self, Failure> {
        let rewritten = rewrite(source)?;
        let mut environment = Environment::new();
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_unknown_method_callback(call_method);
        environment.set_formatter(format_value);
        environment.set_recursion_limit(MAX_CALLS);
        environment.set_fuel(Some(max_steps));
        environment.add_filter("tojson", to_json);
        environment.add_filter("string", |value: Value| str_of(&value));
        environment.add_filter("trim", trim);
        environment.add_function("raise_exception", raise_exception);
        environment.add_function("strftime_now", strftime_now);
        environment.add_function(MARK_FUNCTION, mark);
        environment
            .add_template_owned(NAME, rewritten.source)
            .map_err(|error| describe(&error))?;
        Ok(TbTemplate {
            environment,
            source: source.into(),
            blocks: rewritten.blocks,
            max_output,
        })
    }

    fn render(&self, variables: &str) -> Result<(String, Vec<usize>), Failure> {
        let parsed: Json = serde_json::from_str(variables)
            .map_err(|error| Failure::invalid(format!("template variables: {error}")))?;
        let Json::Object(mut parsed) = parsed else {
            return Err(Failure::invalid("template variables: expected a JSON object"));
        };
        let (open, close) = unused_marks([&self.source, variables]);
        if self.blocks > 0 {
            parsed.insert(OPEN_MARK.into(), Json::from(open.as_str()));
            parsed.insert(CLOSE_MARK.into(), Json::from(close.as_str()));
        }
        let mut output = Limited { text: Vec::new(), limit: self.max_output, exceeded: false };
        let template = self.environment.get_template(NAME).map_err(|error| describe(&error))?;
        let result = template.render_captured_to(&parsed, &mut output);
        if output.exceeded {
            return Err(Failure::limit(format!(
                "the template writes more than {} bytes",
                self.max_output
            )));
        }
        result.map_err(|error| describe(&error))?;
        let text = String::from_utf8(output.text)
            .map_err(|_| Failure::invalid("the template wrote text that is not UTF-8"))?;
        if self.blocks == 0 { Ok((text, Vec::new())) } else { take_marks(&text, &open, &close) }
    }
}

struct Limited {
    text: Vec<u8>,
    limit: usize,
    exceeded: bool,
}

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.text.len() + bytes.len() > self.limit {
            self.exceeded = true;
            return Err(io::Error::other("output limit"));
        }
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// # Safety
/// See include/text_bridge.h; all pointers are valid for the call.
#[no_mangle]
pub unsafe extern "C" fn tb_template_new(
    source: *const u8,
    size: usize,
    max_steps: u64,
    max_output: usize,
    chat_template: *mut *mut TbTemplate,
    error: *mut TbBytes,
) -> i32 {
    guarded(error, || {
        let source = utf8(slice(source, size), "chat template")?;
        let made = TbTemplate::new(source, max_steps, max_output)?;
        *chat_template = Box::into_raw(Box::new(made));
        Ok(())
    })
}

/// # Safety
/// `chat_template` came from tb_template_new and is not used afterwards.
#[no_mangle]
pub unsafe extern "C" fn tb_template_free(chat_template: *mut TbTemplate) {
    if !chat_template.is_null() {
        drop(Box::from_raw(chat_template));
    }
}

/// # Safety
/// `chat_template` is a live handle.
#[no_mangle]
pub unsafe extern "C" fn tb_template_marks_generation(chat_template: *const TbTemplate) -> i32 {
    i32::from((*chat_template).blocks > 0)
}

/// # Safety
/// See include/text_bridge.h.
#[no_mangle]
pub unsafe extern "C" fn tb_template_render(
    chat_template: *const TbTemplate,
    variables: *const u8,
    size: usize,
    rendered: *mut TbRendered,
    error: *mut TbBytes,
) -> i32 {
    guarded(error, || {
        let variables = utf8(slice(variables, size), "template variables")?;
        let chat_template = &*chat_template;
        let (text, marks) = on_deep_stack(|| chat_template.render(variables))?;
        let mark_count = marks.len() / 2;
        *rendered = TbRendered {
            text: TbBytes::from(text.into_bytes()),
            marks: Box::into_raw(marks.into_boxed_slice()) as *mut usize,
            mark_count,
        };
        Ok(())
    })
}

/// # Safety
/// `rendered` came from tb_template_render and was not freed before.
#[no_mangle]
pub unsafe extern "C" fn tb_rendered_free(rendered: TbRendered) {
    crate::boundary::tb_bytes_free(rendered.text);
    if !rendered.marks.is_null() {
        let size = 2 * rendered.mark_count;
        drop(Box::from_raw(std::ptr::slice_from_raw_parts_mut(rendered.marks, size)));
    }
}
