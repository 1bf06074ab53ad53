//! How the values of fields are compared and shown, type by type.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::net::IpAddr;

use serde::Serialize;

use super::Entry;
use crate::image_ref::ImageRef;
use crate::name::NetworkName;
use crate::quantity::{ByteSize, CpuSet, Cpus, Limit, TimeSpan};
use crate::shown::Shown;
use crate::spec::{
    Capability, CleanPath, Command, ContainerPort, Device, DeviceCgroupRule, DeviceRequest, Endpoint, Environment,
    ExposedPorts, ExtraHosts, HealthTest, HostAddress, HostPort, Link, Mount, Mounts, NamespaceMode, NetworkMode,
    Platform, Ports, RestartPolicy, SecurityOpt, Signal, TextMap, Ulimit, UlimitName, Variable, VolumesFrom,
};

/// A part that an engine may lack, and the key at which it is used, in a map or a set.
pub(super) type Use = (Option<String>, &'static str);

/// What may be done with a device unless something else is stated.
const ALL_PERMISSIONS: &str = "rwm";

/// The value of a field.
pub(super) trait Value: Clone + PartialEq + Serialize {
    /// The whole value, fit to be shown.
    fn shown(&self) -> Shown;

    /// What differs: nothing, one entry, or one per key. With `extra`, keys that are not desired may be there.
    fn differences(desired: &Self, current: &Self, _extra: bool) -> Vec<Entry> {
        if desired == current {
            return Vec::new();
        }
        vec![Entry { key: None, current: current.shown(), desired: desired.shown() }]
    }

    /// Whether it takes a limit away, which an update cannot do.
    fn is_no_limit(&self) -> bool {
        false
    }

    /// Whether stating it asks for nothing that an engine would have to be able to do.
    fn is_nothing(&self) -> bool {
        false
    }

    /// Which of the parts that an engine may lack it uses, and at which key; see
    /// [`Features`](crate::state::Features).
    fn uses(&self) -> Vec<Use> {
        Vec::new()
    }

    /// Of a map of settings, to which an engine may add some by itself: each key, its value as a text, and that fit to
    /// be shown.
    fn settings(&self) -> Vec<(String, String, Shown)> {
        Vec::new()
    }

    /// Parts of which an engine may say nothing although it reports the field: `relabel` of mounts.
    const PARTS: &'static [&'static str] = &[];

    /// What is stated of one of these parts, as a text; empty where nothing is.
    fn part(&self, _part: &str) -> String {
        String::new()
    }
}

/// The entries of a part that state something.
fn stated<K: Display>(entries: impl Iterator<Item = (K, String)>) -> String {
    let stated = entries.filter(|(_, text)| !text.is_empty());
    crate::text::join(stated.map(|(key, text)| format!("{key}={text}")), ",")
}

/// All that a map or a set holds, in one line: `entries` are what differs between it and an empty one.
fn listed(entries: Vec<Entry>) -> Shown {
    if entries.is_empty() {
        return Shown::not_set();
    }
    let parts = entries.into_iter().map(|Entry { key, desired, .. }| format!("{}={desired}", key.unwrap_or_default()));
    Shown::text(crate::text::join(parts, ", "))
}

/// One entry per key whose values are not the same.
fn by_key<'a, K: Display + Ord, V: 'a>(
    desired: &'a BTreeMap<K, V>,
    current: &'a BTreeMap<K, V>,
    extra: bool,
    same: impl Fn(&V, &V) -> bool,
    shown: impl Fn(&K, &V) -> Shown,
) -> Vec<Entry> {
    let mut entries = Vec::new();
    for (key, value) in desired {
        let other = current.get(key);
        if !other.is_some_and(|other| same(value, other)) {
            let current = other.map_or_else(Shown::not_set, |other| shown(key, other));
            entries.push(Entry { key: Some(key.to_string()), current, desired: shown(key, value) });
        }
    }
    for (key, value) in current.iter().filter(|(key, _)| !extra && !desired.contains_key(key)) {
        entries.push(Entry { key: Some(key.to_string()), current: shown(key, value), desired: Shown::not_set() });
    }
    entries.sort_by(|a, b| a.key.cmp(&b.key));
    entries
}

macro_rules! text_values {
    ($($type:ty: $no_limit:expr),+ $(,)?) => {$(
        impl Value for $type {
            fn shown(&self) -> Shown {
                Shown::text(self)
            }

            fn is_no_limit(&self) -> bool {
                let no_limit: fn(&Self) -> bool = $no_limit;
                no_limit(self)
            }
        }
    )+};
}

