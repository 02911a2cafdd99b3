//! `--retry-times` and `--retry-delay` (F-12, F-13).

use std::time::Duration;

use super::conventions::parse_uint;
use super::duration::parse_duration;
use crate::retry::Retry;

/// The flags of commands that try again what failed for a reason that may pass.
#[derive(clap::Args, Debug, Default)]
pub(crate) struct RetryArgs {
    /// The number of times to possibly retry
    #[arg(long, value_name = "N", value_parser = parse_uint)]
    retry_times: Option<usize>,

    /// Fixed delay between retries; without it the delay doubles, starting with a second
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    retry_delay: Option<Duration>,
}

impl RetryArgs {
    /// What both flags ask for together.
    pub(crate) fn resolve(&self) -> Retry {
        Retry {
            times: self.retry_times.unwrap_or_default(),
            delay: self.retry_delay.filter(|delay| !delay.is_zero()),
        }
    }
}
