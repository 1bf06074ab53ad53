//! systemd as core's [`Supervisor`].

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use kolla_container_core::state::EngineKind;
use kolla_container_core::{Active, ContainerName, Error, ErrorKind, Result, Runtime, Service, Supervisor, UnitState};

use crate::bus::{self, ManagerProxy, Meaning, UnitProxy, failed, meaning};
use crate::config::{Config, Scope};
use crate::files::{Files, There};
use crate::job::Job;
use crate::unit;

/// A unit without a file that could change.
const WITHOUT_FILE: &str = "init.scope";

/// How often it is asked whether all units are to be reloaded, or one alone.
const LOOKS: u32 = 5;

/// systemd, with a unit for each container of an engine.
///
/// - A unit starts its container by the engine's own command, and never makes one, nor pulls an image.
/// - [`start`](Supervisor::start) waits until the container has run for a second: a unit is active as soon as the
///   command was started, which says nothing of the container. One that ends at once is an
///   [`EngineFailed`](ErrorKind::EngineFailed) with a [`UnitFailure`](crate::UnitFailure) as its source.
/// - A start that is asked for is tried also where the unit has reached its start limit.
/// - Requests to the bus: one for a unit that is not there, four for each that is, and some more where it is to be reloaded;
///   two and a file for one that is written.
/// - What a rootless engine runs, the service manager of its user starts: [`Scope::User`](crate::Scope::User).
///
/// ```no_run
/// use std::sync::Arc;
/// use kolla_container_core::{Goals, Reconciler, Runtime};
/// use kolla_container_systemd::{Config, Systemd};
///
/// # async fn example(engine: Arc<dyn Runtime>, goals: Goals) -> kolla_container_core::Result<()> {
/// let systemd = Systemd::connect(Arc::clone(&engine), Config::default()).await?;
///
/// let report = Reconciler::new(engine).with_supervisor(Arc::new(systemd)).reconcile(&goals).await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Systemd {
    pub(crate) runtime: Arc<dyn Runtime>,
    pub(crate) config: Arc<Config>,
    pub(crate) manager: ManagerProxy<'static>,
    files: Files,
}

impl Systemd {
    /// Connects to the bus.
    ///
    /// `runtime` is the engine whose containers the units start: Docker or Podman, on this machine. An error is
    /// [`Rejected`](ErrorKind::Rejected) for a configuration that cannot be, [`Unsupported`](ErrorKind::Unsupported)
    /// for another engine or another machine's, [`Unreachable`](ErrorKind::Unreachable) where there is no bus or no
    /// systemd on it, and [`Denied`](ErrorKind::Denied) where this user may not use it.
    pub async fn connect(runtime: Arc<dyn Runtime>, config: Config) -> Result<Self> {
        const OPERATION: &str = "connect to";
        const SYSTEMD: &str = "systemd";
        config.validate().map_err(|wrong| Error::new(ErrorKind::Rejected, OPERATION, SYSTEMD).caused_by(wrong))?;
        let unsupported = |reason: &str| Error::new(ErrorKind::Unsupported, OPERATION, SYSTEMD).because(reason);
        let engine = runtime.engine();
        if !matches!(engine.kind, EngineKind::Docker | EngineKind::Podman) {
            return Err(unsupported("its units start containers of Docker and Podman"));
        }
        if !engine.host.local {
            return Err(unsupported("the engine is on another machine, which has a systemd of its own"));
        }
        if engine.host.rootless && config.scope == Scope::System {
            return Err(unsupported("a rootless engine's containers are started by the systemd of its user"));
        }
        let Some(folder) = config.folder() else {
            return Err(unsupported(
                "where this user's units are is not known: neither XDG_CONFIG_HOME nor HOME is set",
            ));
        };
        let connecting = tokio::time::timeout(config.deadline, bus::connect(&config));
        let late = |_| Error::new(ErrorKind::TimedOut, OPERATION, SYSTEMD).because("the bus does not answer");
        let manager = connecting.await.map_err(late)?.map_err(|error| failed(OPERATION, SYSTEMD, error))?;
        let files = Files { folder, dialect: config.dialect };
        Ok(Self { runtime, config: Arc::new(config), manager, files })
    }

