//! The whole program against real files, real peers and a scripted registry.
//!
//! A test that needs a peer starts it through the library, which fails with the name of the peer
//! and of the command that installs it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may fail at any line")]

mod atomic;
mod commands;
mod compression;
mod concurrency;
mod conformance;
mod containers_storage;
mod containers_storage_written;
mod copy_lists;
mod copy_local;
mod copy_registry;
mod crash;
mod credential_helpers;
mod differential;
mod docker_archive;
mod docker_daemon;
mod docker_daemon_faults;
mod durability;
mod evaluators;
mod example;
mod fault_table;
mod faults;
mod foreign_layers;
mod fuzz_corpus;
mod guests;
mod library;
mod lookaside;
mod native;
mod oci_archive;
mod ostree;
mod ostree_damaged;
mod peers_skopeo;
mod peers_umoci;
mod policy;
mod policy_table;
mod refusals;
mod registry_signatures;
mod retries;
mod schema1;
mod shapes;
mod signed_by;
mod signing;
mod sigstore;
mod sigstore_attachments;
mod sigstore_services;
mod sigstore_signing;
mod tarball;
mod terminal;
mod tls;
mod tutorial;
mod untrusted_dump;
mod user_namespace;
mod verify;
