use std::path::{Path, PathBuf};
use std::sync::Arc;

use longshore_blob::Durability;
use longshore_types::ErrorKind;

use crate::bindings::transport::exports::longshore::transport::reference::Purpose as GuestPurpose;
use crate::destination::PluginDestination;
use crate::grants::{Plan, is_named_by_user};
use crate::host::session::SessionHandle;
use crate::http::{HttpGrant, HttpWish};
use crate::instance::Instance;
use crate::operation::Operation;
use crate::source::PluginSource;
use crate::{Error, Grant, Plugin, Settings, limits};

/// What a reference will be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Reading an image.
    Source,
    /// Writing an image.
    Destination,
    /// Removing an image.
    Delete,
    /// Listing the images behind the reference.
    Enumerate,
}

/// What a transport makes of a reference once it was granted what it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Text after the transport name in its one agreed form.
    pub canonical: String,
    /// Normalised docker reference, if the format keeps one.
    pub docker_reference: Option<String>,
    /// First name that signature policy looks up; may be empty.
    pub policy_identity: String,
    /// Names tried next, the most specific first.
    pub policy_scopes: Vec<String>,
}

/// A reference that was parsed; nothing is granted yet.
pub struct Planned {
    plugin: Arc<Plugin>,
    instance: Instance,
    reference: String,
    settings: Arc<Settings>,
    grants: Vec<Grant>,
    http: Vec<HttpGrant>,
    durability: Durability,
    temporary: PathBuf,
}

/// One operation on one reference, with its grants in place.
pub struct Session {
    plugin: Arc<Plugin>,
    instance: Instance,
}

impl Plugin {
    /// Has the transport check a reference and say what it needs. `reference` is
    /// the text after the transport name and its colon.
    ///
    /// # Errors
    ///
    /// Fails if the reference is malformed, the transport lacks the ability that
    /// `purpose` needs, or a third-party plugin asks for what the user did not
    /// name.
    pub async fn parse(
        self: &Arc<Self>,
        transport: &str,
        reference: &str,
        purpose: Purpose,
        settings: &Settings,
    ) -> Result<Planned, Error> {
        const OPERATION: &str = "reference.parse";
        let missing = match purpose {
            Purpose::Source => self.exports.source.is_none().then_some("reading images"),
            Purpose::Destination if self.exports.destination.is_none() => {
                // The reference implementation's own words, here and below.
                return Err(Error::Unsupported(format!(
                    "\"{transport}:\" locations can only be read from, not written to"
                )));
            }
            Purpose::Delete if self.exports.manage.is_none() => {
                return Err(Error::Unsupported(format!(
                    "Deleting images not implemented for {transport}: images"
                )));
            }
            Purpose::Enumerate => self.exports.manage.is_none().then_some("listing images"),
            Purpose::Destination | Purpose::Delete => None,
        };
        if let Some(ability) = missing {
            return Err(Error::Unsupported(format!(
                "transport \"{transport}\" does not support {ability}"
            )));
        }
        let instance = self.start()?;
        let settings = Arc::new(settings.clone());
        let guest_purpose = match purpose {
            Purpose::Source => GuestPurpose::Source,
            Purpose::Destination => GuestPurpose::Destination,
            Purpose::Delete => GuestPurpose::Delete,
            Purpose::Enumerate => GuestPurpose::Enumerate,
        };
        let plugin = Arc::clone(self);
        let text = reference.to_owned();
        let plan = Plan::new(Arc::clone(&settings));
        let wishes = instance
            .call(OPERATION, move |live| {
                Box::pin(async move {
                    let result = live
                        .guest(OPERATION, async |store, instance| {
                            let Some(indices) = &plugin.exports.reference else {
                                wasmtime::bail!("it is not a transport");
                            };
                            let guest = indices.load(&mut *store, instance)?;
                            let plan = store.data_mut().push(plan)?;
                            let borrowed = wasmtime::component::Resource::new_borrow(plan.rep());
                            let result = guest.call_parse(&mut *store, &text, guest_purpose, borrowed).await?;
                            // It goes with an error too.
                            let plan = store.data_mut().table.delete(plan);
                            Ok(result.map(|()| plan))
                        })
                        .await?;
                    match result {
                        Ok(Ok(plan)) => Ok(plan.into_wishes()),
                        Ok(Err(_)) => Err(live.broke_contract(OPERATION, "its plan is gone")),
                        Err(error) => Err(live.refused(OPERATION, error)),
                    }
                })
            })
            .await?;
        let grants = wishes.grants;
        for grant in &grants {
            self.check_grant(grant, purpose, reference, &settings)?;
            tracing::debug!("plugin {} is granted {grant}", instance.plugin());
        }
        let mut http = Vec::new();
        for wish in wishes.http {
            let grant = self.http_grant(wish, purpose, reference, &settings)?;
            tracing::debug!("plugin {} is granted {grant}", instance.plugin());
            http.push(grant);
        }
        let durability = self.shared().durability;
        let temporary = self.shared().temporary.clone();
        let plugin = Arc::clone(self);
        Ok(Planned {
            plugin,
            instance,
            reference: reference.to_owned(),
            settings,
            grants,
            http,
            durability,
            temporary,
        })
    }

