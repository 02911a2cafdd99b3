//! Giving a new image its place in a store: layers first, then what belongs to the image, then its record.

use std::rc::Rc;

use longshore_guest::posix::{Attributes, Time, Tree};
use longshore_guest::{Context as _, Directory, Error, Staged, code};
use longshore_types::Digest;
use serde_json::{Value, json};

use crate::big_data::{self, MANIFEST, SIGNATURES};
use crate::records::{ImageRecord, LayerRecord, Members, Records};
use crate::store::{Store, new_link};
use crate::unpack::{Unpacked, again};

/// Most that one call writes.
const MAX_WRITE: usize = 1 << 20;
/// The folder of the layers' short names.
const LINKS: &[u8] = b"l";
/// Of the folder of the lowest layer's files.
const BASE_MODE: u32 = 0o555;

/// Where a store is written.
pub(crate) struct Folders {
    /// The store.
    pub(crate) root: Tree,
    /// The driver's folder, which has the layers.
    pub(crate) tree: Rc<Tree>,
    /// The same.
    pub(crate) directory: Directory,
}

/// An image to be, but for its layers.
pub(crate) struct Image {
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    pub(crate) config: (Digest, Vec<u8>),
    pub(crate) manifest: (Digest, Vec<u8>),
    pub(crate) signatures: Vec<Vec<u8>>,
    pub(crate) created: String,
}

/// A layer to be.
pub(crate) struct Layer {
    pub(crate) diff_id: Digest,
    /// Digest and size as it came.
    pub(crate) compressed: (Digest, u64),
    pub(crate) size: u64,
    pub(crate) compression: u8,
    /// None: the store has it, perhaps in another place.
    pub(crate) unpacked: Option<Unpacked>,
}

/// Makes an image visible. After a crash there are layers too many, never an image that lacks one.
pub(crate) fn publish(store: &Store, folders: &Folders, image: Image, layers: Vec<Layer>) -> Result<(), Error> {
    make_folders(store, folders)?;
    let layers_lock = store.lock("layers", true)?;
    let mut records = store.layers()?;
    let mut parent = String::new();
    for mut layer in layers {
        let id = layer_id(&parent, &layer.diff_id);
        if !records.iter().any(|record| record.id == id && !record.is_incomplete()) {
            let unpacked = match layer.unpacked.take() {
                Some(unpacked) => unpacked,
                None => unpacked_again(store, &folders.tree, &records, &layer.diff_id)?,
            };
            records.retain(|record| record.id != id);
            records.add(&layer_record(&id, &parent, &layer, &unpacked, &image.created))?;
            // Whoever opens the store after a crash removes what is marked.
            records.mark_incomplete(|record| record.id == id)?;
            store.write_list(&layers_lock, "layers", &records)?;
            place(store, folders, &id, &parent, unpacked)?;
            records.mark_complete(|record| record.id == id)?;
            store.write_list(&layers_lock, "layers", &records)?;
        }
        parent = id;
    }
    let images_lock = store.lock("images", true)?;
    let images = with_image(store, store.images()?, image, &parent)?;
    store.write_list(&images_lock, "images", &images)
}

/// The ID of a layer on top of another one.
fn layer_id(parent: &str, diff_id: &Digest) -> String {
    match parent {
        "" => diff_id.hex().to_owned(),
        parent => Digest::sha256(format!("{parent}+{}", diff_id.hex()).as_bytes())
            .hex()
            .to_owned(),
    }
}

/// The contents of a layer that is in the store on top of another one.
fn unpacked_again(
    store: &Store,
    tree: &Tree,
    records: &Records<LayerRecord>,
    diff_id: &Digest,
) -> Result<Unpacked, Error> {
    let mut there = records.iter();
    match there.find(|record| record.diff_digest == diff_id.as_str() && !record.is_incomplete()) {
        Some(record) => again(tree, store, record),
        None => Err(Error::new(
            code::OTHER,
            format_args!("the layer {diff_id} was removed from the store meanwhile"),
        )),
    }
}

