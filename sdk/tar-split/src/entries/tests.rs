#![allow(clippy::unwrap_used)]

use super::*;

fn read(text: &str) -> Result<Vec<Entry>, String> {
    Entries::new(text.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())
}

fn file(name: &[u8], size: u64, checksum: Option<u64>) -> Entry {
    let name = name.to_vec();
    Entry::File(FileEntry { name, size, checksum })
}

#[test]
fn records() {
    let segment = |bytes: &[u8]| Entry::Segment(bytes.to_vec());
    for (text, expected) in [
        ("", vec![]),
        (r#"{"type":2,"payload":"Li8A","position":0}"#, vec![segment(b"./\0")]),
        (r#"{"type":2,"payload":"","position":0}"#, vec![segment(b"")]),
        (
            "{\"type\":1,\"name\":\"./\",\"payload\":null,\"position\":1}\n",
            vec![file(b"./", 0, None)],
        ),
        (
            r#"{"type":1,"name":"./a/\u003c\u0026\u003eé","size":1,"payload":"IxAAAAAAAAA=","position":5}"#,
            vec![file("./a/<&>é".as_bytes(), 1, Some(0x2310_0000_0000_0000))],
        ),
        (
            r#"{"type":1,"name_raw":"/2E=","size":6,"payload":"YUw+7uLYEAA=","position":5}"#,
            vec![file(b"\xffa", 6, Some(0x614c_3eee_e2d8_1000))],
        ),
    ] {
        assert_eq!(read(text).as_ref(), Ok(&expected), "{text}");
    }
}

#[test]
fn hostile_records() {
    for (line, fragment) in [
        ("nothing", "expected"),
        ("[]", "line 1"),
        ("{}", "missing field `type`"),
        (r#"{"type":3,"position":0}"#, "type 3"),
        (r#"{"type":-1,"position":0}"#, "invalid value"),
        (r#"{"type":1,"position":0}"#, "no name"),
        (
            r#"{"type":1,"name":"a","size":-1,"payload":"IxAAAAAAAAA="}"#,
            "invalid value",
        ),
        (r#"{"type":1,"name":"a","size":18446744073709551616}"#, "invalid type"),
        (r#"{"type":1,"name":"a","size":1,"payload":null}"#, "no checksum"),
        (r#"{"type":1,"name":"a","size":1,"payload":"IxA="}"#, "2 bytes"),
        (r#"{"type":1,"name":"a","size":1,"payload":"%"}"#, "payload"),
        (r#"{"type":1,"type":2,"payload":""}"#, "duplicate field"),
    ] {
        let error = read(line).unwrap_err();
        assert!(error.contains(fragment), "{line}: {error}");
    }
    let good = r#"{"type":2,"payload":"","position":0}"#;
    assert!(read(&format!("{good}\n{good}\nx")).unwrap_err().starts_with("line 3: "));
}

#[test]
fn a_line_without_an_end() {
    let endless = io::BufReader::new(io::repeat(b' '));
    let error = Entries::new(endless).next().unwrap().unwrap_err().to_string();
    assert!(error.contains("longer than"), "{error}");
}
