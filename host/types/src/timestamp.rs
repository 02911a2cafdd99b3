//! Times as Go's encoder prints them.

/// An RFC 3339 time in the form in which Go prints it again: at most nine digits of a fraction without trailing zeros,
/// and `Z` for no offset.
///
/// `None` if the text is not such a time.
pub fn normalise(text: &str) -> Option<String> {
    let (date_time, rest) = text.split_at_checked(19)?;
    if !is_date_time(date_time) {
        return None;
    }
    let (fraction, offset) = match rest.strip_prefix('.') {
        None => ("", rest),
        Some(rest) => {
            let end = rest
                .find(|character: char| !character.is_ascii_digit())
                .unwrap_or(rest.len());
            if end == 0 {
                return None;
            }
            rest.split_at(end)
        }
    };
    if !is_offset(offset) {
        return None;
    }
    let fraction = fraction[..fraction.len().min(9)].trim_end_matches('0');
    let dot = if fraction.is_empty() { "" } else { "." };
    let offset = if matches!(offset, "+00:00" | "-00:00") {
        "Z"
    } else {
        offset
    };
    Some(format!("{date_time}{dot}{fraction}{offset}"))
}

/// `YYYY-MM-DDTHH:MM:SS` with every part in its range.
fn is_date_time(text: &str) -> bool {
    let shape = text
        .bytes()
        .zip(*b"0000-00-00T00:00:00")
        .all(|(byte, expected)| match expected {
            b'0' => byte.is_ascii_digit(),
            separator => byte == separator,
        });
    let part = |from: usize, to: usize| {
        text.get(from..to)
            .and_then(|digits| digits.parse::<u32>().ok())
            .unwrap_or(u32::MAX)
    };
    shape
        && (1..=12).contains(&part(5, 7))
        && (1..=days(part(0, 4), part(5, 7))).contains(&part(8, 10))
        && part(11, 13) < 24
        && part(14, 16) < 60
        && part(17, 19) < 60
}

fn days(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// `Z` or `±HH:MM`.
fn is_offset(text: &str) -> bool {
    let part = |digits: &[u8]| {
        digits
            .iter()
            .all(u8::is_ascii_digit)
            .then(|| u32::from(digits[0] - b'0') * 10 + u32::from(digits[1] - b'0'))
    };
    match text.as_bytes() {
        [b'Z'] => true,
        [b'+' | b'-', hours @ .., b':', m1, m2] if hours.len() == 2 => {
            part(hours).is_some_and(|hours| hours < 24) && part(&[*m1, *m2]).is_some_and(|minutes| minutes < 60)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::normalise;

    #[test]
    fn times_in_their_printed_form() {
        let rows = [
            ("2026-11-23T21:15:46.394928523Z", "2026-11-23T21:15:46.394928523Z"),
            ("2026-11-23T21:15:46.100Z", "2026-11-23T21:15:46.1Z"),
            ("2026-11-23T21:15:46.000000000Z", "2026-11-23T21:15:46Z"),
            ("2026-11-23T21:15:46.1234567899Z", "2026-11-23T21:15:46.123456789Z"),
            ("2026-11-23T21:15:46+02:00", "2026-11-23T21:15:46+02:00"),
            ("2026-11-23T21:15:46.50-11:30", "2026-11-23T21:15:46.5-11:30"),
            ("2026-11-23T21:15:46+00:00", "2026-11-23T21:15:46Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
            ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"),
        ];
        for (text, expected) in rows {
            assert_eq!(normalise(text).as_deref(), Some(expected));
        }
    }

    #[test]
    fn hostile_times() {
        for text in [
            "",
            "Z",
            "2026-11-23",
            "2026-11-23T21:15:46",
            "2026-11-23 21:15:46Z",
            "2026-11-23t21:15:46z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-01-32T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2026-04-31T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:60:00Z",
            "2026-01-01T00:00:60Z",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00.1",
            "2026-01-01T00:00:00+24:00",
            "2026-01-01T00:00:00+1:00",
            "2026-01-01T00:00:00+01:60",
            "2026-01-01T00:00:00+0100",
            "2026-01-01T00:00:00ZZ",
            "+026-01-01T00:00:00Z",
            "2026-01-01T00:00:0\u{661}Z",
            "2026-01-01T00:00:\u{e9}Z",
            "99999-01-01T00:00:00Z",
        ] {
            assert_eq!(normalise(text), None, "{text}");
        }
    }
}
