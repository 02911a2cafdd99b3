//! Trying again what failed for a reason that may pass (PI-09, PI-10).

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use longshore_copy::{CopyError, TransportError};

use crate::failure;
use crate::printer::{Level, Printer};

/// Delays do not double further than to this power of two seconds: a little over a day.
const LONGEST_DELAY: u32 = 17;

/// How often and after what time to try again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Retry {
    /// Extra attempts after the first one.
    pub(crate) times: usize,
    /// Wait before each; none: 1, 2, 4, ... seconds and up to a tenth more.
    pub(crate) delay: Option<Duration>,
}

impl Retry {
    /// Makes attempts until one succeeds or there is no point in another one.
    pub(crate) async fn run<T>(
        &self,
        printer: &Printer,
        mut attempt: impl AsyncFnMut() -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let mut made = 0;
        loop {
            let error = match attempt().await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            let Some(delay) = self.delay_after(made, &error, printer) else {
                return Err(error);
            };
            tokio::time::sleep(delay).await;
            made += 1;
        }
    }

    /// How long to wait before the next attempt, which a warning announces; none if there is to be none. `made` counts
    /// the extra attempts so far.
    pub(crate) fn delay_after(&self, made: usize, error: &anyhow::Error, printer: &Printer) -> Option<Duration> {
        if made >= self.times || !may_pass(error) {
            return None;
        }
        let delay = self.delay.unwrap_or_else(|| doubling(made));
        let (next, times) = (made + 1, self.times);
        let text = failure::text(error);
        printer.message(
            Level::Warning,
            format!("Failed, retrying in {delay:?} ... ({next}/{times}). Error: {text}"),
        );
        Some(delay)
    }
}

fn may_pass(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let copy = cause.downcast_ref::<CopyError>().is_some_and(CopyError::is_retryable);
        copy || cause
            .downcast_ref::<TransportError>()
            .is_some_and(TransportError::is_retryable)
    })
}

fn doubling(made: usize) -> Duration {
    let power = u32::try_from(made).unwrap_or(LONGEST_DELAY).min(LONGEST_DELAY);
    let base = Duration::from_secs(1 << power);
    // Any even spread will do, and each hasher starts elsewhere.
    let spread = RandomState::new().build_hasher().finish() % 1000;
    base + base.mul_f64(spread as f64 / 10_000.0)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn delays_double_with_up_to_a_tenth_more() {
        for (made, seconds) in [(0, 1), (1, 2), (5, 32), (17, 131_072), (1000, 131_072)] {
            let base = Duration::from_secs(seconds);
            let delay = doubling(made);
            assert!(delay >= base && delay <= base.mul_f64(1.1), "{made}: {delay:?}");
        }
    }

    #[tokio::test]
    async fn what_will_not_pass_is_tried_once() {
        let retry = Retry {
            times: 3,
            delay: Some(Duration::from_millis(1)),
        };
        let captured = crate::printer::testing::Captured::new(false, false);
        let mut attempts = 0;
        let error = retry
            .run(&captured.printer(), async || {
                attempts += 1;
                Err::<(), _>(CopyError::DestinationDigest.into())
            })
            .await
            .expect_err("it always fails");
        assert!(error.is::<CopyError>());
        assert_eq!((attempts, captured.stderr().as_str()), (1, ""));
    }
}
