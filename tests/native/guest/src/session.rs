use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use longshore_blob::Durability;

use crate::directory::Root;
use crate::ledger::Ledger;
use crate::replacement::Replacement;
use crate::{Access, Directory, Error, code, io_error};

/// What `parse` put on a plan: directories by their labels.
#[derive(Clone, Debug, Default)]
pub struct Needs(BTreeMap<String, (PathBuf, Use)>);

/// What a directory is needed for.
#[derive(Clone, Copy, Debug)]
enum Use {
    Existing,
    Create,
    Replace,
}

/// Collects what a reference needs.
#[derive(Debug, Default)]
pub struct Plan(RefCell<Needs>);

impl Plan {
    /// What was put on it.
    #[must_use]
    pub fn into_needs(self) -> Needs {
        self.0.into_inner()
    }

    /// A setting; a measurement has none.
    pub fn setting(&self, _key: &str) -> Option<String> {
        None
    }

    /// A directory.
    pub fn directory(&self, label: &str, path: &str, access: Access) {
        let kind = match access {
            Access::Read | Access::Write => Use::Existing,
            Access::Create => Use::Create,
        };
        self.add(label, path, kind);
    }

    /// A directory that replaces `path` as a whole at commit.
    pub fn new_directory(&self, label: &str, path: &str) {
        self.add(label, path, Use::Replace);
    }

    fn add(&self, label: &str, path: &str, kind: Use) {
        let need = (PathBuf::from(path), kind);
        self.0.borrow_mut().0.insert(label.to_owned(), need);
    }
}

/// One operation on one reference. Clones are the same operation; the last one that is dropped ends it.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "nobody prints one")]
pub struct Session(Rc<Operation>);

struct Operation {
    reference: String,
    needs: Needs,
    ledger: Rc<Ledger>,
    opened: RefCell<BTreeMap<String, Rc<Root>>>,
    replacements: RefCell<BTreeMap<String, Replacement>>,
    /// Directories that were made, outermost first; removed again if nothing comes of the operation.
    made: RefCell<Vec<PathBuf>>,
}

impl Session {
    /// Begins an operation; nothing is opened or made before the plugin asks for it.
    #[must_use]
    pub fn begin(reference: String, needs: Needs, durability: Durability) -> Self {
        Self(Rc::new(Operation {
            reference,
            needs,
            ledger: Rc::new(Ledger::new(durability)),
            opened: RefCell::default(),
            replacements: RefCell::default(),
            made: RefCell::default(),
        }))
    }

    /// The text after the transport name.
    #[must_use]
    pub fn reference(&self) -> String {
        self.0.reference.clone()
    }

    /// A setting; a measurement has none.
    #[must_use]
    pub fn setting(&self, _key: &str) -> Option<String> {
        None
    }

    /// The real path of a directory of the plan, or what it will be.
    pub fn real_path(&self, label: &str) -> Result<String, Error> {
        let (path, kind) = self.need(label)?;
        let real = match kind {
            Use::Existing => self.open(label, path)?.path.clone(),
            Use::Create | Use::Replace => real_path(path).map_err(io_error(path))?,
        };
        real.into_os_string()
            .into_string()
            .map_err(|path| Error::invalid_data(format_args!("{}: not UTF-8", path.display())))
    }

    /// A directory of the plan.
    pub fn directory(&self, label: &str) -> Result<Directory, Error> {
        let (path, kind) = self.need(label)?;
        match kind {
            Use::Existing => {}
            Use::Create => self.make_missing(path).map_err(io_error(path))?,
            Use::Replace => {
                let mut replacements = self.0.replacements.borrow_mut();
                if !replacements.contains_key(label) {
                    let target = real_path(path).map_err(io_error(path))?;
                    replacements.insert(label.to_owned(), Replacement::create(target, &self.0.ledger)?);
                }
                return Ok(Directory::of(&replacements[label].root));
            }
        }
        Ok(Directory::of(&self.open(label, path)?))
    }

    /// What a new directory will replace.
    pub fn replaced(&self, label: &str) -> Result<Option<Directory>, Error> {
        let (path, _) = self.need(label)?;
        if !path.try_exists().map_err(io_error(path))? {
            return Ok(None);
        }
        Ok(Some(Directory::of(&Root::open(path, false, &self.0.ledger)?)))
    }

    /// Makes everything lasting that was published, and puts new directories in their places.
    pub fn commit(&self) -> Result<(), Error> {
        let Operation { ledger, made, .. } = &*self.0;
        let opened = self.0.opened.take();
        for root in opened.values() {
            root.discard_staged().map_err(io_error(&root.path))?;
        }
        for path in made.borrow().iter() {
            ledger.changed(path);
        }
        ledger.sync().map_err(io_error(Path::new(&self.0.reference)))?;
        for (label, replacement) in self.0.replacements.take() {
            replacement.commit().map_err(io_error(Path::new(&label)))?;
        }
        made.take();
        Ok(())
    }

    fn need(&self, label: &str) -> Result<(&Path, Use), Error> {
        match self.0.needs.0.get(label) {
            Some((path, kind)) => Ok((path, *kind)),
            None => Err(Error::new(code::OTHER, format_args!("{label:?} is not on the plan"))),
        }
    }

    fn open(&self, label: &str, path: &Path) -> Result<Rc<Root>, Error> {
        if let Some(root) = self.0.opened.borrow().get(label) {
            return Ok(Rc::clone(root));
        }
        let root = Root::open(path, false, &self.0.ledger)?;
        self.0.opened.borrow_mut().insert(label.to_owned(), Rc::clone(&root));
        Ok(root)
    }

    /// Makes a directory and its missing parents.
    fn make_missing(&self, path: &Path) -> io::Result<()> {
        if path.as_os_str().is_empty() || path.exists() {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            self.make_missing(parent)?;
        }
        fs::create_dir(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
        // Absolute, so that its parent can be named.
        self.0.made.borrow_mut().push(path.canonicalize()?);
        Ok(())
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        self.opened.take();
        for path in self.made.take().iter().rev() {
            // Something in it keeps it.
            let _ = fs::remove_dir(path);
        }
    }
}

/// The real path of what exists of `path`, with the rest appended.
fn real_path(path: &Path) -> io::Result<PathBuf> {
    let absolute = std::path::absolute(path)?;
    match (absolute.canonicalize(), absolute.parent(), absolute.file_name()) {
        (Err(error), Some(parent), Some(name)) if error.kind() == io::ErrorKind::NotFound => {
            Ok(real_path(parent)?.join(name))
        }
        (real, ..) => real,
    }
}
