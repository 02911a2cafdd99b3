//! The client against a scripted registry.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod auth;
mod blobs;
mod first;
mod hostile;
mod manifests;
mod redirects;
mod resume;
mod script;
mod tags;
mod uploads;