    /// How units are named, where they are, and what each of them says.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Reads or writes files; the disk is waited for elsewhere.
    async fn on_disk<T: Send + 'static>(
        &self,
        operation: &'static str,
        unit: &str,
        work: impl FnOnce(&Files) -> io::Result<T> + Send + 'static,
    ) -> Result<T> {
        let files = self.files.clone();
        let done = tokio::task::spawn_blocking(move || work(&files)).await.unwrap_or_else(|lost| Err(lost.into()));
        done.map_err(|error| {
            let kind = match error.kind() {
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::Denied,
                _ => ErrorKind::EngineFailed,
            };
            let place = self.files.folder.join(unit);
            Error::new(kind, operation, unit).because(format!("{}: {error}", place.display()))
        })
    }

    /// What is in the place of a unit.
    async fn there(&self, operation: &'static str, unit: &str) -> Result<Option<There>> {
        let name = unit.to_owned();
        self.on_disk(operation, unit, move |files| files.read(&name)).await
    }

    /// Fails where somebody else's unit would be touched.
    async fn refuse_foreign(&self, operation: &'static str, unit: &str) -> Result<()> {
        let reason = match self.there(operation, unit).await? {
            Some(There::Unit { ours: false, .. }) if !self.config.adopt => {
                "a unit of that name is there that this library did not write; adopt or remove it"
            }
            Some(There::Masked) => "the unit was masked: unmask it first",
            _ => return Ok(()),
        };
        let place = self.files.folder.join(unit);
        Err(Error::new(ErrorKind::Conflict, operation, unit).because(format!("{}: {reason}", place.display())))
    }

    /// What systemd knows of a unit whose file is there.
    async fn look(&self, unit: &str) -> zbus::Result<Look> {
        let enabled = match self.manager.get_unit_file_state(unit).await {
            Ok(state) => matches!(state.as_str(), "enabled" | "alias"),
            Err(error) if matches!(meaning(&error), Meaning::NoSuchUnit | Meaning::Other) => false,
            Err(error) => return Err(error),
        };
        let there = self.known(unit).await?;
        let is_stale = there.need_daemon_reload().await?;
        Ok(Look { enabled, loaded: !is_stale, active: active_state(&there.active_state().await?) })
    }

    async fn known(&self, unit: &str) -> zbus::Result<UnitProxy<'static>> {
        let path = self.manager.load_unit(unit).await?;
        bus::unit(self.manager.inner().connection(), path).await
    }

    /// When systemd has read all units last, where it says of each of them that it is to be reloaded: from version 255 it does so
    /// as soon as somebody has enabled one, until somebody reloads, and kolla-ansible's module enables last.
    async fn reads_all_anew(&self) -> zbus::Result<Option<SystemTime>> {
        if !self.known(WITHOUT_FILE).await?.need_daemon_reload().await? {
            return Ok(None);
        }
        let started = self.manager.units_load_finish_timestamp().await?;
        let reloaded = self.manager.units_load_timestamp().await?;
        Ok(Some(SystemTime::UNIX_EPOCH + Duration::from_micros(started.max(reloaded))))
    }

    /// Whether systemd knows a unit as its files have it, though it says that it is to be reloaded.
    async fn is_known_as_it_is(&self, operation: &'static str, unit: &str) -> Result<bool> {
        let wrong = |error| failed(operation, unit, error);
        // Somebody may reload, and enable the next one, between two questions.
        let mut read = None;
        for _ in 0..LOOKS {
            read = self.reads_all_anew().await.map_err(wrong)?;
            if read.is_some() {
                break;
            }
            let there = self.known(unit).await.map_err(wrong)?;
            if !there.need_daemon_reload().await.map_err(wrong)? {
                return Ok(true);
            }
        }
        let Some(read) = read else { return Ok(false) };
        let name = unit.to_owned();
        let changed = self.on_disk(operation, unit, move |files| files.changed(&name)).await?;
        Ok(changed.is_none_or(|changed| changed <= read))
    }

    async fn make_target(&self) -> Result<()> {
        let (target, text) = (self.config.target_name(), unit::target(&self.config));
        if self.there("install unit", &target).await?.is_some() {
            return Ok(());
        }
        let name = target.clone();
        self.on_disk("install unit", &target, move |files| files.put(&name, &text)).await?;
        let enabled = self.manager.enable_unit_files(&[target.as_str()], false, true).await;
        enabled.map(drop).map_err(|error| failed("install unit", &target, error))
    }
}

