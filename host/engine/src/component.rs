use sha2::{Digest as _, Sha256};
use wasmparser::{ComponentExternalKind, Encoding, Parser, Payload, Validator, WasmFeatures};

/// Larger files are not read as plugins: a bound on the memory and time that
/// compiling a stranger's file may cost.
pub const MAX_COMPONENT_SIZE: u64 = 64 << 20;

/// Interfaces of WASI 0.2 that the standard library of a guest drags in whether
/// the guest needs them or not. The host answers them with an empty world.
const STANDARD_LIBRARY: &[&str] = &[
    "wasi:cli/",
    "wasi:clocks/",
    "wasi:filesystem/",
    "wasi:io/",
    "wasi:random/",
];

/// Our own contracts; every version of them that a host may offer.
const CONTRACTS: &[&str] = &["longshore:transport/", "longshore:policy/"];

/// Why a file is not a plugin.
#[derive(Debug, thiserror::Error)]
pub enum ComponentError {
    /// A core module, or no WebAssembly at all.
    #[error("not a WebAssembly component")]
    NotAComponent,
    /// The binary breaks the component model's rules or is cut short.
    #[error("malformed WebAssembly component: {0}")]
    Malformed(#[from] wasmparser::BinaryReaderError),
}

/// What an author wrote into the component about it, in the custom sections that
/// the OCI annotations of the same names were modelled on. All of it is a claim.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// Name of the plugin (section `longshore:name`).
    pub name: Option<String>,
    /// Version of the plugin (section `version`).
    pub version: Option<String>,
    /// SPDX licence expression (section `licenses`).
    pub licenses: Option<String>,
    /// One line (section `description`).
    pub description: Option<String>,
}

/// A component's outside, read without compiling it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    /// SHA-256 of the file, lower-case hex.
    pub sha256: String,
    /// Size of the file in bytes.
    pub size: u64,
    /// Imported interfaces, in file order, such as `longshore:transport/types@0.1.0`.
    pub imports: Vec<String>,
    /// Exported interfaces, in file order.
    pub exports: Vec<String>,
    /// What the author says about it.
    pub metadata: Metadata,
}