fn layer_record(id: &str, parent: &str, layer: &Layer, unpacked: &Unpacked, created: &str) -> Value {
    let Unpacked { users, groups, .. } = unpacked;
    let Layer { size, compression, .. } = layer;
    let (digest, compressed_size) = &layer.compressed;
    let mut record = json!({
        "id": id,
        "created": created,
        "compressed-diff-digest": digest.as_str(),
        "compressed-size": compressed_size,
        "diff-digest": layer.diff_id.as_str(),
        "diff-size": size,
        "compression": compression,
        "uidset": users,
        "gidset": groups,
    });
    if !parent.is_empty() {
        record["parent"] = parent.into();
    }
    record
}

/// Makes the folders of a store that has none yet. They are closed to others: a layer may hold programs that run as root.
fn make_folders(store: &Store, folders: &Folders) -> Result<(), Error> {
    for folder in ["overlay-layers", "overlay-images"] {
        if store.directory.stat(folder.as_bytes()).optional()?.is_none() {
            let made = Tree::publish(folders.root.stage()?, &store.directory, folder.as_bytes());
            unless_there(made)?;
        }
    }
    if folders.directory.stat(LINKS).optional()?.is_none() {
        unless_there(Tree::publish(folders.tree.stage()?, &folders.directory, LINKS))?;
    }
    for list in ["layers", "images"] {
        let path = store.path(list, &format!("{list}.lock"));
        if store.directory.stat(&path).optional()?.is_none() {
            unless_there(Staged::publish(
                store.directory.stage()?,
                &store.directory,
                &path,
                false,
            ))?;
        }
    }
    Ok(())
}

fn unless_there(made: Result<(), Error>) -> Result<(), Error> {
    match made {
        Err(error) if error.code == code::ALREADY_EXISTS => Ok(()),
        made => made,
    }
}

/// Puts a layer's files and what the driver keeps beside them in place.
fn place(store: &Store, folders: &Folders, id: &str, parent: &str, unpacked: Unpacked) -> Result<(), Error> {
    let Folders { tree, directory, .. } = folders;
    directory.remove_all(id.as_bytes()).optional()?;

    let link = new_link();
    let beside = tree.stage()?;
    write(&beside, b"link", link.as_bytes())?;
    beside.make_directory(b"work")?;
    if parent.is_empty() {
        beside.make_directory(b"empty")?;
    } else {
        write(&beside, b"lower", lower(directory, parent)?.as_bytes())?;
    }
    Tree::publish(beside, directory, id.as_bytes())?;

    let attributes = match parent {
        "" => Attributes {
            user: 0,
            group: 0,
            mode: Some(BASE_MODE),
            modified: Time {
                seconds: 0,
                nanoseconds: 0,
            },
        },
        parent => {
            let status = tree.status(format!("{parent}/diff").as_bytes())?;
            Attributes {
                user: status.user,
                group: status.group,
                mode: Some(status.mode),
                modified: status.modified,
            }
        }
    };
    unpacked.tree.set_attributes(b"", attributes)?;
    Tree::publish(unpacked.tree, directory, format!("{id}/diff").as_bytes())?;

    let links = tree.stage()?;
    links.make_symlink(b"link", format!("../{id}/diff").as_bytes())?;
    let name = (b"link".to_vec(), format!("l/{link}").into_bytes());
    Tree::publish_files(links, directory, &[name])?;

    let record = store.directory.stage()?;
    let file = record.file()?;
    for (index, piece) in unpacked.record.chunks(MAX_WRITE).enumerate() {
        file.write_at((index * MAX_WRITE) as u64, piece)?;
    }
    drop(file);
    let path = store.path("layers", &format!("{id}.tar-split.gz"));
    Staged::publish(record, &store.directory, &path, true)
}

fn write(tree: &Tree, path: &[u8], text: &[u8]) -> Result<(), Error> {
    tree.create_file(path)?.write_at(0, text)
}

/// The layers below, the nearest first, as mount options have them.
fn lower(directory: &Directory, parent: &str) -> Result<String, Error> {
    let read = |name: &str| directory.read(format!("{parent}/{name}").as_bytes(), 64 << 10);
    let link = String::from_utf8_lossy(&read("link")?).into_owned();
    Ok(match read("lower").optional()? {
        Some(lower) => format!("l/{link}:{}", String::from_utf8_lossy(&lower)),
        None => format!("l/{link}"),
    })
}

