//! The parameters of kolla-ansible's container module: read, and completed from `common_options`.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::words::{Engine, Password, Restart, State, Unread, environment, flag, labels, whole};
use crate::image_ref::ImageRef;
use crate::name::ContainerName;
use crate::spec::read::read;
use crate::spec::{Command, Environment, TextMap};
use crate::state::Credentials;
use crate::violation::{FieldPath, Violations};

/// Who logs in to Docker without naming a registry logs in here.
const DOCKER_HUB: &str = "docker.io";

/// One container in kolla-ansible's words.
///
/// A field has the name of its parameter. `None`, or empty, is "not given", and so is a null where
/// they are read from; the default is then the one that the field names.
///
/// ```
/// use kolla_container_core::dialect::kolla::{Host, Parameters};
/// use serde_json::json;
///
/// let common_options = json!({"environment": {"KOLLA_CONFIG_STRATEGY": "COPY_ALWAYS"}, "graceful_timeout": 60});
/// let parameters = json!({
///     "name": "nova_compute",
///     "image": "quay.io/openstack.kolla/nova-compute:2025.1",
///     "volumes": ["/etc/kolla/nova-compute/:/var/lib/kolla/config_files/:ro", "nova_compute:/var/lib/nova/", ""],
///     "dimensions": {"mem_limit": "1g"},
/// });
///
/// let host = Host { time_zone: "UTC".to_owned() };
/// let (name, spec) = Parameters::from_value(Some(&common_options), parameters)?.into_spec(&host)?;
///
/// assert_eq!(name.as_str(), "nova_compute");
/// assert_eq!(spec.stop_timeout.map(|span| span.to_string()).as_deref(), Some("1m"));
/// # Ok::<(), kolla_container_core::Violations>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, default, expecting = "the parameters of a container, an object")]
pub struct Parameters {
    /// The name of the container; needed.
    pub name: Option<ContainerName>,
    /// Its image; needed.
    pub image: Option<ImageRef>,
    /// Its command, shell-quoted. Default: the image's, also where this is empty.
    pub command: Option<Command>,
    /// Its environment variables; null is the empty text, and a boolean is `True` or `False` as Python says it.
    #[serde(deserialize_with = "environment")]
    pub environment: Environment,
    /// Its labels; values are read as those of the environment are.
    #[serde(deserialize_with = "labels")]
    pub labels: TextMap,
    /// What is mounted: `SOURCE:TARGET[:MODE]`, `NAME:TARGET[:MODE]`, `TARGET[:MODE]`; null and empty ones are none.
    pub volumes: Option<Vec<Option<String>>>,
    /// Containers whose volumes it has too.
    pub volumes_from: Option<Vec<String>>,
    /// File systems in memory, `PATH[:OPTIONS]`; null and empty ones are none.
    pub tmpfs: Option<Vec<Option<String>>>,
    /// Its limits.
    pub dimensions: Option<Unread>,
    /// Its health check.
    pub healthcheck: Option<Unread>,
    /// Whether it has all capabilities and devices. Default: false.
    #[serde(deserialize_with = "flag")]
    pub privileged: Option<bool>,
    /// Further capabilities. For Podman `AUDIT_WRITE` is one of them unless it is privileged.
    pub cap_add: Option<Vec<String>>,
    /// Options of the security modules, and `no-new-privileges`.
    pub security_opt: Option<Vec<String>>,
    /// `host`, `private` or `shareable`. Default, also where it is empty: the engine's.
    pub ipc_mode: Option<String>,
    /// `host` or `private`. Default, also where it is empty: the engine's.
    pub pid_mode: Option<String>,
    /// `host` or `private`. Default: the engine's.
    pub cgroupns_mode: Option<String>,
    /// Whether it has a terminal. Default: false.
    #[serde(deserialize_with = "flag")]
    pub tty: Option<bool>,
    /// Whether nobody waits for its end. Default: true.
    #[serde(deserialize_with = "flag")]
    pub detach: Option<bool>,
    /// Whether it is removed when it ends, where it is waited for. Default: true.
    #[serde(deserialize_with = "flag")]
    pub remove_on_exit: Option<bool>,
    /// What happens when it ends. Default: nothing.
    pub restart_policy: Option<Restart>,
    /// How often its unit starts it within the client timeout. Default: 10.
    #[serde(deserialize_with = "whole")]
    pub restart_retries: Option<u32>,
    /// How long it may take to stop, in seconds. Default: the engine's, 10.
    #[serde(deserialize_with = "whole")]
    pub graceful_timeout: Option<u32>,
    /// How long a request to the engine may take, in seconds. Default: 120.
    #[serde(deserialize_with = "whole")]
    pub client_timeout: Option<u32>,
    /// In which state it should be. Default: running.
    pub state: Option<State>,
    /// Whether stopping a container that is not there is no error. Default: false.
    #[serde(deserialize_with = "flag")]
    pub ignore_missing: Option<bool>,
    /// The engine. Default: docker.
    pub container_engine: Option<Engine>,
    /// The version of the engine's API. Carried, not used: versions are negotiated.
    pub api_version: Option<String>,
    /// The e-mail address for a login at the registry.
    pub auth_email: Option<String>,
    /// The password for it; never shown.
    pub auth_password: Option<Password>,
    /// The registry to log in at.
    pub auth_registry: Option<String>,
    /// The user for it.
    pub auth_username: Option<String>,
    /// Whether the registry's certificate is verified.
    #[serde(deserialize_with = "flag")]
    pub tls_verify: Option<bool>,
    /// The path of the client's certificate.
    pub tls_cert: Option<String>,
    /// The path of its key.
    pub tls_key: Option<String>,
    /// The path of the certificate authority's certificate.
    pub tls_cacert: Option<String>,
}