impl Component {
    /// Validates the whole binary and reads imports, exports and metadata.
    ///
    /// # Errors
    ///
    /// Fails on anything but one complete, valid component.
    pub fn inspect(wasm: &[u8]) -> Result<Self, ComponentError> {
        let mut metadata = Metadata::default();
        let mut depth = 0_usize;
        let mut top_level = true;
        for payload in Parser::new(0).parse_all(wasm) {
            match payload? {
                Payload::Version { encoding, .. } => {
                    if top_level && encoding != Encoding::Component {
                        return Err(ComponentError::NotAComponent);
                    }
                    top_level = false;
                    depth += 1;
                }
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::CustomSection(section) => metadata.read(section.name(), section.data()),
                _ => {}
            }
        }
        if top_level {
            return Err(ComponentError::NotAComponent);
        }
        Validator::new_with_features(WasmFeatures::all()).validate_all(wasm)?;
        let mut imports = Vec::new();
        let mut exports = Vec::new();
        for payload in Parser::new(0).parse_all(wasm) {
            match payload? {
                Payload::Version { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ComponentImportSection(section) if depth == 1 => {
                    for import in section {
                        imports.push(import?.name.name.to_owned());
                    }
                }
                Payload::ComponentExportSection(section) if depth == 1 => {
                    for export in section {
                        let export = export?;
                        if export.kind == ComponentExternalKind::Instance {
                            exports.push(export.name.name.to_owned());
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(Self {
            sha256: hex::encode(Sha256::digest(wasm)),
            size: wasm.len() as u64,
            imports,
            exports,
            metadata,
        })
    }

    /// Imports that no host of ours offers; a plugin with any cannot be loaded.
    pub fn forbidden_imports(&self) -> impl Iterator<Item = &str> {
        self.imports
            .iter()
            .map(String::as_str)
            .filter(|name| !is_allowed_import(name))
    }

    /// Contract versions that the exports belong to, such as
    /// `longshore:transport@0.1.0`, without repetition.
    pub fn contracts(&self) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        for export in &self.exports {
            if let Some((package, rest)) = export.split_once('/')
                && let Some((_, version)) = rest.split_once('@')
                && package.starts_with("longshore:")
            {
                let contract = format!("{package}@{version}");
                if !found.contains(&contract) {
                    found.push(contract);
                }
            }
        }
        found
    }
}

/// Whether an interface may be imported by a plugin at all. What it then finds
/// there is the host's business: the WASI ones are all but empty.
pub fn is_allowed_import(name: &str) -> bool {
    CONTRACTS
        .iter()
        .chain(STANDARD_LIBRARY)
        .any(|prefix| name.starts_with(prefix))
}

impl Metadata {
    /// The first section of a name counts: it is the innermost of our own code,
    /// as adapters are appended.
    fn read(&mut self, section: &str, data: &[u8]) {
        let field = match section {
            "longshore:name" => &mut self.name,
            "version" => &mut self.version,
            "licenses" => &mut self.licenses,
            "description" => &mut self.description,
            _ => return,
        };
        // A printable line or nothing: it ends up on terminals.
        if field.is_none()
            && data.len() <= 1024
            && let Ok(text) = std::str::from_utf8(data)
            && !text.is_empty()
            && !text.chars().any(char::is_control)
        {
            *field = Some(text.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// The eight bytes that begin a component and a core module.
    const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
    const MODULE: &[u8] = b"\0asm\x01\0\0\0";

    /// A custom section.
    fn section(name: &str, data: &[u8]) -> Vec<u8> {
        let length = |bytes: usize| u8::try_from(bytes).unwrap();
        let mut content = vec![length(name.len())];
        content.extend(name.as_bytes());
        content.extend(data);
        [&[0, length(content.len())], &content[..]].concat()
    }

    #[test]
    fn only_whole_components_are_read() {
        assert!(Component::inspect(COMPONENT).is_ok());
        assert!(matches!(Component::inspect(MODULE), Err(ComponentError::NotAComponent)));
        for bytes in [&b""[..], b"\0asm", b"MZ\x90\0\x03\0\0\0", &COMPONENT[..7]] {
            assert!(Component::inspect(bytes).is_err(), "{bytes:?}");
        }
        let whole = [COMPONENT, &section("version", b"1.2.3")].concat();
        for end in COMPONENT.len() + 1..whole.len() {
            assert!(Component::inspect(&whole[..end]).is_err(), "cut at {end}");
        }
        for trailing in [&b"\xff"[..], b"\x63\x05abc"] {
            assert!(Component::inspect(&[&whole, trailing].concat()).is_err());
        }
    }

    #[test]
    fn metadata_is_one_printable_line() {
        for (data, expected) in [
            (&b"1.2.3"[..], Some("1.2.3")),
            (b"", None),
            (b"1\n2", None),
            (b"\x1b[2J", None),
            (b"\xff", None),
        ] {
            let component = Component::inspect(&[COMPONENT, &section("version", data)].concat()).unwrap();
            assert_eq!(component.metadata.version.as_deref(), expected, "{data:?}");
        }
        let twice = [
            COMPONENT,
            &section("longshore:name", b"a"),
            &section("longshore:name", b"b"),
        ]
        .concat();
        assert_eq!(Component::inspect(&twice).unwrap().metadata.name.as_deref(), Some("a"));
    }

    #[test]
    fn imports() {
        for (name, allowed) in [
            ("longshore:transport/types@0.1.0", true),
            ("longshore:policy/image@0.1.0", true),
            ("wasi:cli/environment@0.2.6", true),
            ("wasi:sockets/tcp@0.2.6", false),
            ("wasi:http/outgoing-handler@0.2.0", false),
            ("longshore:transports/types@0.1.0", false),
            ("wasi:clock/x", false),
            ("", false),
        ] {
            assert_eq!(is_allowed_import(name), allowed, "{name}");
        }
    }
}