    fn http_grant(
        &self,
        wish: HttpWish,
        purpose: Purpose,
        reference: &str,
        settings: &Settings,
    ) -> Result<HttpGrant, Error> {
        let read_only = matches!(purpose, Purpose::Source | Purpose::Enumerate);
        let grant = HttpGrant::of(wish, read_only).map_err(|message| Error::Plugin {
            kind: ErrorKind::InvalidReference,
            plugin: self.label().to_string(),
            operation: "reference.parse",
            message,
            retryable: false,
        })?;
        match grant.not_named_by_user(reference, settings) {
            Some(stranger) if !self.is_trusted() => Err(Error::NotGranted {
                plugin: self.label().to_string(),
                path: stranger,
            }),
            _ => Ok(grant),
        }
    }

    fn check_grant(&self, grant: &Grant, purpose: Purpose, reference: &str, settings: &Settings) -> Result<(), Error> {
        let path = grant.path.to_string_lossy();
        if path.len() > limits::PATH || path.contains('\0') || path.is_empty() {
            return Err(Error::Plugin {
                kind: ErrorKind::InvalidReference,
                plugin: self.label().to_string(),
                operation: "reference.parse",
                message: format!("\"{}\" is not a path", crate::error::presentable(&path)),
                retryable: false,
            });
        }
        if !grant.access.serves(purpose) {
            return Err(Error::Plugin {
                kind: ErrorKind::AccessDenied,
                plugin: self.label().to_string(),
                operation: "reference.parse",
                message: format!("{grant} is more than this operation may have"),
                retryable: false,
            });
        }
        if grant.posix && !self.is_trusted() {
            return Err(Error::Plugin {
                kind: ErrorKind::AccessDenied,
                plugin: self.label().to_string(),
                operation: "reference.parse",
                message: format!("{grant}: only plugins of the program itself are granted that"),
                retryable: false,
            });
        }
        if self.is_trusted() || is_named_by_user(Path::new(&*path), reference, settings) {
            Ok(())
        } else {
            Err(Error::NotGranted {
                plugin: self.label().to_string(),
                path: crate::error::presentable(&path),
            })
        }
    }

    /// Whether a scope of policy.json can match images of this transport.
    ///
    /// # Errors
    ///
    /// Says why it cannot.
    pub async fn check_scope(self: &Arc<Self>, scope: &str) -> Result<(), Error> {
        const OPERATION: &str = "reference.check-scope";
        let plugin = Arc::clone(self);
        let scope = scope.to_owned();
        self.start()?
            .call(OPERATION, move |live| {
                Box::pin(async move {
                    live.guest(OPERATION, async |store, instance| {
                        let Some(indices) = &plugin.exports.reference else {
                            wasmtime::bail!("it is not a transport");
                        };
                        indices
                            .load(&mut *store, instance)?
                            .call_check_scope(&mut *store, &scope)
                            .await
                    })
                    .await?
                    .map_err(|error| live.refused(OPERATION, error))
                })
            })
            .await
    }
}

impl Planned {
    /// What the reference needs.
    pub fn grants(&self) -> &[Grant] {
        &self.grants
    }

    /// Where the plugin may send requests.
    pub fn http(&self) -> &[HttpGrant] {
        &self.http
    }

