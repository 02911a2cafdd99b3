use longshore_guest::{Error, code};
use longshore_types::{Digest, LayoutReference, Selector, json, media_type};
use serde_json::{Map, Value, json};

/// The annotation that names an image (OC-03).
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// `index.json` as parsed JSON, edited without losing what others wrote into it.
#[derive(Clone, Debug)]
pub struct Index(Map<String, Value>);

/// What is of interest in a descriptor of `index.json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Of the manifest or index.
    pub digest: Digest,
    /// Empty if the descriptor has none.
    pub media_type: String,
    /// Of the manifest or index, in bytes.
    pub size: u64,
    /// What it is called in references.
    pub name: Option<String>,
}

impl Default for Index {
    fn default() -> Self {
        let mut members = Map::new();
        members.insert("schemaVersion".to_owned(), json!(2));
        members.insert("mediaType".to_owned(), json!(media_type::OCI_INDEX));
        members.insert("manifests".to_owned(), json!([]));
        Self(members)
    }
}

impl Index {
    /// Reads the file.
    ///
    /// # Errors
    ///
    /// `invalid-data` if it is not the index of an image layout.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let malformed = |what: &dyn std::fmt::Display| Error::invalid_data(format_args!("index.json: {what}"));
        let Value::Object(members) = json::parse(bytes).map_err(|error| malformed(&error))? else {
            return Err(malformed(&"not a JSON object"));
        };
        if members.get("schemaVersion").and_then(Value::as_u64) != Some(2) {
            return Err(malformed(&"schemaVersion is not 2"));
        }
        let index = Self(members);
        index.entries()?;
        Ok(index)
    }

    /// The file as it is now.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written as JSON.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        json::to_vec(&self.0).map_err(Error::invalid_data)
    }

    fn descriptors(&self) -> Result<&[Value], Error> {
        match self.0.get("manifests") {
            Some(Value::Array(descriptors)) => Ok(descriptors),
            None | Some(Value::Null) => Ok(&[]),
            Some(_) => Err(Error::invalid_data("index.json: manifests is not an array")),
        }
    }

    /// All entries, in order.
    ///
    /// # Errors
    ///
    /// `invalid-data` for a malformed one.
    pub fn entries(&self) -> Result<Vec<Entry>, Error> {
        self.descriptors()?
            .iter()
            .enumerate()
            .map(|(position, value)| Entry::parse(position, value))
            .collect()
    }

    /// What each entry would be called in a reference, in order.
    ///
    /// # Errors
    ///
    /// `invalid-data` for a malformed one.
    pub fn names(&self) -> Result<Vec<String>, Error> {
        let named = |(position, entry): (usize, Entry)| entry.name.unwrap_or_else(|| format!("@{position}"));
        Ok(self.entries()?.into_iter().enumerate().map(named).collect())
    }

    /// The entry that a reference means, and its position (OC-03, OC-04).
    ///
    /// # Errors
    ///
    /// `image-not-found` if there is none, and why it cannot be told which one is meant.
    pub fn select(&self, reference: &LayoutReference) -> Result<(usize, Entry), Error> {
        let mut entries = self.entries()?;
        let position = match &reference.selector {
            Selector::Only => match entries.len() {
                1 => 0,
                0 => {
                    return Err(Error::new(
                        code::IMAGE_NOT_FOUND,
                        format_args!("no image in oci layout {}", reference.path),
                    ));
                }
                _ => return Err(Error::invalid_reference("more than one image in oci, choose an image")),
            },
            Selector::Index(wanted) => {
                if *wanted >= entries.len() {
                    // Not the class of images that are not there, which is for names only.
                    return Err(Error::invalid_reference(format_args!(
                        "index {wanted} is too large, only {} entries available",
                        entries.len()
                    )));
                }
                *wanted
            }
            Selector::Named(wanted) => {
                let named = |entry: &&(usize, &Entry)| entry.1.name.as_ref() == Some(wanted);
                let mut matches = entries.iter().enumerate().filter(|entry| named(&entry)).peekable();
                match matches.peek().map(|(_, entry)| entry.media_type.clone()) {
                    None => {
                        return Err(Error::new(
                            code::IMAGE_NOT_FOUND,
                            format_args!("no descriptor found for reference {wanted:?}"),
                        ));
                    }
                    Some(first_type) => {
                        let usable = matches.find(|(_, entry)| is_image(&entry.media_type));
                        usable.map(|(position, _)| position).ok_or_else(|| {
                            Error::unsupported(format_args!(
                                "reference {wanted:?} matches unsupported manifest MIME types: {first_type:?}"
                            ))
                        })?
                    }
                }
            }
        };
        Ok((position, entries.swap_remove(position)))
    }

    /// Adds an entry as OC-05 says: an older one of the same name loses the name, an unnamed one of the same digest is
    /// replaced.
    pub fn add(&mut self, entry: &Entry) {
        let mut new = Map::new();
        new.insert("mediaType".to_owned(), json!(entry.media_type));
        new.insert("digest".to_owned(), json!(entry.digest.to_string()));
        new.insert("size".to_owned(), json!(entry.size));
        if let Some(name) = &entry.name {
            new.insert("annotations".to_owned(), json!({ REF_NAME: name }));
        }
        let manifests = self.0.entry("manifests").or_insert_with(|| json!([]));
        if manifests.is_null() {
            *manifests = json!([]);
        }
        // `parse` refused everything else.
        let Value::Array(descriptors) = manifests else { return };
        if let Some(name) = &entry.name
            && let Some(old) = descriptors
                .iter_mut()
                .find(|descriptor| ref_name(descriptor) == Some(name))
        {
            remove_name(old);
        }
        let digest = entry.digest.as_str();
        let unnamed = |descriptor: &&mut Value| {
            descriptor.get("digest").and_then(Value::as_str) == Some(digest) && ref_name(descriptor).is_none()
        };
        match descriptors.iter_mut().find(unnamed) {
            Some(old) => *old = Value::Object(new),
            None => descriptors.push(Value::Object(new)),
        }
    }

    /// Removes the entry at a position, if there is one.
    pub fn remove(&mut self, position: usize) {
        if let Some(Value::Array(descriptors)) = self.0.get_mut("manifests")
            && position < descriptors.len()
        {
            descriptors.remove(position);
        }
    }
}