/// Writes what belongs to an image, and the list of images with it.
fn with_image(
    store: &Store,
    mut images: Records<ImageRecord>,
    image: Image,
    top: &str,
) -> Result<Records<ImageRecord>, Error> {
    let Image {
        id,
        name,
        config,
        manifest,
        signatures,
        created,
    } = image;
    let sizes: Vec<usize> = signatures.iter().map(Vec::len).collect();
    let mut data = vec![
        (config.0.to_string(), config.1),
        (big_data::manifest_key(manifest.0.as_str()), manifest.1.clone()),
        (MANIFEST.to_owned(), manifest.1),
    ];
    let mut metadata = json!({});
    if !signatures.is_empty() {
        data.push((SIGNATURES.to_owned(), signatures.concat()));
        data.push((big_data::signature_key(manifest.0.hex()), signatures.concat()));
        metadata["signature-sizes"] = json!(sizes);
    }
    metadata["signatures-sizes"] = json!({ manifest.0.as_str(): sizes });

    let folder = store.path("images", &id);
    store.directory.make_directory(&folder)?;
    let mut members = Members::new();
    let (mut names, mut sizes, mut digests) = (Vec::new(), Members::new(), Members::new());
    for (key, bytes) in &data {
        let path = [folder.as_slice(), b"/", big_data::file_name(key).as_bytes()].concat();
        store.directory.replace(&path, bytes)?;
        names.push(key.as_str());
        sizes.insert(key.clone(), bytes.len().into());
        digests.insert(key.clone(), Digest::sha256(bytes).to_string().into());
    }
    members.insert("digest".to_owned(), Digest::sha256(&data[2].1).to_string().into());
    members.insert("big-data-names".to_owned(), json!(names));
    members.insert("big-data-sizes".to_owned(), sizes.into());
    members.insert("big-data-digests".to_owned(), digests.into());
    members.insert("metadata".to_owned(), metadata.to_string().into());
    if !top.is_empty() {
        members.insert("layer".to_owned(), top.into());
    }

    if let Some(name) = &name {
        let has_name = |record: &ImageRecord| record.id != id && record.names.contains(name);
        images.change(has_name, |members| {
            if let Some(names) = members.get_mut("names").and_then(Value::as_array_mut) {
                names.retain(|other| other != name);
            }
        })?;
    }
    if images.iter().any(|record| record.id == id) {
        if images.iter().any(|record| record.id == id && record.layer != top) {
            return Err(Error::invalid_data(format_args!(
                "there is an image with the ID {id} and other layers"
            )));
        }
        images.change(
            |record| record.id == id,
            |there| {
                there.extend(members.clone());
                if let Some(name) = &name {
                    put_first(there, "names", name);
                    put_first(there, "names-history", name);
                }
            },
        )?;
    } else {
        members.insert("id".to_owned(), id.into());
        members.insert("created".to_owned(), created.into());
        if let Some(name) = &name {
            put_first(&mut members, "names", name);
            put_first(&mut members, "names-history", name);
        }
        images.add(&members.into())?;
    }
    Ok(images)
}

/// Puts a name before the others of a list, once.
fn put_first(members: &mut Members, list: &str, name: &str) {
    let mut names = match members.remove(list) {
        Some(Value::Array(names)) => names,
        _ => Vec::new(),
    };
    names.retain(|other| other != name);
    names.insert(0, name.into());
    members.insert(list.to_owned(), names.into());
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use longshore_types::Digest;

    use super::{layer_id, put_first};
    use crate::records::Members;

    /// Taken from a store of skopeo's.
    #[test]
    fn ids_of_layers() {
        let diff_id = |hex: &str| Digest::parse(&format!("sha256:{hex}")).unwrap();
        let base = "e14a5c1efc49b17c90ae0c12807adbb5820edd1b2845ac2e9db6ffc04ae8c15b";
        assert_eq!(layer_id("", &diff_id(base)), base);
        let next = diff_id("0e612e4e98f0056b9e510ae605ce66266eee44f65a1035fe27f2ce23708a75ee");
        let expected = "5453f7c7ec2420302f6e898b0964413d7f0f7c2214ad52f86481a3164aba1d32";
        assert_eq!(layer_id(base, &next), expected);
    }

    #[test]
    fn the_newest_name_comes_first_and_once() {
        let mut members = Members::new();
        for name in ["a", "b", "a"] {
            put_first(&mut members, "names", name);
        }
        assert_eq!(members["names"], serde_json::json!(["a", "b"]));
    }
}