text_values!(
    bool: |_| false,
    i64: |_| false,
    u16: |weight| *weight == 0,
    u32: |_| false,
    u64: |shares| *shares == 0,
    ByteSize: |_| false,
    TimeSpan: |span| span.as_nanos() == 0,
    Cpus: |cpus| cpus.nanos() == 0,
    Platform: |_| false,
    RestartPolicy: |_| false,
    Signal: |_| false,
    CleanPath: |_| false,
    Limit<u64>: Limit::is_unlimited,
    Limit<TimeSpan>: Limit::is_unlimited,
);

impl Value for Limit<ByteSize> {
    fn shown(&self) -> Shown {
        self.value().map_or_else(|| Shown::text("unlimited"), |size| Shown::text(size.human()))
    }

    fn is_no_limit(&self) -> bool {
        self.is_unlimited()
    }
}

impl Value for CpuSet {
    fn shown(&self) -> Shown {
        if self.is_empty() { Shown::text("all") } else { Shown::text(self) }
    }

    fn is_no_limit(&self) -> bool {
        self.is_empty()
    }
}

impl Value for ImageRef {
    fn shown(&self) -> Shown {
        Shown::text(self.familiar())
    }
}

impl Value for String {
    fn shown(&self) -> Shown {
        if self.is_empty() { Shown::not_set() } else { Shown::text(self) }
    }
}

impl Value for Command {
    fn shown(&self) -> Shown {
        if self.is_empty() { Shown::not_set() } else { Shown::argv(self.argv().iter().map(String::as_str)) }
    }
}

impl Value for HealthTest {
    fn shown(&self) -> Shown {
        HealthTest::shown(self)
    }

    fn is_nothing(&self) -> bool {
        *self == Self::None
    }
}

impl Value for NetworkMode {
    fn shown(&self) -> Shown {
        Shown::text(self)
    }

    fn uses(&self) -> Vec<Use> {
        if matches!(self, Self::Pasta | Self::Slirp4netns) { vec![(None, "podman")] } else { Vec::new() }
    }
}

impl Value for NamespaceMode {
    fn shown(&self) -> Shown {
        Shown::text(self)
    }

    fn uses(&self) -> Vec<Use> {
        let parts: &[&str] = match self {
            Self::KeepId => &["podman", "keep-id"],
            Self::Auto => &["podman", "auto"],
            Self::NoMap => &["podman", "nomap"],
            Self::Path(_) => &["path"],
            Self::Container(_) => &["container"],
            Self::Private => &["private"],
            _ => &[],
        };
        parts.iter().map(|part| (None, *part)).collect()
    }
}

impl Value for Environment {
    fn shown(&self) -> Shown {
        listed(Self::differences(self, &Self::default(), false))
    }

    /// A variable that is unset is the same as one that is not there.
    fn differences(desired: &Self, current: &Self, extra: bool) -> Vec<Entry> {
        let names: BTreeSet<&String> =
            desired.0.keys().chain(current.0.keys().filter(|name| !extra || desired.0.contains_key(*name))).collect();
        let value = |side: &'_ Self, name: &String| side.0.get(name).and_then(Variable::value).map(ToOwned::to_owned);
        names
            .into_iter()
            .filter(|name| value(desired, name) != value(current, name))
            .map(|name| {
                // Whoever declares a value secret means what was there before it, too.
                let is_secret =
                    [desired, current].iter().any(|side| matches!(side.0.get(name), Some(Variable::Secret(_))));
                let shown = |side: &Self| match side.shown(name) {
                    shown if shown.is_not_set() => shown,
                    _ if is_secret => Shown::secret(),
                    shown => shown,
                };
                Entry { key: Some(name.clone()), current: shown(current), desired: shown(desired) }
            })
            .collect()
    }
}

impl Value for TextMap {
    fn shown(&self) -> Shown {
        listed(Self::differences(self, &Self::default(), false))
    }

    fn differences(desired: &Self, current: &Self, extra: bool) -> Vec<Entry> {
        by_key(&desired.0, &current.0, extra, |a, b| a == b, |key, value| Shown::named(key, value))
    }

    fn settings(&self) -> Vec<(String, String, Shown)> {
        self.0.iter().map(|(key, value)| (key.clone(), value.clone(), Shown::named(key, value))).collect()
    }

    fn is_nothing(&self) -> bool {
        self.0.is_empty()
    }
}

