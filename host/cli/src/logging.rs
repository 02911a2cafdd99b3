//! Events of the libraries, printed as log lines.

use std::fmt::{self, Write as _};

use tracing::field::{Field, Visit};
use tracing::{Event, Level as EventLevel, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry;

use crate::printer::{Level, Printer};

/// Prints events to `printer` from here on: information and warnings of this
/// program's crates, and with `debug` all that is of use in finding a fault.
pub(crate) fn start(printer: &Printer, debug: bool) {
    let (ours, foreign) = match debug {
        true => (LevelFilter::DEBUG, LevelFilter::WARN),
        false => (LevelFilter::INFO, LevelFilter::OFF),
    };
    let filter = Targets::new().with_target("longshore", ours).with_default(foreign);
    let subscriber = registry().with(
        Lines {
            printer: printer.clone(),
        }
        .with_filter(filter),
    );
    // It fails only if another subscriber is set, and then that one prints.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// Prints each event as one line.
struct Lines {
    printer: Printer,
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let level = match *event.metadata().level() {
            EventLevel::ERROR => Level::Error,
            EventLevel::WARN => Level::Warning,
            EventLevel::INFO => Level::Info,
            EventLevel::DEBUG | EventLevel::TRACE => Level::Debug,
        };
        let mut line = Line::default();
        event.record(&mut line);
        self.printer.message(level, line);
    }
}

/// The message of an event and its other fields.
#[derive(Default)]
struct Line {
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string cannot fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        f.write_str(&self.fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::printer::testing::Captured;

    #[test]
    fn an_event_becomes_one_line() {
        let captured = Captured::new(false, false);
        let layer = Lines {
            printer: captured.printer(),
        };
        tracing::subscriber::with_default(registry().with(layer), || {
            tracing::warn!(url = "https://a/v2/", tries = 2, "try again");
        });
        let line = captured.stderr();
        assert!(
            line.ends_with("level=warning msg=\"try again url=https://a/v2/ tries=2\"\n"),
            "{line}"
        );
    }
}
