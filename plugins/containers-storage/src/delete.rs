//! Removing an image, and the layers that nothing else needs.

use std::collections::{BTreeMap, BTreeSet};

use longshore_guest::{Context as _, Error, Session};

use crate::lookup::Found;
use crate::records::{ContainerRecord, ImageRecord, LayerRecord, MountRecord, Records};
use crate::reference::ImageText;
use crate::store::{Driver, RUN, Store, Stores};

/// Largest list of containers or mounts.
const MAX_LIST: u32 = 8 << 20;

/// Removes an image from the store that is written to. The record goes first, then the layers, the topmost first: after
/// a crash there are layers too many, never an image that lacks one.
pub(crate) fn image(session: &Session, stores: &Stores, text: &ImageText) -> Result<(), Error> {
    let store = stores.primary();
    // In this order, as everybody takes them.
    let layers_lock = store.lock("layers", true)?;
    let images_lock = store.lock("images", true)?;
    let _containers = store.lock_to_read("containers")?;
    let (mut images, mut layers) = (store.images()?, store.layers()?);
    let Found {
        store: place, image, ..
    } = stores.find_beside(&images, text)?;
    if place != 0 {
        return Err(Error::unsupported(format_args!(
            "image \"{}\" is in an additional image store, which is only read",
            image.id
        )));
    }
    let containers = containers(session, store)?;
    if let Some(container) = containers.iter().find(|container| container.image == image.id) {
        return Err(Error::new(
            "other",
            format_args!("image used by {}: image is in use by a container", container.id),
        ));
    }
    let unneeded = unneeded(&image, &images, &layers, &containers);
    for mount in mounts(session, store)?.iter() {
        if mount.count > 0 && unneeded.contains(&mount.id) {
            return Err(Error::new(
                "other",
                format_args!("layer {} of the image is mounted", mount.id),
            ));
        }
    }
    images.retain(|other| other.id != image.id);
    store.write_list(&images_lock, "images", &images)?;
    store
        .directory
        .remove_all(&store.path("images", &image.id))
        .optional()?;
    if unneeded.is_empty() {
        return Ok(());
    }
    layers.mark_incomplete(|layer| unneeded.contains(&layer.id))?;
    store.write_list(&layers_lock, "layers", &layers)?;
    for layer in &unneeded {
        remove_layer(store, layer)?;
    }
    layers.retain(|layer| !unneeded.contains(&layer.id));
    store.write_list(&layers_lock, "layers", &layers)
}

fn remove_layer(store: &Store, id: &str) -> Result<(), Error> {
    let folder = store.driver.folder(id);
    if store.driver == Driver::Overlay {
        let link = store
            .directory
            .read(format!("{folder}/link").as_bytes(), 255)
            .optional()?;
        let is_plain = |link: &Vec<u8>| !link.is_empty() && link.iter().all(u8::is_ascii_alphanumeric);
        if let Some(link) = link.filter(is_plain) {
            let link = [b"overlay/l/", link.as_slice()].concat();
            store.directory.remove(&link).optional()?;
        }
    }
    store.directory.remove_all(folder.as_bytes()).optional()?;
    for name in [format!("{id}.tar-split.gz"), id.to_owned()] {
        store.directory.remove_all(&store.path("layers", &name)).optional()?;
    }
    Ok(())
}

