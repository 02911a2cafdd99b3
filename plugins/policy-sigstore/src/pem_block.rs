//! PEM documents of which it counts how many blocks they have.

use pem::Pem;

/// All blocks of a document; text between them is refused, as it is no part of what was signed or named.
pub(crate) fn blocks(document: &[u8]) -> Result<Vec<Pem>, String> {
    let blocks = pem::parse_many(document).map_err(|error| error.to_string())?;
    let text = document.trim_ascii();
    let begins = text.windows(BEGIN.len()).filter(|window| *window == BEGIN).count();
    if text.is_empty() {
        return Ok(Vec::new());
    }
    if begins != blocks.len() || !text.starts_with(BEGIN) || !text.ends_with(END) {
        return Err("error during PEM decoding".to_owned());
    }
    Ok(blocks)
}

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----";

/// The blocks of a document that can be read; whatever else stands there is passed over, as in Go.
pub(crate) fn readable_blocks(document: &[u8]) -> impl Iterator<Item = Pem> {
    // One by one: the parser gives up a document for one broken block.
    let windows = document.windows(BEGIN.len()).enumerate();
    let begins = windows.filter(|(_, window)| *window == BEGIN).map(|(at, _)| at);
    let ends: Vec<usize> = begins.chain([document.len()]).collect();
    let pieces: Vec<_> = ends.windows(2).map(|ends| &document[ends[0]..ends[1]]).collect();
    pieces.into_iter().filter_map(|piece| pem::parse(piece).ok())
}

/// The content of a document's one block.
pub(crate) fn only_block(document: &[u8]) -> Result<Vec<u8>, String> {
    let mut blocks = blocks(document).map_err(|_| "is not in PEM format".to_owned())?;
    match (blocks.pop(), blocks.is_empty()) {
        (Some(block), true) => Ok(block.into_contents()),
        (Some(_), false) => Err("has trailing data".to_owned()),
        (None, _) => Err("is not in PEM format".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::{blocks, only_block, readable_blocks};

    const ONE: &str = "-----BEGIN A-----\nAQID\n-----END A-----\n";

    #[test]
    fn broken_blocks_are_passed_over() {
        let broken = ONE.replace("AQID", "A*D");
        for (document, expected) in [
            (String::new(), 0),
            ("text".to_owned(), 0),
            (broken.clone(), 0),
            (format!("{broken}{ONE}"), 1),
            (format!("text\n{ONE}text\n{broken}-----BEGIN A-----\n{ONE}"), 2),
        ] {
            assert_eq!(readable_blocks(document.as_bytes()).count(), expected, "{document:?}");
        }
    }

    #[test]
    fn documents() {
        let two = format!("{ONE}{ONE}");
        let rows = [
            (String::new(), Some(0)),
            (ONE.to_owned(), Some(1)),
            (format!("\n{}", ONE.trim_end()), Some(1)),
            (ONE.replace('\n', "\r\n"), Some(1)),
            (two.clone(), Some(2)),
            (format!("text\n{ONE}"), None),
            (format!("{ONE}text"), None),
            (format!("{ONE}-----BEGIN A-----\nAQID\n"), None),
            (ONE.replace("AQID", "AQI"), None),
            (ONE.replace("END A", "END B"), None),
            (ONE.replace("BEGIN", "BEGINN"), None),
            ("-----BEGIN A-----".to_owned(), None),
        ];
        for (document, expected) in rows {
            let found = blocks(document.as_bytes()).ok().map(|blocks| blocks.len());
            assert_eq!(found, expected, "{document:?}");
            let only = only_block(document.as_bytes()).ok();
            assert_eq!(only, (expected == Some(1)).then(|| vec![1, 2, 3]), "{document:?}");
        }
    }
}
