//! Cases become trials of libtest-mimic: each in a runtime of its own, ignored where the engine refuses
//! what it needs.

use std::fmt;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use kolla_container_core::state::Features;
use kolla_container_core::{Runtime, Supervisor};
use libtest_mimic::{Completion, Failed, Trial};

use crate::harness::Harness;
use crate::images::Images;

/// A backend that is put to the test.
#[async_trait]
pub trait Subject: fmt::Debug + Send + Sync + 'static {
    /// What its trials are called: `memory`, `docker`.
    fn name(&self) -> String;

    /// How the clock of its cases runs.
    fn clock(&self) -> Clock;

    /// Connects to the engine, inside the runtime of a case.
    async fn open(&self) -> Result<Ground, Unavailable>;
}

/// An engine with its test images.
#[derive(Clone, Debug)]
pub struct Ground {
    /// The engine.
    pub runtime: Arc<dyn Runtime>,
    /// Who supervises its containers, where somebody does.
    pub supervisor: Option<Arc<dyn Supervisor>>,
    /// The images.
    pub images: Images,
    /// What this machine lacks besides, by the names that cases have in their needs: `registry`, `gpus`.
    pub lacks: Features,
}

/// How the clock of a case runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// It jumps from one moment that something waits for to the next.
    Paused,
    /// As the wall's, and a case may take so long.
    Real(Duration),
}

/// Why there is no engine to test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unavailable {
    /// It is not here, and need not be: its cases are ignored.
    Ignored(String),
    /// It should be here: its cases fail.
    Failed(String),
}

/// How a case that did not fail ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It holds.
    Passed,
    /// It could not be tried, for this reason.
    Ignored(String),
}

type Run = dyn for<'a> Fn(&'a Harness) -> LocalBoxFuture<'a, Outcome> + Send + Sync;

/// Something that every backend must do.
#[derive(Clone)]
pub struct Case {
    name: String,
    needs: Vec<String>,
    exclusive: bool,
    run: Arc<Run>,
}

impl Case {
    /// The case `run`, named by a sentence below the name of its group: `containers::a_name_is_a_name`.
    pub fn new(
        name: impl Into<String>,
        run: impl for<'a> Fn(&'a Harness) -> LocalBoxFuture<'a, Outcome> + Send + Sync + 'static,
    ) -> Self {
        Self { name: name.into(), needs: Vec::new(), exclusive: false, run: Arc::new(run) }
    }

    /// Which the engine has to be able to do this for: a field, another name in
    /// [`Features`], or `update:` and a field that has to be changeable in place.
    pub fn needing(mut self, needs: &[&str]) -> Self {
        self.needs.extend(needs.iter().map(|need| (*need).to_owned()));
        self
    }

    /// Which runs while no other exclusive one runs, in this process.
    pub fn exclusive(mut self) -> Self {
        self.exclusive = true;
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Why it cannot be tried here.
    fn refusal(&self, ground: &Ground) -> Option<String> {
        let features = &ground.runtime.engine().features;
        self.needs.iter().find_map(|need| match need.strip_prefix("update:") {
            Some(field) if features.can_update(field) => None,
            Some(field) => Some(format!("{field} cannot be changed in place")),
            None => {
                let reason = features.refusal(need).or_else(|| ground.lacks.refusal(need))?;
                Some(format!("{need}: {reason}"))
            }
        })
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").field("name", &self.name).field("needs", &self.needs).finish_non_exhaustive()
    }
}

/// All `cases` on `subject`, each named `subject::group::sentence`.
pub fn trials(subject: &Arc<dyn Subject>, cases: Vec<Case>) -> Vec<Trial> {
    let trial = |case: Case| {
        let subject = Arc::clone(subject);
        Trial::ignorable_test(format!("{}::{}", subject.name(), case.name), move || {
            match run(&case, subject.as_ref()) {
                Ok(Outcome::Passed) => Ok(Completion::Completed),
                Ok(Outcome::Ignored(reason)) => Ok(Completion::ignored_with(reason)),
                Err(reason) => Err(Failed::from(reason)),
            }
        })
    };
    cases.into_iter().map(trial).collect()
}

/// Runs a case on a subject, and cleans up after it. A failed assertion goes on as the panic that it is.
pub fn run(case: &Case, subject: &dyn Subject) -> Result<Outcome, String> {
    static EXCLUSIVE: Mutex<()> = Mutex::new(());

    // Held over the whole case, from outside of its runtime: a paused clock would run away meanwhile.
    let _alone = case.exclusive.then(|| EXCLUSIVE.lock().unwrap_or_else(PoisonError::into_inner));
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().start_paused(subject.clock() == Clock::Paused);
    let runtime = builder.build().map_err(|error| error.to_string())?;
    runtime.block_on(run_inside(case, subject))
}

