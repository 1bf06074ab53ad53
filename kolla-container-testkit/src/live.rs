//! A real engine as a subject: where it listens is said by the environment, as `testbed/run` does.

use std::env;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use kolla_container_core::state::Features;
use kolla_container_core::{Error, ImageRef, Result, Runtime, Supervisor};

use crate::images::Images;
use crate::runner::{Clock, Ground, Subject, Unavailable};

/// Set inside the testbed: there, an engine that is not reached is a failure.
const TESTBED: &str = "KOLLA_TESTBED";

/// An engine that is being connected to.
pub type Connecting = BoxFuture<'static, Result<Arc<dyn Runtime>>>;

/// A supervisor that is being connected to.
pub type Supervising = BoxFuture<'static, Result<Arc<dyn Supervisor>>>;

/// Connects to who supervises the containers of an engine that listens there.
pub type Supervise = fn(Arc<dyn Runtime>, String) -> Supervising;

/// A real engine, with the test images of the testbed.
#[derive(Clone, Debug)]
pub struct Live {
    /// What it is called: `docker`.
    pub name: &'static str,
    /// The environment variable that says where it listens: `KOLLA_TEST_DOCKER`.
    pub variable: &'static str,
    /// Connects to an engine that listens there; each case does so by itself, in its own runtime.
    pub connect: fn(String) -> Connecting,
    /// How to find who supervises the containers of that engine, where somebody does.
    pub supervise: Option<Supervise>,
    /// What the testbed cannot offer, with the reasons.
    pub lacks: Features,
}

impl Live {
    /// Where the engine listens, by the environment that `variables` looks up.
    fn address(&self, variables: impl Fn(&str) -> Option<String>) -> Result<String, Unavailable> {
        let variable = self.variable;
        match variables(variable) {
            Some(address) if !address.is_empty() => Ok(address),
            _ if variables(TESTBED).is_some() => {
                Err(Unavailable::Failed(format!("{variable} is not set, and {TESTBED} is")))
            }
            _ => Err(Unavailable::Ignored(format!("{variable} is not set: testbed/run starts an engine"))),
        }
    }

    async fn reach(&self, address: String) -> Result<Ground, Unavailable> {
        let failed = |error: Error| Unavailable::Failed(error.report());
        let runtime = (self.connect)(address.clone()).await.map_err(failed)?;
        let supervisor = match self.supervise {
            Some(supervise) => Some(supervise(Arc::clone(&runtime), address).await.map_err(failed)?),
            None => None,
        };
        Ok(Ground { runtime, supervisor, images: images(), lacks: self.lacks.clone() })
    }
}

#[async_trait]
impl Subject for Live {
    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn clock(&self) -> Clock {
        Clock::Real(Duration::from_mins(20))
    }

    async fn open(&self) -> Result<Ground, Unavailable> {
        let address = self.address(|name| env::var(name).ok())?;
        self.reach(address).await
    }
}

/// As `testbed/images` makes them.
fn images() -> Images {
    let there = |name: &str| -> ImageRef { format!("localhost/kit/{name}:1").parse().unwrap() };
    let in_registry = |name: &str| -> ImageRef { format!("localhost:5000/kit/{name}:1").parse().unwrap() };
    Images {
        plain: there("plain"),
        other: there("other"),
        furnished: there("furnished"),
        prints: there("prints"),
        done: there("done"),
        exits: there("exits"),
        exits_later: there("exits-later"),
        healthy: there("healthy"),
        unhealthy: there("unhealthy"),
        never_healthy: there("never-healthy"),
        fails_to_start: there("fails-to-start"),
        stubborn: there("stubborn"),
        exits_with_volume: there("exits-with-volume"),
        remote: in_registry("remote"),
        absent: in_registry("absent"),
    }
}

#[cfg(test)]
mod tests {
    use kolla_container_core::ErrorKind;
    use kolla_container_core::memory::MemoryEngine;

    use super::*;

    /// One that listens at `here`, and nowhere else.
    fn live() -> Live {
        Live {
            name: "docker",
            variable: "KOLLA_TEST_DOCKER",
            connect: |address| {
                Box::pin(async move {
                    if address == "here" {
                        Ok(Arc::new(MemoryEngine::new()) as Arc<dyn Runtime>)
                    } else {
                        Err(Error::new(ErrorKind::Unreachable, "connect to", address))
                    }
                })
            },
            supervise: None,
            lacks: Features::all().without("gpus", "it has none"),
        }
    }

    fn address(set: &[(&str, &str)]) -> Result<String, Unavailable> {
        let value = |name: &str| set.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned());
        live().address(value)
    }

    #[test]
    fn without_an_engine_cases_are_ignored() {
        let reason = "KOLLA_TEST_DOCKER is not set: testbed/run starts an engine".to_owned();

        assert_eq!(address(&[]), Err(Unavailable::Ignored(reason.clone())));
        assert_eq!(address(&[("KOLLA_TEST_DOCKER", "")]), Err(Unavailable::Ignored(reason)));
    }

    #[test]
    fn without_an_engine_cases_fail_in_the_testbed() {
        let failed = address(&[("KOLLA_TESTBED", "1")]);

        assert_eq!(failed, Err(Unavailable::Failed("KOLLA_TEST_DOCKER is not set, and KOLLA_TESTBED is".to_owned())));
    }

    #[test]
    fn an_engine_is_where_its_variable_says() {
        let address = address(&[("KOLLA_TESTBED", "1"), ("KOLLA_TEST_DOCKER", "here")]);

        assert_eq!(address, Ok("here".to_owned()));
    }

    #[tokio::test]
    async fn an_engine_that_is_reached_is_the_ground_of_cases() {
        let ground = live().reach("here".to_owned()).await.unwrap();

        assert_eq!(ground.lacks.refusal("gpus"), Some("it has none"));
        assert_eq!(ground.images.plain.to_string(), "localhost/kit/plain:1");
        assert_eq!(ground.images.remote.to_string(), "localhost:5000/kit/remote:1");
    }

    #[tokio::test]
    async fn an_engine_that_is_not_reached_fails_its_cases() {
        let failed = live().reach("there".to_owned()).await.unwrap_err();

        assert!(matches!(&failed, Unavailable::Failed(reason) if reason.contains("there")), "{failed:?}");
    }
}