    /// Puts the grants in place. Nothing is opened or made before the plugin asks
    /// for it.
    ///
    /// # Errors
    ///
    /// Fails if the plugin crashed.
    pub async fn open(self) -> Result<Session, Error> {
        let operation = Operation::new(
            self.reference,
            self.settings,
            self.grants,
            self.http,
            self.durability,
            self.temporary,
        );
        self.instance
            .call("session", move |live| {
                Box::pin(async move {
                    live.store.data_mut().begin(operation);
                    Ok(())
                })
            })
            .await?;
        Ok(Session {
            plugin: self.plugin,
            instance: self.instance,
        })
    }
}

impl Session {
    /// Canonical form and policy identity of the reference.
    ///
    /// # Errors
    ///
    /// Fails as the plugin does.
    pub async fn identify(&self) -> Result<Identity, Error> {
        const OPERATION: &str = "reference.identify";
        let plugin = Arc::clone(&self.plugin);
        self.instance
            .call(OPERATION, move |live| {
                Box::pin(async move {
                    let identity = live
                        .guest(OPERATION, async |store, instance| {
                            let Some(indices) = &plugin.exports.reference else {
                                wasmtime::bail!("it is not a transport");
                            };
                            let guest = indices.load(&mut *store, instance)?;
                            let session = store.data_mut().push(SessionHandle)?;
                            let borrowed = wasmtime::component::Resource::new_borrow(session.rep());
                            let result = guest.call_identify(&mut *store, borrowed).await?;
                            store.data_mut().table.delete(session)?;
                            Ok(result)
                        })
                        .await?
                        .map_err(|error| live.refused(OPERATION, error))?;
                    Ok(Identity {
                        canonical: identity.canonical,
                        docker_reference: identity.docker_reference,
                        policy_identity: identity.policy_identity,
                        policy_scopes: identity.policy_scopes,
                    })
                })
            })
            .await
    }

    /// Opens the image to read.
    ///
    /// # Errors
    ///
    /// Fails as the plugin does; `ErrorKind::ImageNotFound` if there is none.
    pub async fn source(self) -> Result<PluginSource, Error> {
        PluginSource::open(self.plugin, self.instance).await
    }

    /// Opens the storage to write the image to.
    ///
    /// # Errors
    ///
    /// Fails as the plugin does.
    pub async fn destination(self) -> Result<PluginDestination, Error> {
        PluginDestination::open(self.plugin, self.instance).await
    }

    /// Removes the image.
    ///
    /// # Errors
    ///
    /// Fails as the plugin does; `ErrorKind::ImageNotFound` if there is none.
    pub async fn delete(self) -> Result<(), Error> {
        const OPERATION: &str = "manage.delete";
        let plugin = self.plugin;
        self.instance
            .call(OPERATION, move |live| {
                Box::pin(async move {
                    live.guest(OPERATION, async |store, instance| {
                        let Some(indices) = &plugin.exports.manage else {
                            wasmtime::bail!("it cannot delete")
                        };
                        let session = store.data_mut().push(SessionHandle)?;
                        indices
                            .load(&mut *store, instance)?
                            .call_delete(&mut *store, session)
                            .await
                    })
                    .await?
                    .map_err(|error| live.refused(OPERATION, error))?;
                    live.commit()
                })
            })
            .await
    }

    /// Names of the images behind the reference.
    ///
    /// # Errors
    ///
    /// Fails as the plugin does.
    pub async fn images(self) -> Result<Vec<String>, Error> {
        const OPERATION: &str = "manage.images";
        let plugin = self.plugin;
        self.instance
            .call(OPERATION, move |live| {
                Box::pin(async move {
                    let images = live
                        .guest(OPERATION, async |store, instance| {
                            let Some(indices) = &plugin.exports.manage else {
                                wasmtime::bail!("it cannot list")
                            };
                            let session = store.data_mut().push(SessionHandle)?;
                            indices
                                .load(&mut *store, instance)?
                                .call_images(&mut *store, session)
                                .await
                        })
                        .await?
                        .map_err(|error| live.refused(OPERATION, error))?;
                    if images.len() > limits::IMAGES {
                        return Err(live.broke_contract(OPERATION, "it lists too many images"));
                    }
                    Ok(images)
                })
            })
            .await
    }
}
