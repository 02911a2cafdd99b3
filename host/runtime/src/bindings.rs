//! Generated from the contracts, one module per contract version.
//!
//! Exports are bound one by one ([`exports`](transport::exports)), never through
//! the generated world types: a plugin may have any set of them.

#![allow(missing_docs, unreachable_pub, unused_qualifications, clippy::all)]

/// `longshore:transport@0.1.0`.
pub(crate) mod transport {
    wasmtime::component::bindgen!({
        path: "../../wit/transport/v0.1",
        world: "transport",
        imports: { default: trappable },
        exports: { default: async },
        with: {
            "longshore:transport/bytes.reader": crate::host::bytes::Reader,
            "longshore:transport/bytes.writer": crate::host::bytes::Writer,
            "longshore:transport/bytes.tally": crate::host::tally::Tally,
            "longshore:transport/storage.file": crate::files::OpenFile,
            "longshore:transport/storage.staged": crate::files::Staged,
            "longshore:transport/storage.lock": crate::files::Lock,
            "longshore:transport/storage.directory": crate::files::Directory,
            "longshore:transport/posix.tree": crate::files::Tree,
            "longshore:transport/http.client": crate::http::Client,
            "longshore:transport/http.upload": crate::http::Upload,
            "longshore:transport/session.plan": crate::grants::Plan,
            "longshore:transport/session.session": crate::host::session::SessionHandle,
        },
    });
}

/// `longshore:policy@0.1.0`.
pub(crate) mod policy {
    wasmtime::component::bindgen!({
        path: "../../wit/policy/v0.1",
        world: "policy",
        imports: { default: trappable },
        exports: { default: async },
        with: {
            "longshore:policy/image.image": crate::host::image::ImageFacts,
        },
    });
}
