//! What an error says and which class it is of.

use std::error::Error;

use longshore_copy::{CopyError, TransportError};
use longshore_types::ErrorKind;

/// The messages of `error` and its causes, outermost first.
///
/// A cause that the message before it already ends with is left out.
pub(crate) fn text(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let message = cause.to_string();
        if text.is_empty() {
            text = message;
        } else if !text.ends_with(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
    }
    text
}

/// The class of `error`, from the first of its causes that has one.
pub(crate) fn kind(error: &anyhow::Error) -> Option<ErrorKind> {
    error.chain().find_map(kind_of_cause)
}

/// Takes off what the library says about the operation and the image's name;
/// for a caller that says it in skopeo's words, or works on one image only.
pub(crate) fn without_operation(error: CopyError) -> anyhow::Error {
    match error {
        CopyError::Open { source, .. } | CopyError::Transport { source, .. } | CopyError::Manage { source, .. } => {
            source.into()
        }
        other => other.into(),
    }
}

fn kind_of_cause(cause: &(dyn Error + 'static)) -> Option<ErrorKind> {
    if let Some(error) = cause.downcast_ref::<CopyError>() {
        return Some(error.kind());
    }
    cause.downcast_ref::<TransportError>().map(TransportError::kind)
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn causes_are_printed_once() {
        let plain = anyhow!("c").context("b").context("a");
        assert_eq!(text(&plain), "a: b: c");
        let repeated = anyhow!("connection refused")
            .context("get /v2/: connection refused")
            .context("a");
        assert_eq!(text(&repeated), "a: get /v2/: connection refused");
    }

    #[test]
    fn the_class_survives_context() {
        let missing = TransportError::new(ErrorKind::ImageNotFound, "no such image");
        let error = anyhow::Error::new(missing).context("reading");
        assert_eq!(kind(&error), Some(ErrorKind::ImageNotFound));
        assert_eq!(kind(&anyhow!("plain")), None);
    }
}