impl Value for Mounts {
    fn shown(&self) -> Shown {
        listed(Self::differences(self, &Self::default(), false))
    }

    fn differences(desired: &Self, current: &Self, extra: bool) -> Vec<Entry> {
        by_key(&desired.0, &current.0, extra, |a, b| a == b, |_, mount| Shown::text(mount.describe()))
    }

    fn is_nothing(&self) -> bool {
        self.0.is_empty()
    }

    fn uses(&self) -> Vec<Use> {
        let parts = |mount: &Mount| match mount {
            Mount::Bind(bind) => vec![
                (!bind.flags.is_empty(), "flags"),
                (bind.non_recursive, "non_recursive"),
                (bind.relabel.is_some(), "relabel"),
            ],
            Mount::Volume(volume) => vec![
                (!volume.flags.is_empty(), "flags"),
                (volume.subpath.is_some(), "subpath"),
                (volume.no_copy, "no_copy"),
                (volume.name.is_none() && volume.read_only, "anonymous_read_only"),
            ],
            Mount::Tmpfs(_) => vec![(true, "tmpfs")],
            Mount::Devpts => vec![(true, "devpts")],
        };
        let used = |(target, mount)| {
            let key = move |(is_used, part): (bool, &'static str)| {
                is_used.then(|| (Some(CleanPath::to_string(target)), part))
            };
            parts(mount).into_iter().filter_map(key)
        };
        self.0.iter().flat_map(used).collect()
    }

    const PARTS: &'static [&'static str] = &["relabel"];

    fn part(&self, _: &str) -> String {
        stated(self.0.iter().map(|(target, mount)| match mount {
            Mount::Bind(bind) => (target, bind.relabel.map(|relabel| relabel.to_string()).unwrap_or_default()),
            Mount::Volume(_) | Mount::Tmpfs(_) | Mount::Devpts => (target, String::new()),
        }))
    }
}

impl Value for BTreeMap<UlimitName, Ulimit> {
    fn shown(&self) -> Shown {
        listed(Self::differences(self, &Self::default(), false))
    }

    fn differences(desired: &Self, current: &Self, extra: bool) -> Vec<Entry> {
        by_key(desired, current, extra, |a, b| a == b, |_, ulimit| Shown::text(ulimit))
    }

    fn settings(&self) -> Vec<(String, String, Shown)> {
        self.iter().map(|(name, ulimit)| (name.to_string(), ulimit.to_string(), Shown::text(ulimit))).collect()
    }

    fn is_nothing(&self) -> bool {
        self.is_empty()
    }
}

impl Value for BTreeMap<NetworkName, Endpoint> {
    fn shown(&self) -> Shown {
        listed(Self::differences(self, &Self::default(), false))
    }

    fn differences(desired: &Self, current: &Self, extra: bool) -> Vec<Entry> {
        by_key(desired, current, extra, |a, b| a == b, |_, endpoint| Shown::text(endpoint.describe()))
    }

    fn is_nothing(&self) -> bool {
        self.is_empty()
    }

    fn uses(&self) -> Vec<Use> {
        let several = (self.len() > 1).then_some((None, "several"));
        let with_mac = self.iter().filter(|(_, endpoint)| endpoint.mac.is_some());
        several.into_iter().chain(with_mac.map(|(network, _)| (Some(network.to_string()), "mac"))).collect()
    }

    const PARTS: &'static [&'static str] = &["addresses"];

    fn part(&self, _: &str) -> String {
        stated(self.iter().map(|(name, Endpoint { aliases: _, ipv4, ipv6, mac: _ })| {
            let addresses = ipv4.map(IpAddr::V4).into_iter().chain(ipv6.map(IpAddr::V6));
            (name, crate::text::join(addresses, "+"))
        }))
    }
}

impl Value for Ports {
    fn shown(&self) -> Shown {
        listed(Self::differences(self, &Self::default(), false))
    }

    /// A random port of the host is the same as whichever the engine picked.
    fn differences(desired: &Self, current: &Self, extra: bool) -> Vec<Entry> {
        by_key(&desired.0, &current.0, extra, same_host_ports, |_: &ContainerPort, hosts| {
            Shown::text(crate::text::join(hosts, ", "))
        })
    }

    fn is_nothing(&self) -> bool {
        self.0.is_empty()
    }
}