/// The layers that only this image needs, the topmost first.
fn unneeded(
    image: &ImageRecord,
    images: &Records<ImageRecord>,
    layers: &Records<LayerRecord>,
    containers: &[ContainerRecord],
) -> Vec<String> {
    let mut parents: BTreeMap<&str, &str> = BTreeMap::new();
    let mut children: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for layer in layers.iter() {
        parents.insert(&layer.id, &layer.parent);
        children.entry(&layer.parent).or_default().push(&layer.id);
    }
    let others = images.iter().filter(|other| other.id != image.id);
    let tops = others.flat_map(|other| other.mapped_layers.iter().chain([&other.layer]));
    let own = containers.iter().map(|container| &container.layer);
    let used: BTreeSet<&str> = tops.chain(own).map(String::as_str).collect();
    let mut removed: BTreeSet<&str> = BTreeSet::new();
    let mut unneeded = Vec::new();
    let mapped = image.mapped_layers.iter().map(String::as_str);
    let mut next = image.layer.as_str();
    let chain = std::iter::from_fn(|| {
        let layer = next;
        next = parents.get(layer)?;
        Some(layer)
    });
    let tops = mapped.filter(|layer| parents.contains_key(layer)).collect::<Vec<_>>();
    for (layer, is_mapped) in tops
        .iter()
        .map(|top| (*top, true))
        .chain(chain.map(|layer| (layer, false)))
    {
        let has_children = children
            .get(layer)
            .is_some_and(|children| children.iter().any(|child| !removed.contains(child)));
        if used.contains(layer) || has_children {
            if is_mapped {
                continue;
            }
            break;
        }
        // A circle ends here.
        if !removed.insert(layer) {
            break;
        }
        unneeded.push(layer.to_owned());
    }
    unneeded
}

/// Containers, those included that do not outlive a restart.
fn containers(session: &Session, store: &Store) -> Result<Vec<ContainerRecord>, Error> {
    let mut all = Vec::new();
    for file in ["containers.json", "volatile-containers.json"] {
        all.extend(store.list::<ContainerRecord>("containers", file)?.iter().cloned());
    }
    let volatile = in_run_root(session, &store.path("containers", "volatile-containers.json"))?;
    all.extend(volatile.iter().cloned());
    Ok(all)
}

fn mounts(session: &Session, store: &Store) -> Result<Records<MountRecord>, Error> {
    in_run_root(session, &store.path("layers", "mountpoints.json"))
}

fn in_run_root<T: crate::records::Record>(session: &Session, path: &[u8]) -> Result<Records<T>, Error> {
    let bytes = match session.directory(RUN).optional()? {
        Some(directory) => directory.read(path, MAX_LIST).optional()?,
        None => None,
    };
    Records::parse(&String::from_utf8_lossy(path), bytes.as_deref())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn only_what_nothing_else_needs_is_removed() {
        let layers = br#"[{"id":"base"},{"id":"mid1","parent":"base"},{"id":"top1","parent":"mid1"},
            {"id":"top2","parent":"base"},{"id":"map1","parent":"mid1"},{"id":"box1","parent":"top2"},
            {"id":"loop","parent":"pool"},{"id":"pool","parent":"loop"}]"#;
        let layers = Records::<LayerRecord>::parse("layers.json", Some(layers)).unwrap();
        for (images, containers, expected) in [
            (r#"[{"id":"img1","layer":"mid1"}]"#, "", &[][..]),
            (r#"[{"id":"img1","layer":"top1"}]"#, "", &["top1"]),
            (
                r#"[{"id":"img1","layer":"top1","mapped-layers":["map1"]}]"#,
                "",
                &["map1", "top1", "mid1"],
            ),
            (
                r#"[{"id":"img1","layer":"top1","mapped-layers":["map1"]},{"id":"img2","layer":"mid1"}]"#,
                "",
                &["map1", "top1"],
            ),
            (
                r#"[{"id":"img1","layer":"top1","mapped-layers":["map1"]},{"id":"img2","layer":"map1"}]"#,
                "",
                &["top1"],
            ),
            (
                r#"[{"id":"img1","layer":"top1"},{"id":"img2","layer":"top1"}]"#,
                "",
                &[],
            ),
            (r#"[{"id":"img1","layer":"top1"}]"#, "top1", &[]),
            (r#"[{"id":"img1","layer":"top2"}]"#, "", &[]),
            (r#"[{"id":"img1"}]"#, "", &[]),
            (r#"[{"id":"img1","layer":"gone"}]"#, "", &[]),
            (r#"[{"id":"img1","layer":"loop"}]"#, "", &[]),
        ] {
            let images = Records::<ImageRecord>::parse("images.json", Some(images.as_bytes())).unwrap();
            let image = images.iter().next().unwrap().clone();
            let container = ContainerRecord {
                layer: containers.to_owned(),
                ..ContainerRecord::default()
            };
            assert_eq!(unneeded(&image, &images, &layers, &[container]), expected, "{image:?}");
        }
    }
}
