//! A policy requirement of one's own: no image that is older than some days.
//!
//! `{"type": "com.example.maxAge", "days": 90}` in policy.json accepts an image whose config says that it was made in
//! the last 90 days.

use jiff::{SignedDuration, Timestamp};
use longshore_guest::{Evaluator, Image, Requirement, Verdict};
use serde::Deserialize;

struct MaxAge;

impl Evaluator for MaxAge {
    const REQUIREMENT_TYPES: &'static [&'static str] = &["com.example.maxAge"];

    fn check(json: &str) -> Result<Vec<String>, String> {
        // No files are needed to judge by it.
        parse(json).map(|_| Vec::new())
    }

    fn evaluate(requirement: Requirement, image: &Image) -> Result<Verdict, String> {
        let MaxAgeRequirement { days, .. } = parse(&requirement.json)?;
        let judged = image.config().and_then(|config| judge(days, &config, image.now()));
        Ok(match judged {
            Ok(reason) => Verdict::accepted_unsigned(reason),
            Err(reason) => Verdict::rejected(reason),
        })
    }
}

longshore_guest::export_evaluator!(MaxAge);

/// The requirement. A key that is unknown, missing or there twice is an error: a rule that is misspelt must not be one
/// that is weaker.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MaxAgeRequirement {
    #[serde(rename = "type")]
    _type: String,
    days: u32,
}

fn parse(json: &str) -> Result<MaxAgeRequirement, String> {
    serde_json::from_str(json).map_err(|error| error.to_string())
}

/// The part of an image's config that counts.
#[derive(Deserialize)]
struct Config {
    created: Option<String>,
}

/// Why an image is young enough at `now`, in seconds since 1970, or why it is not.
fn judge(days: u32, config: &[u8], now: u64) -> Result<String, String> {
    let config: Config = serde_json::from_slice(config).map_err(|error| format!("the image's config: {error}"))?;
    let created = config.created.ok_or("the image does not say when it was made")?;
    let made: Timestamp = created
        .parse()
        .map_err(|_| format!("the image was made at {created:?}, which is no time"))?;
    let now = i64::try_from(now)
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .ok_or("the clock is wrong")?;
    let age = now.duration_since(made);
    if age.is_negative() {
        Err(format!("the image was made at {made}, which is yet to come"))
    } else if age > SignedDuration::from_hours(24 * i64::from(days)) {
        Err(format!("the image was made at {made}, more than {days} days ago"))
    } else {
        Ok(format!("the image was made at {made}"))
    }
}

#[cfg(test)]
mod tests {
    use super::{judge, parse};

    #[test]
    fn requirements() {
        for (json, days) in [
            (r#"{"type":"com.example.maxAge","days":90}"#, Some(90)),
            (r#"{"type":"com.example.maxAge","days":0}"#, Some(0)),
            (r#"{"type":"com.example.maxAge"}"#, None),
            (r#"{"type":"com.example.maxAge","days":-1}"#, None),
            (r#"{"type":"com.example.maxAge","days":"90"}"#, None),
            (r#"{"type":"com.example.maxAge","days":1.5}"#, None),
            (r#"{"type":"com.example.maxAge","days":null}"#, None),
            (r#"{"type":"com.example.maxAge","days":90,"days":900}"#, None),
            (r#"{"type":"com.example.maxAge","days":90,"hours":1}"#, None),
            ("[]", None),
            ("", None),
        ] {
            assert_eq!(parse(json).ok().map(|read| read.days), days, "{json}");
        }
    }

    #[test]
    fn ages() {
        /// 2024-03-10T00:00:00Z.
        const NOW: u64 = 1_710_028_800;
        for (created, accepted) in [
            (r#""2024-03-10T00:00:00Z""#, true),
            (r#""2024-03-01T00:00:00Z""#, true),
            (r#""2024-02-29T00:00:00Z""#, true),
            (r#""2024-02-28T23:59:59.999Z""#, false),
            (r#""2024-02-29T00:00:00+01:00""#, false),
            (r#""2024-03-10T00:00:01Z""#, false),
            (r#""1970-01-01T00:00:00Z""#, false),
            (r#""0001-01-01T00:00:00Z""#, false),
            (r#""yesterday""#, false),
            (r#""""#, false),
            ("null", false),
            ("1710028800", false),
        ] {
            let config = format!(r#"{{"os":"linux","created":{created}}}"#);
            let judged = judge(10, config.as_bytes(), NOW);
            assert_eq!(judged.is_ok(), accepted, "{created}: {judged:?}");
        }
        assert!(judge(10, b"{}", NOW).is_err());
        assert!(judge(10, b"not json", NOW).is_err());
        assert!(judge(u32::MAX, br#"{"created":"1970-01-01T00:00:00Z"}"#, NOW).is_ok());
        assert!(judge(10, br#"{"created":"1970-01-01T00:00:00Z"}"#, u64::MAX).is_err());
    }
}