fn same_host_ports(desired: &BTreeSet<HostPort>, current: &BTreeSet<HostPort>) -> bool {
    if desired.len() != current.len() {
        return false;
    }
    let mut left: Vec<&HostPort> = current.difference(desired).collect();
    desired.difference(current).all(|wanted| {
        let picked = left.iter().position(|there| wanted.port.is_none() && there.ip == wanted.ip);
        picked.map(|index| left.remove(index)).is_some()
    })
}

impl Value for ExtraHosts {
    fn shown(&self) -> Shown {
        listed(Self::differences(self, &Self::default(), false))
    }

    /// `host-gateway` is the same as whichever one address the engine found.
    fn differences(desired: &Self, current: &Self, extra: bool) -> Vec<Entry> {
        let same = |desired: &BTreeSet<HostAddress>, current: &BTreeSet<HostAddress>| {
            let resolved = current.difference(desired).count();
            let open = desired.difference(current).collect::<Vec<_>>();
            open.len() == resolved && open.iter().all(|address| **address == HostAddress::HostGateway)
        };
        by_key(&desired.0, &current.0, extra, same, |_, addresses| Shown::text(crate::text::join(addresses, ", ")))
    }

    fn is_nothing(&self) -> bool {
        self.0.is_empty()
    }
}

fn shown_set<T: Display>(set: &BTreeSet<T>) -> Shown {
    let elements = set.iter().map(Shown::text);
    if set.is_empty() { Shown::not_set() } else { Shown::text(crate::text::join(elements, ", ")) }
}

fn set_differences<T: Display + Ord>(desired: &BTreeSet<T>, current: &BTreeSet<T>, extra: bool) -> Vec<Entry> {
    let set = || Shown::text("set");
    let missing = desired.difference(current).map(|element| Entry {
        key: Some(Shown::text(element).to_string()),
        current: Shown::not_set(),
        desired: set(),
    });
    let surplus = current.difference(desired).filter(|_| !extra).map(|element| Entry {
        key: Some(Shown::text(element).to_string()),
        current: set(),
        desired: Shown::not_set(),
    });
    missing.chain(surplus).collect()
}

impl Value for BTreeSet<Device> {
    fn shown(&self) -> Shown {
        shown_set(self)
    }

    fn differences(desired: &Self, current: &Self, extra: bool) -> Vec<Entry> {
        set_differences(desired, current, extra)
    }

    fn is_nothing(&self) -> bool {
        self.is_empty()
    }

    const PARTS: &'static [&'static str] = &["host", "permissions"];

    fn part(&self, part: &str) -> String {
        stated(self.iter().map(|device| {
            let text = match part {
                "host" => device.host.to_string(),
                _ if device.permissions == ALL_PERMISSIONS => String::new(),
                _ => device.permissions.clone(),
            };
            (&device.container, text)
        }))
    }
}

macro_rules! set_values {
    ($($element:ty),+ $(,)?) => {$(
        impl Value for BTreeSet<$element> {
            fn shown(&self) -> Shown {
                shown_set(self)
            }

            fn differences(desired: &Self, current: &Self, extra: bool) -> Vec<Entry> {
                set_differences(desired, current, extra)
            }

            fn is_nothing(&self) -> bool {
                self.is_empty()
            }
        }
    )+};
}

set_values!(String, Capability, DeviceRequest, Link, VolumesFrom);

impl Value for BTreeSet<SecurityOpt> {
    fn shown(&self) -> Shown {
        shown_set(self)
    }

    fn differences(desired: &Self, current: &Self, extra: bool) -> Vec<Entry> {
        set_differences(desired, current, extra)
    }

    fn is_nothing(&self) -> bool {
        self.is_empty()
    }

    fn uses(&self) -> Vec<Use> {
        let paths = self.iter().filter(|option| option.as_str().starts_with("seccomp=/"));
        paths.map(|option| (Some(option.to_string()), "profile_path")).collect()
    }
}

impl Value for ExposedPorts {
    fn shown(&self) -> Shown {
        shown_set(&self.0)
    }

    fn differences(desired: &Self, current: &Self, extra: bool) -> Vec<Entry> {
        set_differences(&desired.0, &current.0, extra)
    }

    fn is_nothing(&self) -> bool {
        self.0.is_empty()
    }
}

macro_rules! list_values {
    ($($element:ty),+ $(,)?) => {$(
        impl Value for Vec<$element> {
            fn shown(&self) -> Shown {
                if self.is_empty() { Shown::not_set() } else { Shown::text(crate::text::join(self, ", ")) }
            }

            fn is_nothing(&self) -> bool {
                self.is_empty()
            }
        }
    )+};
}

list_values!(IpAddr, String, DeviceCgroupRule);
