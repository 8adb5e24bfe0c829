//! Parquet files row by row: one page of each column is unpacked at a time, never a whole file.

use std::fs::File;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::reader::RowIter;
use parquet::record::{Field, Row};
use serde_json::{Map, Value};

use crate::boundary::{guarded, slice, utf8, Failure, TbBytes};

/// A footer is read as a whole; that of a file with thousands of row groups has some megabytes.
const MAX_FOOTER_BYTES: u64 = 256 << 20;
const FOOTER_END_BYTES: u64 = 8;

pub struct TbParquet {
    rows: RowIter<'static>,
    count: i64,
    done: bool,
}

fn failure(error: impl std::fmt::Display) -> Failure {
    Failure::invalid(error.to_string())
}

/// The file ends in the footer's size and "PAR1": the size is checked before so much is read.
fn check_footer(file: &File) -> Result<(), Failure> {
    use std::os::unix::fs::FileExt;
    let size = file.metadata().map_err(failure)?.len();
    let mut end = [0u8; FOOTER_END_BYTES as usize];
    let Some(at) = size.checked_sub(FOOTER_END_BYTES) else {
        return Err(Failure::invalid(format!("{size} bytes are too few for a Parquet file")));
    };
    file.read_exact_at(&mut end, at).map_err(failure)?;
    if &end[4..] == b"PARE" {
        return Err(Failure::invalid("the file is encrypted"));
    }
    if &end[4..] != b"PAR1" {
        return Err(Failure::invalid("the file does not end as a Parquet file does (cut off?)"));
    }
    let footer = u64::from(u32::from_le_bytes([end[0], end[1], end[2], end[3]]));
    if footer > at || footer > MAX_FOOTER_BYTES {
        return Err(Failure::invalid(format!("its footer claims {footer} of {size} bytes")));
    }
    Ok(())
}

fn open(path: &str) -> Result<TbParquet, Failure> {
    let file = File::open(path).map_err(failure)?;
    check_footer(&file)?;
    let reader = SerializedFileReader::new(file).map_err(failure)?;
    let count = reader.metadata().file_metadata().num_rows();
    Ok(TbParquet { rows: RowIter::from_file_into(Box::new(reader)), count, done: false })
}

/// A struct column has every member in every row, null where the row has none.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members
                .into_iter()
                .filter(|(_, member)| !member.is_null())
                .map(|(name, member)| (name, without_nulls(member)))
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.into_iter().map(without_nulls).collect()),
        other => other,
    }
}

/// Older writers leave out the mark that says that bytes are text.
fn column_value(field: &Field) -> Value {
    if let Field::Bytes(bytes) = field {
        if let Ok(text) = std::str::from_utf8(bytes.data()) {
            return Value::String(text.into());
        }
    }
    without_nulls(field.to_json_value())
}

fn to_json(row: &Row) -> Value {
    let columns = row.get_column_iter().map(|(name, field)| (name.clone(), column_value(field)));
    Value::Object(columns.filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>())
}

/// # Safety
/// See include/text_bridge.h; all pointers are valid for the call.
#[no_mangle]
pub unsafe extern "C" fn tb_parquet_open(
    path: *const u8,
    size: usize,
    reader: *mut *mut TbParquet,
    error: *mut TbBytes,
) -> i32 {
    guarded(error, || {
        let made = open(utf8(slice(path, size), "path")?)?;
        *reader = Box::into_raw(Box::new(made));
        Ok(())
    })
}

/// # Safety
/// `reader` came from tb_parquet_open and is not used afterwards.
#[no_mangle]
pub unsafe extern "C" fn tb_parquet_free(reader: *mut TbParquet) {
    if !reader.is_null() {
        drop(Box::from_raw(reader));
    }
}

/// # Safety
/// `reader` is a live handle.
#[no_mangle]
pub unsafe extern "C" fn tb_parquet_row_count(reader: *const TbParquet) -> i64 {
    (*reader).count
}

/// # Safety
/// See include/text_bridge.h.
#[no_mangle]
pub unsafe extern "C" fn tb_parquet_next(
    reader: *mut TbParquet,
    row: *mut TbBytes,
    error: *mut TbBytes,
) -> i32 {
    guarded(error, || {
        let reader = &mut *reader;
        *row = TbBytes::from(Vec::new());
        if reader.done {
            return Ok(());
        }
        // Set first: after a failure or panic inside, the iterator is not asked again.
        reader.done = true;
        if let Some(next) = reader.rows.next() {
            *row = TbBytes::from(to_json(&next.map_err(failure)?).to_string().into_bytes());
            reader.done = false;
        }
        Ok(())
    })
}