impl Entry {
    fn parse(position: usize, value: &Value) -> Result<Self, Error> {
        let malformed = |what: &dyn std::fmt::Display| {
            Error::invalid_data(format_args!("index.json: manifests[{position}]: {what}"))
        };
        if !value.is_object() {
            return Err(malformed(&"not a JSON object"));
        }
        let text = |key: &str| match value.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str())),
            Some(_) => Err(malformed(&format_args!("{key} is not a string"))),
        };
        let digest = text("digest")?.ok_or_else(|| malformed(&"digest is missing"))?;
        match value.get("annotations") {
            None | Some(Value::Null) => {}
            Some(Value::Object(annotations)) if annotations.values().all(Value::is_string) => {}
            Some(_) => return Err(malformed(&"annotations is not an object of strings")),
        }
        Ok(Self {
            digest: Digest::parse(digest).map_err(|error| malformed(&error))?,
            media_type: text("mediaType")?.unwrap_or_default().to_owned(),
            size: value
                .get("size")
                .and_then(Value::as_u64)
                .ok_or_else(|| malformed(&"size is not a size"))?,
            name: ref_name(value).map(str::to_owned),
        })
    }
}

fn is_image(media_type: &str) -> bool {
    media_type::is_list(media_type) || media_type::is_image_manifest(media_type)
}

fn ref_name(descriptor: &Value) -> Option<&str> {
    descriptor.get("annotations")?.get(REF_NAME)?.as_str()
}

fn remove_name(descriptor: &mut Value) {
    let Some(members) = descriptor.as_object_mut() else {
        return;
    };
    if let Some(Value::Object(annotations)) = members.get_mut("annotations") {
        annotations.shift_remove(REF_NAME);
        if annotations.is_empty() {
            members.shift_remove("annotations");
        }
    }
}

#[cfg(test)]
mod tests;
