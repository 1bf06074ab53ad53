//! What the translation needs to know of the host that the containers run on.

use std::path::Path;

/// What the translation needs to know of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Its time zone, for containers whose environment has no `TZ`: `Europe/Berlin`.
    pub time_zone: String,
}

impl Host {
    /// The host that this program runs on.
    ///
    /// Reads files, and is the only function of this module that does: the time zone is what
    /// /etc/timezone says, else the part after `zoneinfo/` of what /etc/localtime links to, else `UTC`.
    pub fn local() -> Self {
        Self::below(Path::new("/etc"))
    }

    fn below(etc: &Path) -> Self {
        let stated = std::fs::read_to_string(etc.join("timezone")).ok();
        let stated = stated.as_deref().and_then(|text| text.lines().map(str::trim).find(|line| !line.is_empty()));
        let link = std::fs::read_link(etc.join("localtime")).ok();
        let linked = link.as_deref().and_then(Path::to_str).and_then(|link| link.split_once("zoneinfo/"));
        let linked = linked.map(|(_, zone)| zone).filter(|zone| !zone.is_empty());
        Self { time_zone: stated.or(linked).unwrap_or("UTC").to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_zone_is_the_stated_one_else_the_linked_one_else_utc() {
        let etc = std::env::temp_dir().join(format!("kolla-host-{}", std::process::id()));
        std::fs::create_dir_all(&etc).unwrap();

        let unknown = Host::below(&etc);
        std::os::unix::fs::symlink("../usr/share/zoneinfo/Europe/Berlin", etc.join("localtime")).unwrap();
        let linked = Host::below(&etc);
        std::fs::write(etc.join("timezone"), "Asia/Tokyo\n").unwrap();
        let stated = Host::below(&etc);
        std::fs::remove_dir_all(&etc).unwrap();

        assert_eq!(unknown.time_zone, "UTC");
        assert_eq!(linked.time_zone, "Europe/Berlin");
        assert_eq!(stated.time_zone, "Asia/Tokyo");
    }
}