async fn run_inside(case: &Case, subject: &dyn Subject) -> Result<Outcome, String> {
    let ground = match subject.open().await {
        Ok(ground) => ground,
        Err(Unavailable::Ignored(reason)) => return Ok(Outcome::Ignored(reason)),
        Err(Unavailable::Failed(reason)) => return Err(reason),
    };
    if let Some(reason) = case.refusal(&ground) {
        return Ok(Outcome::Ignored(reason));
    }
    let harness = Harness::new(ground);
    let limit = match subject.clock() {
        Clock::Paused => Duration::from_hours(24),
        Clock::Real(limit) => limit,
    };
    let ended = AssertUnwindSafe(tokio::time::timeout(limit, (case.run)(&harness))).catch_unwind().await;
    let cleaned = harness.clean_up().await;
    match ended {
        Err(panic) => resume_unwind(panic),
        Ok(Err(_)) => Err(format!("it took longer than {limit:?}")),
        Ok(Ok(outcome)) => cleaned.map(|()| outcome).map_err(|leftover| leftover.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use kolla_container_core::memory::MemoryEngine;
    use kolla_container_core::state::ContainerFilter;
    use serde_json::json;

    use super::*;
    use crate::memory::furnish;

    /// An engine that outlives its cases, and refuses a field.
    #[derive(Clone, Debug)]
    struct Shared(MemoryEngine);

    #[async_trait]
    impl Subject for Shared {
        fn name(&self) -> String {
            "shared".to_owned()
        }

        fn clock(&self) -> Clock {
            Clock::Paused
        }

        async fn open(&self) -> Result<Ground, Unavailable> {
            let images = furnish(&self.0);
            Ok(Ground {
                runtime: Arc::new(self.0.clone()),
                supervisor: None,
                images,
                lacks: Features::all().without("gpus", "this machine has none"),
            })
        }
    }

    fn shared() -> Shared {
        Shared(MemoryEngine::new().without("tty", "it has no terminals"))
    }

    fn containers(shared: &Shared) -> usize {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(shared.0.containers(&ContainerFilter::default())).unwrap().len()
    }

    fn passing() -> Case {
        Case::new("group::passes", |_| Box::pin(async { Outcome::Passed }))
    }

    #[test]
    fn a_case_that_needs_what_the_engine_refuses_is_ignored_with_the_reason() {
        let outcome = |need: &str| run(&passing().needing(&[need]), &shared());

        assert_eq!(outcome("tty"), Ok(Outcome::Ignored("tty: it has no terminals".to_owned())));
        assert_eq!(outcome("gpus"), Ok(Outcome::Ignored("gpus: this machine has none".to_owned())));
        assert_eq!(outcome("update:tty"), Ok(Outcome::Ignored("tty cannot be changed in place".to_owned())));
        assert_eq!(outcome("update:restart"), Ok(Outcome::Passed));
        assert_eq!(outcome("user"), Ok(Outcome::Passed));
    }

    #[test]
    fn what_a_failed_case_has_made_is_removed() {
        let shared = shared();
        let case = Case::new("group::fails", |h| {
            Box::pin(async move {
                let volume = h.make_volume("data").await;
                let id =
                    h.start(&h.name("web"), &h.spec(json!({"mounts": [format!("{volume}:/data"), "/more"]}))).await;
                h.runtime().pause_container(&id).await.unwrap();
                panic!("on purpose");
            })
        });

        let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| run(&case, &shared)));

        assert!(outcome.is_err());
        assert_eq!(containers(&shared), 0);
        let removed = shared.0.writes().iter().filter(|line| line.starts_with("remove_volume")).count();
        assert_eq!(removed, 2);
    }

    #[test]
    fn a_case_that_waits_for_ever_fails() {
        let case = Case::new("group::hangs", |_| Box::pin(std::future::pending()));

        assert!(run(&case, &shared()).unwrap_err().contains("longer than"));
    }

    #[test]
    fn exclusive_cases_take_turns() {
        static INSIDE: AtomicUsize = AtomicUsize::new(0);
        let case = Case::new("group::alone", |_| {
            Box::pin(async {
                assert_eq!(INSIDE.fetch_add(1, Ordering::SeqCst), 0);
                std::thread::yield_now();
                INSIDE.fetch_sub(1, Ordering::SeqCst);
                Outcome::Passed
            })
        })
        .exclusive();

        std::thread::scope(|scope| {
            let all: Vec<_> = (0..4).map(|_| scope.spawn(|| run(&case, &shared()))).collect();
            for one in all {
                assert_eq!(one.join().unwrap(), Ok(Outcome::Passed));
            }
        });
    }

    #[test]
    fn no_two_cases_have_the_same_name() {
        let names: Vec<String> = crate::cases::all().iter().map(|case| case.name().to_owned()).collect();
        let different: std::collections::BTreeSet<&String> = names.iter().collect();

        assert_eq!(different.len(), names.len());
    }
}