/// What systemd knows of a unit.
struct Look {
    enabled: bool,
    loaded: bool,
    active: Active,
}

/// States that are none of those pass by themselves.
fn active_state(word: &str) -> Active {
    match word {
        "active" | "reloading" | "refreshing" => Active::Active,
        "activating" => Active::Activating,
        "deactivating" => Active::Deactivating,
        "failed" => Active::Failed,
        _ => Active::Inactive,
    }
}

#[async_trait]
impl Supervisor for Systemd {
    fn render(&self, service: &Service) -> String {
        unit::render(service, &self.config)
    }

    fn starts_otherwise(&self, there: &str, wanted: &str) -> bool {
        unit::start_lines(there) != unit::start_lines(wanted)
    }

    async fn unit(&self, name: &ContainerName) -> Result<Option<UnitState>> {
        const OPERATION: &str = "inspect unit";
        let unit = self.config.unit_name(name);
        let (text, ours, masked) = match self.there(OPERATION, &unit).await? {
            None => match self.manager.get_unit_file_state(&unit).await {
                Err(error) if meaning(&error) == Meaning::NoSuchUnit => return Ok(None),
                Err(error) => return Err(failed(OPERATION, &unit, error)),
                // Somebody's, in another of the folders that systemd looks at.
                Ok(_) => (String::new(), self.config.adopt, false),
            },
            Some(There::Masked) => (String::new(), true, true),
            Some(There::Unit { text, ours }) => (text, ours || self.config.adopt, false),
        };
        let Look { enabled, loaded, active } =
            self.look(&unit).await.map_err(|error| failed(OPERATION, &unit, error))?;
        let loaded = loaded || self.is_known_as_it_is(OPERATION, &unit).await?;
        Ok(Some(UnitState { text, ours, enabled, masked, loaded, active }))
    }

    async fn install(&self, name: &ContainerName, text: &str) -> Result<()> {
        const OPERATION: &str = "install unit";
        let unit = self.config.unit_name(name);
        self.refuse_foreign(OPERATION, &unit).await?;
        if self.config.makes_target {
            self.make_target().await?;
        }
        let (file, text) = (unit.clone(), text.to_owned());
        self.on_disk(OPERATION, &unit, move |files| files.write(&file, &text)).await?;
        let wrong = |error| failed(OPERATION, &unit, error);
        self.manager.enable_unit_files(&[unit.as_str()], false, true).await.map_err(wrong)?;
        self.manager.reload().await.map_err(wrong)
    }

    async fn remove(&self, name: &ContainerName) -> Result<()> {
        const OPERATION: &str = "remove unit";
        let unit = self.config.unit_name(name);
        self.refuse_foreign(OPERATION, &unit).await?;
        let wrong = |error| failed(OPERATION, &unit, error);
        // First, as long as the file says what it was linked to.
        match self.manager.disable_unit_files(&[unit.as_str()], false).await {
            Err(error) if meaning(&error) != Meaning::NoSuchUnit => return Err(wrong(error)),
            _ => {}
        }
        let file = unit.clone();
        self.on_disk(OPERATION, &unit, move |files| files.remove(&file)).await?;
        self.manager.reload().await.map_err(wrong)?;
        match self.manager.reset_failed_unit(&unit).await {
            Err(error) if meaning(&error) != Meaning::NoSuchUnit => Err(wrong(error)),
            _ => Ok(()),
        }
    }

    async fn start(&self, name: &ContainerName) -> Result<()> {
        self.bring_up(Job::Start, name).await
    }

    async fn stop(&self, name: &ContainerName) -> Result<()> {
        self.bring_down(name).await
    }

    async fn restart(&self, name: &ContainerName) -> Result<()> {
        self.bring_up(Job::Restart, name).await
    }
}

impl fmt::Debug for Systemd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Systemd").field("folder", &self.files.folder).finish_non_exhaustive()
    }
}
