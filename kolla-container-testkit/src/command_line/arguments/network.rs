//! Networks, ports and names: `--network`, `--publish`, `--add-host` and their neighbours.

use kolla_container_core::NetworkName;
use kolla_container_core::spec::{Endpoint, ExtraHosts, HostPort, Network, NetworkMode, Ports};
use kolla_container_core::state::EngineKind;

use super::{Refusal, Words, Writer};

/// A network to join once the container is made: `docker create` takes one.
#[derive(Debug)]
pub(crate) struct Join {
    pub(crate) network: NetworkName,
    pub(crate) endpoint: Endpoint,
}

/// The arguments of `network connect`.
pub(crate) fn joining(endpoint: &Endpoint, engine: EngineKind) -> Result<Words, Refusal> {
    let mut writer = Writer::new(engine);
    writer.endpoint("alias", endpoint);
    writer.end()
}

impl Writer {
    pub(super) fn network(&mut self, network: &Network) -> Vec<Join> {
        let Network { mode, networks, ports, expose, publish_all, dns, dns_search, dns_options, extra_hosts, links } =
            network;
        let mut named = networks.iter().flatten();
        if self.is_podman() {
            for (network, endpoint) in named.by_ref() {
                self.flag("network", Some(with_options(network, endpoint)));
            }
            self.refuse("network.links", links.as_ref().is_some_and(|links| !links.is_empty()));
        } else {
            if let Some((network, endpoint)) = named.next() {
                self.flag("network", Some(network));
                self.endpoint("network-alias", endpoint);
            }
            self.flags("link", links.as_ref());
        }
        let joins_none = networks.iter().flatten().next().is_none();
        self.flag("network", mode.as_ref().filter(|mode| joins_none && **mode != NetworkMode::Named));
        self.flags("publish", ports.as_ref().map(published));
        self.flags("expose", expose.as_ref().map(|ports| &ports.0));
        self.flag("publish-all", *publish_all);
        self.flags("dns", dns.as_ref());
        self.flags("dns-search", dns_search.as_ref());
        self.flags("dns-option", dns_options.as_ref());
        self.flags("add-host", extra_hosts.as_ref().map(hosts));
        named.map(|(network, endpoint)| Join { network: network.clone(), endpoint: endpoint.clone() }).collect()
    }

    fn endpoint(&mut self, alias: &str, endpoint: &Endpoint) {
        let Endpoint { aliases, ipv4, ipv6, mac } = endpoint;
        self.flags(alias, Some(aliases));
        self.flag("ip", *ipv4);
        self.flag("ip6", *ipv6);
        self.flag("mac-address", *mac);
    }
}

/// `NETWORK:alias=a,ip=10.0.0.7`, as Podman reads it.
fn with_options(network: &NetworkName, endpoint: &Endpoint) -> String {
    let Endpoint { aliases, ipv4, ipv6, mac } = endpoint;
    let mut options: Vec<String> = aliases.iter().map(|alias| format!("alias={alias}")).collect();
    options.extend(ipv4.map(|ip| format!("ip={ip}")));
    options.extend(ipv6.map(|ip| format!("ip6={ip}")));
    options.extend(mac.map(|mac| format!("mac={mac}")));
    if options.is_empty() { network.to_string() } else { format!("{network}:{}", options.join(",")) }
}

fn published(Ports(ports): &Ports) -> Vec<String> {
    let text = |HostPort { ip, port }: &HostPort| {
        let ip = ip.map(|ip| if ip.is_ipv6() { format!("[{ip}]:") } else { format!("{ip}:") });
        let port = port.map(|port| format!("{port}:"));
        match (ip, port) {
            (Some(ip), None) => format!("{ip}:"),
            (ip, port) => ip.unwrap_or_default() + &port.unwrap_or_default(),
        }
    };
    ports.iter().flat_map(|(port, hosts)| hosts.iter().map(move |host| format!("{}{port}", text(host)))).collect()
}

fn hosts(ExtraHosts(hosts): &ExtraHosts) -> Vec<String> {
    hosts.iter().flat_map(|(host, addresses)| addresses.iter().map(move |ip| format!("{host}:{ip}"))).collect()
}