impl Parameters {
    /// Reads parameters, those that are not given from `common_options`.
    ///
    /// - Environments are merged variable by variable; the parameters' own win.
    /// - `common_options` has only what kolla-ansible takes from there: restart policy and retries,
    ///   timeouts, environment, engine, API version, registry login.
    /// - Digits in a text are a number.
    /// - Says every mistake; those of `common_options` have its name in their path.
    pub fn from_value(common_options: Option<&Value>, parameters: Value) -> Result<Self, Violations> {
        let (common, mut wrong) = CommonOptions::read_or_default(common_options);
        let (read, own) = Self::read(&common, parameters);
        wrong.add_below(&FieldPath::root(), own);
        match read {
            Some(read) if wrong.is_empty() => Ok(read),
            _ => Err(wrong),
        }
    }

    /// Who pulls images, and at which registry: `auth_username`, `auth_password` and `auth_email`, at `auth_registry`. Where
    /// that is not given, it is Docker Hub for Docker, as with `docker login`, and for Podman the registry of the image.
    /// `None` without a user, or where there is no registry.
    ///
    /// ```
    /// use kolla_container_core::dialect::kolla::Parameters;
    /// use kolla_container_core::images::Known;
    ///
    /// let common = serde_json::json!({"auth_registry": "quay.io", "auth_username": "kolla", "auth_password": "s3cret"});
    /// let own = serde_json::json!({"name": "keystone", "image": "quay.io/openstack.kolla/keystone:2025.1"});
    /// let parameters = Parameters::from_value(Some(&common), own)?;
    ///
    /// let (registry, credentials) = parameters.credentials().expect("there is a user, and a registry");
    /// let keyring = Known::default().with(&registry, credentials);
    /// assert_eq!(registry, "quay.io");
    /// # Ok::<(), kolla_container_core::Violations>(())
    /// ```
    pub fn credentials(&self) -> Option<(String, Credentials)> {
        let usual = || match self.container_engine.unwrap_or(Engine::Docker) {
            Engine::Docker => Some(DOCKER_HUB.to_owned()),
            Engine::Podman => self.image.as_ref().and_then(ImageRef::registry).map(str::to_owned),
        };
        let registry = self.auth_registry.clone().filter(|registry| !registry.is_empty()).or_else(usual)?;
        let password = self.auth_password.as_ref().map(Password::expose).unwrap_or_default().to_owned();
        let username = self.auth_username.clone()?;
        Some((registry, Credentials::Password { username, password, email: self.auth_email.clone() }))
    }

    /// What can be read of the parameters, and what is wrong with the rest.
    pub(super) fn read(common: &CommonOptions, mut parameters: Value) -> (Option<Self>, Violations) {
        let mut wrong = Violations::none();
        // Roles call it so in their lists; `container_engine` would be the nearest key.
        if parameters.as_object_mut().and_then(|map| map.remove("container_name")).is_some() {
            wrong.add("container_name", "unknown key, did you mean `name`?");
        }
        let (read, others) = read(parameters, Self::deserialize);
        wrong.add_below(&FieldPath::root(), others);
        (read.map(|read| read.completed_from(common)), wrong)
    }

    fn completed_from(self, common: &CommonOptions) -> Self {
        let common = common.clone();
        let mut variables = common.environment;
        variables.0.extend(self.environment.0);
        Self {
            environment: variables,
            restart_policy: self.restart_policy.or(common.restart_policy),
            restart_retries: self.restart_retries.or(common.restart_retries),
            graceful_timeout: self.graceful_timeout.or(common.graceful_timeout),
            client_timeout: self.client_timeout.or(common.client_timeout),
            container_engine: self.container_engine.or(common.container_engine),
            api_version: self.api_version.or(common.api_version),
            auth_email: self.auth_email.or(common.auth_email),
            auth_password: self.auth_password.or(common.auth_password),
            auth_registry: self.auth_registry.or(common.auth_registry),
            auth_username: self.auth_username.or(common.auth_username),
            ..self
        }
    }
}

impl<'de> Deserialize<'de> for Parameters {
    /// As [`from_value`](Self::from_value) without `common_options`.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_value(None, Value::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// The parameters that `common_options` can give.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, expecting = "the common options, an object")]
pub(super) struct CommonOptions {
    #[serde(deserialize_with = "environment")]
    environment: Environment,
    restart_policy: Option<Restart>,
    #[serde(deserialize_with = "whole")]
    restart_retries: Option<u32>,
    #[serde(deserialize_with = "whole")]
    graceful_timeout: Option<u32>,
    #[serde(deserialize_with = "whole")]
    client_timeout: Option<u32>,
    container_engine: Option<Engine>,
    api_version: Option<String>,
    auth_email: Option<String>,
    auth_password: Option<Password>,
    auth_registry: Option<String>,
    auth_username: Option<String>,
}

impl CommonOptions {
    /// What can be read of them, and what is wrong with the rest.
    pub(super) fn read_or_default(given: Option<&Value>) -> (Self, Violations) {
        let Some(given) = given.filter(|given| !given.is_null()) else {
            return (Self::default(), Violations::none());
        };
        let (read, others) = read(given.clone(), Self::deserialize);
        let mut wrong = Violations::none();
        wrong.add_below(&FieldPath::from("common_options"), others);
        (read.unwrap_or_default(), wrong)
    }
}
