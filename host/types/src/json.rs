//! JSON read strictly and written as Go's encoder writes it.
//!
//! Other tools read the last of two members with the same name, or the first; what two readers see differently can be
//! signed by one and used by the other. So [`from_slice`], [`parse`] and [`Object`] refuse such documents at every
//! level they look at.

mod go;
mod object;
mod strict;

pub use go::{to_string, to_string_pretty, to_vec, to_vec_pretty};
pub use object::Object;
pub use strict::{JsonError, from_slice, parse};
