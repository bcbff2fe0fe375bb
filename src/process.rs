//! What the process does so that its memory stays its own: no core dumps, no tracing by others, no stale stacks.
//!
//! The allocator of `main.rs` wipes what is freed, and `crypto` keeps keys in locked pages; here is the rest. Stacks are
//! the third place where a number stays behind: a frame that has returned is not cleared until another one happens to
//! cover it, and a value with room that it does not use, moved from there to the heap, takes what it finds along. So the
//! stack below a request is written over each time the request pauses, and each thread's when it comes to rest. Called
//! by `cli`, `app` and `api`.

use std::future::poll_fn;
use std::hint::black_box;
use std::io;
use std::pin::pin;
use std::time::Duration;

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// Forbids core dumps, and attaching to this process and reading its memory to all but the system's administrator.
///
/// # Errors
/// If the operating system will not have it. Both are always allowed: a process may lower its own limits.
pub fn keep_memory_private() -> io::Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(())
}

/// Runs `future`, and wipes the stack below it each time it pauses and when it is done.
pub async fn wiped<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|context| {
        let polled = future.as_mut().poll(context);
        overwrite::<SHALLOW>();
        polled
    })
    .await
}

/// Writes over what returned frames left below the caller's. Where a thread rests, its caller is near the top.
pub fn wipe_stack() {
    overwrite::<DEEP>();
}

#[inline(never)]
fn overwrite<const BELOW: usize>() {
    let mut below = [0u8; BELOW];
    black_box(&mut below);
}

/// Wipes the stack of the current thread now and then, for as long as its executor runs. For threads whose rest nobody
/// can be told of; costs them next to nothing.
pub fn keep_stack_wiped() {
    actix_web::rt::spawn(async {
        let mut tick = tokio::time::interval(EVERY);
        loop {
            tick.tick().await;
            wipe_stack();
        }
    });
}

/// As deep as services go: in a fraction of a microsecond, and without driving all else from the processor's cache.
const SHALLOW: usize = if cfg!(debug_assertions) { 64 } else { 16 } * 1024;

/// Deeper than anything goes; threads rest often, so that this has to be cheap too.
const DEEP: usize = if cfg!(debug_assertions) { 256 } else { 64 } * 1024;

/// A number is nobody's for this long at most after the answer that needed it.
const EVERY: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn no_core_file_is_written_and_the_process_cannot_be_attached_to() {
        keep_memory_private().unwrap();
        let limit = rustix::process::getrlimit(Resource::Core);
        assert_eq!((limit.current, limit.maximum), (Some(0), Some(0)));
        assert_eq!(rustix::process::dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
    }
}
