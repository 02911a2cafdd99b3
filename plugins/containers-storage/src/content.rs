//! A layer's archive, put together again (formats of tar-split).

use std::rc::Rc;

use longshore_guest::{Blob, Body, Context as _, Directory, Error, File, Writer, copy, decompress};
use longshore_layer::{CHECKSUM, assemble, clean};

use crate::chain::Layer;
use crate::store::{Driver, Stores};

/// A layer of an image, and all layers below it.
pub(crate) struct LayerBlob {
    pub(crate) stores: Rc<Stores>,
    /// The topmost first.
    pub(crate) layers: Rc<[Layer]>,
    pub(crate) index: usize,
}

impl LayerBlob {
    fn layer(&self) -> &Layer {
        &self.layers[self.index]
    }

    fn failed(&self, what: impl std::fmt::Display) -> Error {
        Error::invalid_data(format_args!("layer \"{}\": {what}", self.layer().id))
    }

    fn record(&self) -> Result<File, Error> {
        let layer = self.layer();
        let record = self.stores.all[layer.store].tar_split(&layer.id)?;
        record.ok_or_else(|| self.failed("it has no tar-split record, without which its archive cannot be made again"))
    }
}

impl Blob for LayerBlob {
    fn body(&self) -> Result<Body, Error> {
        self.record()?;
        Ok(Body::Produced(Some(self.layer().size)))
    }

    fn produce(&self, out: &Writer) -> Result<(), Error> {
        let _lock = self.stores.all[self.layer().store].lock_to_read("layers")?;
        let (record, _) = decompress(self.record()?.reader(0, None)?)?;
        let mut files = Contents::new(&self.stores, &self.layers[self.index..]);
        let assembled = assemble(longshore_layer::record(&record), out, |file| {
            let reader = files.open(&file.name)?.reader(0, None)?;
            copy(&reader, out, None, &[CHECKSUM.to_owned()])
        });
        assembled.map_err(|error| Error {
            message: format!("layer \"{}\": {}", self.layer().id, error.message),
            ..error
        })
    }
}

/// The files of a layer. With overlay, one that its own folder lacks is looked for in the layers below.
struct Contents<'a> {
    stores: &'a Stores,
    /// Not opened yet, the lowest last.
    below: std::slice::Iter<'a, Layer>,
    opened: Vec<Directory>,
}

impl<'a> Contents<'a> {
    fn new(stores: &'a Stores, layers: &'a [Layer]) -> Self {
        let own = match layers.first().map(|layer| stores.all[layer.store].driver) {
            Some(Driver::Vfs) => &layers[..1],
            _ => layers,
        };
        Self {
            stores,
            below: own.iter(),
            opened: Vec::new(),
        }
    }

    fn open(&mut self, name: &[u8]) -> Result<File, Error> {
        let path = clean(name).ok_or_else(|| {
            Error::invalid_data(format_args!(
                "{:?} leads outside of the layer",
                String::from_utf8_lossy(name)
            ))
        })?;
        for directory in &self.opened {
            if let Some(file) = directory.open(&path, false).optional()? {
                return Ok(file);
            }
        }
        for layer in self.below.by_ref() {
            let store = &self.stores.all[layer.store];
            let directory = store.directory.subdirectory(store.driver.files(&layer.id).as_bytes())?;
            let file = directory.open(&path, false).optional()?;
            self.opened.push(directory);
            if let Some(file) = file {
                return Ok(file);
            }
        }
        Err(Error::invalid_data(format_args!(
            "{:?} is in the tar-split record and not in the layer",
            String::from_utf8_lossy(name)
        )))
    }
}
