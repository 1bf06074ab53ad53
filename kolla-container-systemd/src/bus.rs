//! What is asked of systemd, over D-Bus.

use kolla_container_core::{Error, ErrorKind};
use zbus::connection::Builder;
use zbus::proxy::CacheProperties;
use zbus::{Connection, ObjectPath, OwnedObjectPath};

use crate::config::{Config, Scope};

/// The links that were made or removed: what was done, the link, and what it leads to.
type Changes = Vec<(String, String, String)>;

/// `org.freedesktop.systemd1.Manager`, as far as it is used.
#[zbus::proxy(
    interface = "org.freedesktop.systemd1.Manager",
    default_service = "org.freedesktop.systemd1",
    default_path = "/org/freedesktop/systemd1"
)]
pub(crate) trait Manager {
    fn subscribe(&self) -> zbus::Result<()>;
    fn reload(&self) -> zbus::Result<()>;
    fn load_unit(&self, unit: &str) -> zbus::Result<OwnedObjectPath>;
    fn get_unit_file_state(&self, unit: &str) -> zbus::Result<String>;
    fn enable_unit_files(&self, units: &[&str], runtime: bool, force: bool) -> zbus::Result<(bool, Changes)>;
    fn disable_unit_files(&self, units: &[&str], runtime: bool) -> zbus::Result<Changes>;
    fn start_unit(&self, unit: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;
    fn stop_unit(&self, unit: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;
    fn restart_unit(&self, unit: &str, mode: &str) -> zbus::Result<OwnedObjectPath>;
    fn reset_failed_unit(&self, unit: &str) -> zbus::Result<()>;

    /// When the files of units were read, in microseconds since 1970: at the start, and at the last reload, if any.
    #[zbus(property)]
    fn units_load_finish_timestamp(&self) -> zbus::Result<u64>;
    #[zbus(property)]
    fn units_load_timestamp(&self) -> zbus::Result<u64>;

    /// Only `subscribe` makes systemd send it.
    #[zbus(signal)]
    fn job_removed(&self, id: u32, job: ObjectPath<'_>, unit: &str, result: &str) -> zbus::Result<()>;
}

/// `org.freedesktop.systemd1.Unit`, as far as it is used.
#[zbus::proxy(interface = "org.freedesktop.systemd1.Unit", default_service = "org.freedesktop.systemd1")]
pub(crate) trait Unit {
    #[zbus(property)]
    fn active_state(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn sub_state(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn need_daemon_reload(&self) -> zbus::Result<bool>;
    #[zbus(property, name = "InvocationID")]
    fn invocation_id(&self) -> zbus::Result<Vec<u8>>;
}

/// `org.freedesktop.systemd1.Service`, as far as it is used.
#[zbus::proxy(interface = "org.freedesktop.systemd1.Service", default_service = "org.freedesktop.systemd1")]
pub(crate) trait Service {
    #[zbus(property)]
    fn result(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn exec_main_code(&self) -> zbus::Result<i32>;
    #[zbus(property)]
    fn exec_main_status(&self) -> zbus::Result<i32>;
    #[zbus(property, name = "TimeoutStopUSec")]
    fn timeout_stop_usec(&self) -> zbus::Result<u64>;
}

/// Connects to the bus, and has systemd tell of the jobs that end.
pub(crate) async fn connect(config: &Config) -> zbus::Result<ManagerProxy<'static>> {
    let builder = match (&config.bus, config.scope) {
        (Some(address), _) => Builder::address(address.as_str()),
        (None, Scope::System) => Builder::system(),
        (None, Scope::User) => Builder::session(),
    };
    let connection = builder.method_timeout(config.deadline).build().await?;
    let manager = ManagerProxy::builder(&connection).cache_properties(CacheProperties::No).build().await?;
    manager.subscribe().await?;
    Ok(manager)
}

/// The unit at that path.
pub(crate) async fn unit(connection: &Connection, path: OwnedObjectPath) -> zbus::Result<UnitProxy<'static>> {
    UnitProxy::builder(connection).path(path).cache_properties(CacheProperties::No).build().await
}

/// The same unit as a service.
pub(crate) async fn service(connection: &Connection, path: OwnedObjectPath) -> zbus::Result<ServiceProxy<'static>> {
    ServiceProxy::builder(connection).path(path).cache_properties(CacheProperties::No).build().await
}

/// What went wrong between the bus, systemd and us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    NoSuchUnit,
    Masked,
    Denied,
    Unreachable,
    TimedOut,
    Other,
}

/// What an error of the bus means, by its name.
pub(crate) fn meaning(error: &zbus::Error) -> Meaning {
    let name = match error {
        zbus::Error::MethodError(name, ..) => name.as_str().to_owned(),
        zbus::Error::FDO(error) => zbus::DBusError::name(&**error).as_str().to_owned(),
        zbus::Error::InputOutput(error) => {
            return match error.kind() {
                std::io::ErrorKind::PermissionDenied => Meaning::Denied,
                std::io::ErrorKind::TimedOut => Meaning::TimedOut,
                _ => Meaning::Unreachable,
            };
        }
        zbus::Error::Connection(..) | zbus::Error::Handshake(_) | zbus::Error::Address(_) => {
            return if error.to_string().contains("ermission denied") { Meaning::Denied } else { Meaning::Unreachable };
        }
        _ => return Meaning::Other,
    };
    by_name(&name)
}

fn by_name(name: &str) -> Meaning {
    // The bus could not start a systemd.
    if name.contains(".Error.Spawn.") {
        return Meaning::Unreachable;
    }
    let short = name.rsplit('.').next().unwrap_or_default();
    match short {
        "NoSuchUnit" | "NoSuchUnitFile" | "FileNotFound" => Meaning::NoSuchUnit,
        "UnitMasked" => Meaning::Masked,
        "AccessDenied" | "InteractiveAuthorizationRequired" | "AuthFailed" => Meaning::Denied,
        "ServiceUnknown" | "NoServer" | "NameHasNoOwner" | "Disconnected" => Meaning::Unreachable,
        "NoReply" | "Timeout" | "TimedOut" => Meaning::TimedOut,
        _ => Meaning::Other,
    }
}

/// An error of the bus, in core's words.
pub(crate) fn failed(operation: &'static str, subject: &str, error: zbus::Error) -> Error {
    let kind = match meaning(&error) {
        Meaning::NoSuchUnit => ErrorKind::NotFound,
        Meaning::Masked => ErrorKind::Conflict,
        Meaning::Denied => ErrorKind::Denied,
        Meaning::Unreachable => ErrorKind::Unreachable,
        Meaning::TimedOut => ErrorKind::TimedOut,
        Meaning::Other => ErrorKind::EngineFailed,
    };
    Error::new(kind, operation, subject).caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_means_what_its_name_says() {
        for (name, meaning) in [
            ("org.freedesktop.systemd1.NoSuchUnit", Meaning::NoSuchUnit),
            ("org.freedesktop.DBus.Error.FileNotFound", Meaning::NoSuchUnit),
            ("org.freedesktop.systemd1.UnitMasked", Meaning::Masked),
            ("org.freedesktop.DBus.Error.AccessDenied", Meaning::Denied),
            ("org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", Meaning::Denied),
            ("org.freedesktop.DBus.Error.Spawn.ExecFailed", Meaning::Unreachable),
            ("org.freedesktop.DBus.Error.Spawn.ChildExited", Meaning::Unreachable),
            ("org.freedesktop.DBus.Error.ServiceUnknown", Meaning::Unreachable),
            ("org.freedesktop.DBus.Error.NoReply", Meaning::TimedOut),
            ("org.freedesktop.systemd1.BadUnitSetting", Meaning::Other),
        ] {
            assert_eq!(by_name(name), meaning, "{name}");
        }
    }
}
