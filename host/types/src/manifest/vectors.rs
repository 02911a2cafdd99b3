//! Manifests that other tools wrote, and what tests build of them.

/// By umoci: an image of two layers, without `mediaType`.
pub(super) const OCI: &str = r#"{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:61e25036cfc801fb9a14f986e9e7605e5d6bc3447fb2336aae20cd4344d00979","size":558},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"sha256:8d78fd0df4cee3610c82c3101617f52653d4d239fbb9a923865965b4c37890a4","size":1284},{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"sha256:da7ff653f1d3985fadeec113d08cb65f2094e870beabc428e7829f778f0ac3ee","size":70740}]}"#;

/// By skopeo: the same image after `copy --format v2s2`.
pub(super) const DOCKER: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json","config":{"mediaType":"application/vnd.docker.container.image.v1+json","size":558,"digest":"sha256:61e25036cfc801fb9a14f986e9e7605e5d6bc3447fb2336aae20cd4344d00979"},"layers":[{"mediaType":"application/vnd.docker.image.rootfs.diff.tar.gzip","size":1284,"digest":"sha256:8d78fd0df4cee3610c82c3101617f52653d4d239fbb9a923865965b4c37890a4"},{"mediaType":"application/vnd.docker.image.rootfs.diff.tar.gzip","size":70740,"digest":"sha256:da7ff653f1d3985fadeec113d08cb65f2094e870beabc428e7829f778f0ac3ee"}]}"#;

/// By umoci: the layout's index around the image.
pub(super) const INDEX: &str = r#"{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:a10b2395bcdaffbbcf19e1513d1c7c2015ea107f8706ff73d1d5d23bd721d98b","size":502,"annotations":{"org.opencontainers.image.ref.name":"latest"}}]}"#;

/// A digest that tells `seed` apart.
pub(super) fn digest(seed: &str) -> crate::Digest {
    crate::Digest::sha256(seed.as_bytes())
}

/// A descriptor's text with `rest` after the three members that every one has.
pub(super) fn descriptor(media_type: &str, seed: &str, rest: &str) -> String {
    format!(
        r#"{{"mediaType":"{media_type}","digest":"{}","size":7{rest}}}"#,
        digest(seed)
    )
}
