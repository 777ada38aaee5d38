//! Reading what somebody else wrote: off the threads that wait for the network, and not for ever.

use std::time::Duration;

/// How long one document may keep a reader busy. A large feed takes a second.
const TIME_TO_READ: Duration = Duration::from_mins(1);

/// What `read` makes of a document. What has begun cannot be stopped: a reading that takes too long goes on, and whoever
/// waited goes on without it.
///
/// # Errors
///
/// In words for the blogger: it took too long, or the reader panicked.
pub(crate) async fn off_the_network<T: Send + 'static>(
    read: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    within(TIME_TO_READ, read).await
}

async fn within<T: Send + 'static>(
    limit: Duration,
    read: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    match tokio::time::timeout(limit, tokio::task::spawn_blocking(read)).await {
        Ok(Ok(read)) => Ok(read),
        Ok(Err(_)) => Err("the feed made our reader stop, which is our mistake".to_owned()),
        Err(_) => Err(format!(
            "the feed was not read within {} seconds; keep the last 20 to 50 posts in it",
            limit.as_secs()
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn whoever_waits_goes_on_when_a_reader_panics_or_takes_too_long() {
        assert_eq!(off_the_network(|| 1).await, Ok(1));
        let panicked = off_the_network(|| panic!("at a feed")).await.unwrap_err();
        assert!(panicked.contains("our mistake"), "{panicked}");
        let (let_go, held) = mpsc::channel::<()>();
        let late = within(Duration::ZERO, move || held.recv()).await.unwrap_err();
        assert!(late.contains("was not read"), "{late}");
        drop(let_go);
    }
}
