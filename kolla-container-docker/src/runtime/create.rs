//! Making a container, whole or not at all.

use bollard::models::NetworkConnectRequest;
use bollard::query_parameters::CreateContainerOptions;
use kolla_container_core::state::Created;
use kolla_container_core::{ContainerId, ContainerName, ContainerRef, ContainerSpec, ErrorKind, Result, Runtime};

use super::{Docker, warning};
use crate::encode::{self, Endpoints};
use crate::error::Asked;
use crate::{decode, defaults};

impl Docker {
    pub(super) async fn create(&self, name: &ContainerName, spec: &ContainerSpec) -> Result<Created> {
        let asked = Asked::new("create container", name);
        let endpoints = if self.facts.api < defaults::SEVERAL_ENDPOINTS { Endpoints::One } else { Endpoints::All };
        let creation = encode::creation(spec, endpoints)
            .map_err(|violations| asked.error(ErrorKind::Rejected).caused_by(violations))?;
        let options =
            CreateContainerOptions { name: Some(name.to_string()), platform: creation.platform.unwrap_or_default() };
        self.check_references(&asked, spec).await?;
        let created = self
            .client
            .create_container(Some(options), creation.body)
            .await
            .map_err(|failure| asked.failed(&failure))?;
        let joined = self.join_all(&asked, &created.id, creation.joins).await;
        let id: Result<ContainerId> = created.id.parse().map_err(|error| decode::undecodable("container", name, error));
        if let Err(failed) = joined {
            // The container is only half of what was asked for.
            let removed = match &id {
                Ok(id) => self.remove(id, true).await,
                Err(error) => Err(error.clone()),
            };
            return Err(match removed {
                Ok(()) => failed,
                Err(left) => {
                    let both = format!("{}; and it could not be removed again: {}", failed.report(), left.report());
                    asked.error(failed.kind()).because(both)
                }
            });
        }
        let warnings = created.warnings.into_iter().map(warning::read).collect();
        Ok(Created { id: id?, warnings })
    }

    /// Docker makes a container also in a network, or with the namespace of a container, that is not there, and finds
    /// out when it is started: too late, for the old one is stopped by then. One request for each of them.
    async fn check_references(&self, asked: &Asked, spec: &ContainerSpec) -> Result<()> {
        for network in spec.network.networks.iter().flat_map(|networks| networks.keys()) {
            if self.network(network).await?.is_none() {
                return Err(asked.error(ErrorKind::NotFound).because(format!("there is no network {network}")));
            }
        }
        for container in spec.references() {
            let there = match container {
                ContainerRef::Name(name) => self.container(name).await?,
                ContainerRef::Id(id) => self.container_by_id(id).await?,
            };
            if there.is_none() {
                return Err(asked.error(ErrorKind::NotFound).because(format!("there is no container {container}")));
            }
        }
        Ok(())
    }

    /// Joins a new container to the networks that Docker did not take when it made it.
    async fn join_all(&self, asked: &Asked, id: &str, joins: Vec<encode::Join>) -> Result<()> {
        for encode::Join { network, endpoint } in joins {
            let request = NetworkConnectRequest { container: id.to_owned(), endpoint_config: Some(endpoint) };
            self.client.connect_network(network.as_str(), request).await.map_err(|failure| asked.failed(&failure))?;
        }
        Ok(())
    }
}
