//! What crosses to C: owned buffers, status codes, and the wall that no panic passes.

use std::cell::RefCell;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Once;

pub const INVALID_INPUT: i32 = 1;
pub const LIMIT: i32 = 2;
pub const INTERNAL: i32 = 3;

pub struct Failure {
    pub status: i32,
    pub message: String,
}

impl Failure {
    pub fn invalid(message: impl Into<String>) -> Self {
        Failure { status: INVALID_INPUT, message: message.into() }
    }

    pub fn limit(message: impl Into<String>) -> Self {
        Failure { status: LIMIT, message: message.into() }
    }
}

#[repr(C)]
pub struct TbBytes {
    data: *mut u8,
    size: usize,
    capacity: usize,
}

impl From<Vec<u8>> for TbBytes {
    fn from(bytes: Vec<u8>) -> Self {
        if bytes.capacity() == 0 {
            return TbBytes { data: std::ptr::null_mut(), size: 0, capacity: 0 };
        }
        let mut bytes = std::mem::ManuallyDrop::new(bytes);
        TbBytes { data: bytes.as_mut_ptr(), size: bytes.len(), capacity: bytes.capacity() }
    }
}

/// # Safety
/// `bytes` came from this library and was not freed before.
#[no_mangle]
pub unsafe extern "C" fn tb_bytes_free(bytes: TbBytes) {
    if !bytes.data.is_null() {
        drop(Vec::from_raw_parts(bytes.data, bytes.size, bytes.capacity));
    }
}

/// A pointer and a length as a slice; C may pass NULL for an empty one.
///
/// # Safety
/// `data` points to `size` values that live as long as the call.
pub unsafe fn slice<'a, T>(data: *const T, size: usize) -> &'a [T] {
    if size == 0 { &[] } else { std::slice::from_raw_parts(data, size) }
}

pub fn utf8<'a>(bytes: &'a [u8], what: &str) -> Result<&'a str, Failure> {
    std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        Failure::invalid(format!("{what} is not UTF-8: byte {at} is 0x{:02x}", bytes[at]))
    })
}

thread_local! {
    static LAST_PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

static QUIET_PANICS: Once = Once::new();

/// Runs `work`; a failure or a panic ends in `error` and the status is returned.
pub fn guarded(error: *mut TbBytes, work: impl FnOnce() -> Result<(), Failure>) -> i32 {
    // A library prints nothing: the hook keeps the message for the caller instead.
    QUIET_PANICS.call_once(|| {
        std::panic::set_hook(Box::new(|info| {
            LAST_PANIC.with(|last| *last.borrow_mut() = info.to_string());
        }));
    });
    let failure = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(())) => return 0,
        Ok(Err(failure)) => failure,
        Err(_) => Failure { status: INTERNAL, message: last_panic() },
    };
    if !error.is_null() {
        unsafe { *error = TbBytes::from(failure.message.into_bytes()) };
    }
    failure.status
}

pub fn last_panic() -> String {
    LAST_PANIC.with(|last| last.borrow().clone())
}

/// What comes from outside can be nested as deep as its limits allow, and is walked and dropped
/// recursively: the thread that does it gets room for that. Only pages that are touched cost memory.
const STACK_BYTES: usize = 1 << 30;

/// Runs `work` on a thread with a large stack; a panic there is a failure here.
pub fn on_deep_stack<T: Send>(
    work: impl FnOnce() -> Result<T, Failure> + Send,
) -> Result<T, Failure> {
    let internal = |message: String| Failure { status: INTERNAL, message };
    std::thread::scope(|scope| {
        let worker = std::thread::Builder::new()
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, || catch_unwind(AssertUnwindSafe(work)).map_err(|_| last_panic()))
            .map_err(|error| internal(error.to_string()))?;
        match worker.join() {
            Ok(Ok(result)) => result,
            Ok(Err(message)) => Err(internal(message)),
            Err(_) => Err(internal("a worker thread died".into())),
        }
    })
}
