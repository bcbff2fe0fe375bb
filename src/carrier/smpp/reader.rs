//! A buffer before a link that is wiped as it is read.
//!
//! A link lives for weeks, and what an ordinary buffered reader has handed on stays in it until as much again has come
//! in. Here each octet is overwritten when it is handed on.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};
use zeroize::{Zeroize as _, Zeroizing};

/// Reads ahead from `inner`, so that many small PDUs cost one call of the system.
pub(super) struct WipingReader<R> {
    inner: R,
    held: Zeroizing<Vec<u8>>,
    /// What of `held` is not handed on yet.
    unread: std::ops::Range<usize>,
}

impl<R: AsyncRead + Unpin> WipingReader<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, held: Zeroizing::new(vec![0; AHEAD]), unread: 0..0 }
    }

    fn fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut room = ReadBuf::new(&mut self.held);
        ready!(Pin::new(&mut self.inner).poll_read(context, &mut room))?;
        self.unread = 0..room.filled().len();
        Poll::Ready(Ok(()))
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for WipingReader<R> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let reader = self.get_mut();
        if reader.unread.is_empty() {
            ready!(reader.fill(context))?;
        }
        let count = reader.unread.len().min(into.remaining());
        let start = reader.unread.start;
        if let Some(octets) = reader.held.get_mut(start..start + count) {
            into.put_slice(octets);
            octets.zeroize();
        }
        reader.unread.start += count;
        Poll::Ready(Ok(()))
    }
}

/// What is read ahead, in octets.
const AHEAD: usize = 8 * 1024;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tokio::io::AsyncReadExt as _;

    use super::*;

    #[tokio::test]
    async fn all_octets_come_in_order_and_none_stays_behind() {
        let sent: Vec<u8> = (0..20_000u32).map(|n| u8::try_from(n % 251 + 1).unwrap()).collect();
        let mut reader = WipingReader::new(sent.as_slice());
        let mut got = Vec::new();
        for size in [1, 16, 3, 8_192, 5].into_iter().cycle() {
            let mut part = vec![0; size];
            let count = reader.read(&mut part).await.unwrap();
            got.extend_from_slice(part.get(..count).unwrap());
            let done = reader.held.get(..reader.unread.start).unwrap();
            assert!(done.iter().all(|octet| *octet == 0));
            if count == 0 {
                break;
            }
        }
        assert_eq!(got, sent);
    }
}
