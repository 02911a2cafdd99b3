use std::collections::HashSet;
use std::io::{self, Write};

use longshore_guest::Error;
use longshore_tar_split::Recorder;
use tar::Archive;

use crate::member::{self, Kind, Member};
use crate::passing::{Data, Passing};
use crate::path::{clean, leads_outside};

/// Most bytes of a member's name in a message.
const MAX_SHOWN: usize = 200;

/// Where the members of an archive go.
pub trait Place {
    /// Puts a member at a clean path. If its size is not 0, [`Passing::contents`] is called for it; the answer is the
    /// checksum of that.
    ///
    /// # Errors
    ///
    /// It has no place. The name of the member is put in front of the message.
    fn put(&mut self, path: &[u8], member: &Member, data: &Passing<'_>) -> Result<Option<u64>, Error>;
}

/// Hands over each member of an archive, and records all of it. The folder of the layer itself is not handed over: it
/// keeps its attributes, as with other tools.
///
/// # Errors
///
/// `invalid-data` for what is no archive, for members that lead outside of it, and for two of one name: a record has no
/// way to tell them apart.
pub fn unpack<W: Write>(data: &dyn Data, place: &mut impl Place, recorder: &mut Recorder<W>) -> Result<(), Error> {
    let passing = Passing::new(data);
    let mut names = HashSet::new();
    let mut archive = Archive::new(&passing);
    for entry in archive.entries().map_err(not_tar)? {
        let mut entry = entry.map_err(not_tar)?;
        let member = member::member(&mut entry)?;
        recorder.segment(&passing.take()).map_err(not_tar)?;
        let checksum = put(place, &member, &passing, &mut names).map_err(|error| Error {
            message: format!("{}: {}", shown(&member.recorded_name), error.message),
            ..error
        })?;
        let contents = checksum.map(|checksum| (member.size, checksum));
        recorder.file(&member.recorded_name, contents).map_err(not_tar)?;
    }
    recorder.segment(&passing.take()).map_err(not_tar)?;
    while let Some(rest) = passing.rest()? {
        recorder.segment(&rest).map_err(not_tar)?;
    }
    Ok(())
}

fn put(
    place: &mut impl Place,
    member: &Member,
    passing: &Passing<'_>,
    names: &mut HashSet<Vec<u8>>,
) -> Result<Option<u64>, Error> {
    if member.kind == Kind::Nothing {
        return Ok(None);
    }
    let Some(path) = clean(&member.recorded_name) else {
        return match leads_outside(&member.recorded_name) {
            true => Err(Error::invalid_data("leads outside of the layer")),
            false => Ok(None),
        };
    };
    if !names.insert(path.clone()) {
        return Err(Error::invalid_data("duplicates of file paths not supported"));
    }
    place.put(&path, member, passing)
}

/// A name for messages, which are of one line and not of many.
fn shown(name: &[u8]) -> String {
    match name.split_at_checked(MAX_SHOWN) {
        None => format!("{:?}", String::from_utf8_lossy(name)),
        Some((beginning, _)) => format!("{:?}...", String::from_utf8_lossy(beginning)),
    }
}

fn not_tar(error: io::Error) -> Error {
    Error::invalid_data(format_args!("not a readable tar archive: {error}"))
}
