//! A stream out of something that has the next item asynchronously.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

/// What has the items.
pub(super) trait Source: Send + 'static {
    type Item: Send + 'static;

    /// The next item; after `None` it is not asked again.
    fn next(&mut self) -> impl Future<Output = Option<Self::Item>> + Send;
}

type Step<S> = Pin<Box<dyn Future<Output = (S, Option<<S as Source>::Item>)> + Send>>;

/// The items of a [`Source`] as a stream. Dropping a future that waits for an item loses nothing: the step under way
/// belongs to the stream.
pub(super) enum Unfold<S: Source> {
    Idle(S),
    Running(Step<S>),
    Done,
}

impl<S: Source> Unfold<S> {
    pub(super) async fn next(&mut self) -> Option<S::Item> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// The source, as long as it has not been asked for the first item.
    pub(super) fn source_mut(&mut self) -> Option<&mut S> {
        match self {
            Self::Idle(source) => Some(source),
            Self::Running(_) | Self::Done => None,
        }
    }
}

impl<S: Source> Unpin for Unfold<S> {}

impl<S: Source> Stream for Unfold<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let mut step = match std::mem::replace(&mut *self, Self::Done) {
            Self::Idle(mut source) => Box::pin(async move {
                let item = source.next().await;
                (source, item)
            }),
            Self::Running(step) => step,
            Self::Done => return Poll::Ready(None),
        };
        let Poll::Ready((source, item)) = step.as_mut().poll(context) else {
            *self = Self::Running(step);
            return Poll::Pending;
        };
        if item.is_some() {
            *self = Self::Idle(source);
        }
        Poll::Ready(item)
    }
}
