//! Generated from the contracts. One module for each export, so that a plugin
//! exports only what it implements; the imports are generated once and shared.

#![allow(missing_docs, unreachable_pub, unsafe_code, unused_qualifications, clippy::all)]

pub mod transport {
    wit_bindgen::generate!({
        path: "../../wit/transport/v0.1",
        world: "longshore:transport/imports",
        generate_all,
    });
}

/// A module with one export of the transport contract. `$inline` is a world with
/// nothing but the imports and that export.
macro_rules! export {
    ($module:ident, $world:literal, $inline:literal, $bindings:literal, $macro_name:literal) => {
        pub mod $module {
            wit_bindgen::generate!({
                path: "../../wit/transport/v0.1",
                inline: $inline,
                world: $world,
                with: {
                    "longshore:transport/types@0.1.0": super::transport::longshore::transport::types,
                    "longshore:transport/bytes@0.1.0": super::transport::longshore::transport::bytes,
                    "longshore:transport/storage@0.1.0": super::transport::longshore::transport::storage,
                    "longshore:transport/posix@0.1.0": super::transport::longshore::transport::posix,
                    "longshore:transport/http@0.1.0": super::transport::longshore::transport::http,
                    "longshore:transport/session@0.1.0": super::transport::longshore::transport::session,
                },
                pub_export_macro: true,
                default_bindings_module: $bindings,
                export_macro_name: $macro_name,
            });
        }
    };
}

export!(
    reference,
    "longshore:guest/reference-export",
    "package longshore:guest; world reference-export {
        include longshore:transport/imports@0.1.0;
        export longshore:transport/reference@0.1.0;
    }",
    "longshore_guest::export::reference",
    "export_reference_binding"
);

export!(
    source,
    "longshore:guest/source-export",
    "package longshore:guest; world source-export {
        include longshore:transport/imports@0.1.0;
        export longshore:transport/source@0.1.0;
    }",
    "longshore_guest::export::source",
    "export_source_binding"
);

export!(
    destination,
    "longshore:guest/destination-export",
    "package longshore:guest; world destination-export {
        include longshore:transport/imports@0.1.0;
        export longshore:transport/destination@0.1.0;
    }",
    "longshore_guest::export::destination",
    "export_destination_binding"
);

export!(
    manage,
    "longshore:guest/manage-export",
    "package longshore:guest; world manage-export {
        include longshore:transport/imports@0.1.0;
        export longshore:transport/manage@0.1.0;
    }",
    "longshore_guest::export::manage",
    "export_manage_binding"
);

pub mod policy {
    wit_bindgen::generate!({
        path: "../../wit/policy/v0.1",
        world: "longshore:policy/policy",
        pub_export_macro: true,
        default_bindings_module: "longshore_guest::export::policy",
        export_macro_name: "export_policy_binding",
    });
}
