//! What readers from before Docker 1.10 want: a folder for each layer, named by an ID that is made of all layers below
//! it (DA-07).

use std::collections::BTreeMap;

use longshore_guest::Error;
use longshore_types::{Digest, json};
use serde_json::{Map, Value};

/// Members of an image's config that the top layer's config has too.
const OF_CONFIG: [&str; 7] = [
    "architecture",
    "config",
    "container",
    "container_config",
    "created",
    "docker_version",
    "os",
];

/// One layer as of the old format.
#[derive(Debug)]
pub(crate) struct Layer {
    /// 64 hexadecimal digits.
    pub(crate) id: String,
    /// The member `json`.
    pub(crate) config: Vec<u8>,
}

/// The layers of an image, base first.
pub(crate) fn layers(diff_ids: &[Digest], config: &[u8]) -> Result<Vec<Layer>, Error> {
    let config: Map<String, Value> = json::from_slice(config).map_err(Error::invalid_data)?;
    let mut layers: Vec<Layer> = Vec::new();
    let mut chain: Option<Digest> = None;
    for (index, diff_id) in diff_ids.iter().enumerate() {
        let next = match &chain {
            None => diff_id.clone(),
            Some(below) => Digest::sha256(format!("{below} {diff_id}").as_bytes()),
        };
        let mut members: BTreeMap<&str, Value> = BTreeMap::new();
        members.insert("layer_id", next.to_string().into());
        if let Some(below) = layers.last() {
            members.insert("parent", below.id.clone().into());
        }
        if index + 1 == diff_ids.len() {
            for key in OF_CONFIG {
                members.insert(key, config.get(key).cloned().unwrap_or_default());
            }
        }
        let id = Digest::sha256(&encoded(&members)?).hex().to_owned();
        members.remove("layer_id");
        members.insert("id", id.clone().into());
        let config = encoded(&members)?;
        layers.push(Layer { id, config });
        chain = Some(next);
    }
    Ok(layers)
}

fn encoded(members: &BTreeMap<&str, Value>) -> Result<Vec<u8>, Error> {
    json::to_vec(members).map_err(Error::invalid_data)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Formats 3.3: what skopeo wrote for this layer.
    #[test]
    fn ids_are_those_of_skopeo() {
        let base = Digest::parse("sha256:e14a5c1efc49b17c90ae0c12807adbb5820edd1b2845ac2e9db6ffc04ae8c15b").unwrap();
        let layers = layers(&[base.clone(), base], b"{}").unwrap();
        assert!(layers[0].id.starts_with("2e3d83c410fb"), "{}", layers[0].id);
        let text = |layer: &Layer| String::from_utf8(layer.config.clone()).unwrap();
        assert_eq!(text(&layers[0]), format!("{{\"id\":\"{}\"}}", layers[0].id));
        let (id, parent) = (&layers[1].id, &layers[0].id);
        let expected = format!(
            "{{\"architecture\":null,\"config\":null,\"container\":null,\"container_config\":null,\"created\":null,\
             \"docker_version\":null,\"id\":\"{id}\",\"os\":null,\"parent\":\"{parent}\"}}"
        );
        assert_eq!(text(&layers[1]), expected);
    }
}
