use std::sync::Arc;

use wasmtime::component::Resource;
use wasmtime::{Result, bail};

use crate::bindings::transport::longshore::transport::session::{
    Access as GuestAccess, Host, HostPlan, HostSession, Sink as GuestSink,
};
use crate::bindings::transport::longshore::transport::types::{self, Error as GuestError};
use crate::files::{Directory, OpenFile, Sink, Tree};
use crate::grants::{Access, Plan};
use crate::host::bytes::Writer;
use crate::http::{Client, HttpWish};
use crate::state::State;

/// Stands for the operation of the store, which is part of its state.
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct SessionHandle;

impl types::Host for State {}

impl Host for State {}

impl HostPlan for State {
    fn setting(&mut self, plan: Resource<Plan>, key: String) -> Result<Option<String>> {
        self.enter();
        Ok(self.table.get(&plan)?.settings.get(&key).map(str::to_owned))
    }

    fn directory(&mut self, plan: Resource<Plan>, label: String, path: String, access: GuestAccess) -> Result<()> {
        let access = match access {
            GuestAccess::Read => Access::Read,
            GuestAccess::Write => Access::Write,
            GuestAccess::Create => Access::Create,
        };
        self.plan(&plan, label, path, access)
    }

    fn posix(&mut self, plan: Resource<Plan>, label: String) -> Result<()> {
        self.enter();
        match self.table.get_mut(&plan)?.add_posix(&label) {
            Ok(()) => Ok(()),
            Err(message) => bail!("the plugin {message}"),
        }
    }

    fn new_directory(&mut self, plan: Resource<Plan>, label: String, path: String) -> Result<()> {
        self.plan(&plan, label, path, Access::Replace)
    }

    fn file(&mut self, plan: Resource<Plan>, label: String, path: String, extras: Extras) -> Result<()> {
        let inflate = says_yes(&extras, "inflate");
        self.plan(&plan, label, path, Access::ReadFile { inflate })
    }

    fn new_file(&mut self, plan: Resource<Plan>, label: String, path: String, extras: Extras) -> Result<()> {
        let replace = says_yes(&extras, "replace");
        self.plan(&plan, label, path, Access::NewFile { replace })
    }

    fn http(&mut self, plan: Resource<Plan>, label: String, origin: String, extras: Extras) -> Result<()> {
        self.enter();
        let wish = HttpWish { label, origin, extras };
        match self.table.get_mut(&plan)?.add_http(wish) {
            Ok(()) => Ok(()),
            Err(message) => bail!("the plugin {message}"),
        }
    }

    fn drop(&mut self, plan: Resource<Plan>) -> Result<()> {
        self.enter();
        self.table.delete(plan)?;
        Ok(())
    }
}

type Extras = Vec<(String, String)>;

fn says_yes(extras: &Extras, key: &str) -> bool {
    extras.iter().any(|(name, value)| name == key && value == "yes")
}

impl State {
    fn plan(&mut self, plan: &Resource<Plan>, label: String, path: String, access: Access) -> Result<()> {
        self.enter();
        match self.table.get_mut(plan)?.add(label, path, access) {
            Ok(()) => Ok(()),
            Err(message) => bail!("the plugin {message}"),
        }
    }
}

impl HostSession for State {
    fn reference(&mut self, _: Resource<SessionHandle>) -> Result<String> {
        self.enter();
        Ok(self.operation()?.reference.clone())
    }

    fn setting(&mut self, _: Resource<SessionHandle>, key: String) -> Result<Option<String>> {
        self.enter();
        Ok(self.operation()?.settings.get(&key).map(str::to_owned))
    }

    fn real_path(&mut self, _: Resource<SessionHandle>, label: String) -> Result<Result<String, GuestError>> {
        self.enter();
        Ok(self.operation()?.real_path(&label))
    }

    fn directory(
        &mut self,
        _: Resource<SessionHandle>,
        label: String,
    ) -> Result<Result<Resource<Directory>, GuestError>> {
        self.enter();
        match self.operation()?.directory(&label) {
            Ok(directory) => Ok(Ok(self.push(directory)?)),
            Err(error) => Ok(Err(error)),
        }
    }

    fn tree(&mut self, _: Resource<SessionHandle>, label: String) -> Result<Result<Resource<Tree>, GuestError>> {
        self.enter();
        match self.operation()?.tree(&label) {
            Ok(tree) => Ok(Ok(self.push(tree)?)),
            Err(error) => Ok(Err(error)),
        }
    }

    fn replaced(
        &mut self,
        _: Resource<SessionHandle>,
        label: String,
    ) -> Result<Result<Option<Resource<Directory>>, GuestError>> {
        self.enter();
        match self.operation()?.replaced(&label) {
            Ok(Some(directory)) => Ok(Ok(Some(self.push(directory)?))),
            Ok(None) => Ok(Ok(None)),
            Err(error) => Ok(Err(error)),
        }
    }

    fn file(&mut self, _: Resource<SessionHandle>, label: String) -> Result<Result<Resource<OpenFile>, GuestError>> {
        self.enter();
        let control = Arc::clone(self.control());
        match self.operation()?.file(&label, move || control.is_cancelled()) {
            Ok(file) => Ok(Ok(self.push(file)?)),
            Err(error) => Ok(Err(error)),
        }
    }

    fn new_file(&mut self, _: Resource<SessionHandle>, label: String) -> Result<Result<GuestSink, GuestError>> {
        self.enter();
        let control = Arc::clone(self.control());
        Ok(match self.operation()?.new_file(&label, &|| control.is_cancelled()) {
            Ok(Sink::File(file)) => Ok(GuestSink::Seekable(self.push(file)?)),
            Ok(Sink::Stream(stream)) => Ok(GuestSink::Streamed(self.push(Writer::Stream(stream))?)),
            Err(error) => Err(error),
        })
    }

    fn http(&mut self, _: Resource<SessionHandle>, label: String) -> Result<Result<Resource<Client>, GuestError>> {
        self.enter();
        match self.operation()?.http(&label) {
            Ok(client) => Ok(Ok(self.push(client)?)),
            Err(error) => Ok(Err(error)),
        }
    }

    fn drop(&mut self, session: Resource<SessionHandle>) -> Result<()> {
        self.enter();
        self.table.delete(session)?;
        Ok(())
    }
}
