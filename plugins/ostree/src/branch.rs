//! Names of branches (OS-02).

use std::fmt::Write as _;

const FOLDER: &str = "ociimage";

/// The branch of an image.
pub(crate) fn of_image(image: &str) -> String {
    let mut branch = format!("{FOLDER}/");
    for byte in image.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' => branch.push(char::from(byte)),
            // Writing into a string does not fail.
            other => drop(write!(branch, "_{other:02X}")),
        }
    }
    branch
}

/// The branch of a layer or config, by the digits of its digest.
pub(crate) fn of_blob(hex: &str) -> String {
    format!("{FOLDER}/{hex}")
}

#[cfg(test)]
mod tests {
    use super::of_image;

    #[test]
    fn characters_are_escaped() {
        for (image, branch) in [
            ("busybox:latest", "ociimage/busybox_3Alatest"),
            (
                "docker.io/library/busybox:latest",
                "ociimage/docker.io_2Flibrary_2Fbusybox_3Alatest",
            ),
            (
                "127.0.0.1:5000/busybox:latest",
                "ociimage/127.0.0.1_3A5000_2Fbusybox_3Alatest",
            ),
            ("a_b-c.d@sha256:0F", "ociimage/a_5Fb-c.d_40sha256_3A0F"),
        ] {
            assert_eq!(of_image(image), branch);
        }
    }
}
