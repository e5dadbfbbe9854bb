//! The end of a connection whose client is still sending.
//!
//! A system that closes a connection with bytes that nobody has read resets it, and who is reset may lose the answer that
//! came before: a client that sends more than the server takes would not learn so (RFC 9112 9.6). So after the answer to a
//! request that was not read whole, what still comes is read for a while and dropped.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// For how long, whatever comes: the client has its answer, and has had the time to read it.
const TIME: Duration = Duration::from_secs(2);

/// How much is read at a time.
const CHUNK: usize = 16 << 10;

/// Set when a request was answered without being read whole.
pub(super) type Unread = Arc<AtomicBool>;

/// A stream whose shutdown waits for a client that is still sending.
pub(super) struct Linger<S> {
    stream: S,
    unread: Unread,
    is_shut: bool,
    until: Option<Pin<Box<Sleep>>>,
}

impl<S> Linger<S> {
    pub(super) fn new(stream: S, unread: Unread) -> Self {
        Self { stream, unread, is_shut: false, until: None }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Linger<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.is_shut {
            ready!(Pin::new(&mut this.stream).poll_shutdown(context))?;
            this.is_shut = true;
        }
        if !this.unread.load(Ordering::Relaxed) {
            return Poll::Ready(Ok(()));
        }
        let until = this.until.get_or_insert_with(|| Box::pin(tokio::time::sleep(TIME)));
        let mut chunk = [0; CHUNK];
        while until.as_mut().poll(context).is_pending() {
            let mut read = ReadBuf::new(&mut chunk);
            // That it ends, or breaks, is all that was waited for.
            if ready!(Pin::new(&mut this.stream).poll_read(context, &mut read)).is_err()
                || read.filled().is_empty()
            {
                break;
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Linger<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}
