//! A story that is told again and again, with something else each time, until there is nothing left to try.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use futures_util::future::join_all;
use kolla_container_core::state::EngineKind;
use kolla_container_testkit::Harness;

use crate::subject::Subject;

/// How many containers are dealt with at the same time. Podman has one lock for much of what it does.
fn lanes(h: &Harness) -> usize {
    if h.runtime().engine().kind == EngineKind::Podman { 2 } else { 4 }
}

/// Tries the numbers from 1 on, until `attempt` answers none: that one was too high. At the end it fails with all that
/// failed, or when there were not more than `least`.
pub(crate) async fn until_it_is_over(
    h: &Harness,
    least: usize,
    attempt: impl AsyncFn(&mut Subject<'_>, usize) -> Option<()>,
) {
    let tried = Cell::new(0);
    let is_over = Cell::new(false);
    let failures = RefCell::new(Vec::new());
    let lane = async |lane: usize| {
        let mut subject = Subject::new(h, &format!("lane{lane}")).await;
        while !is_over.get() {
            let number = tried.get() + 1;
            tried.set(number);
            match AssertUnwindSafe(attempt(&mut subject, number)).catch_unwind().await {
                Ok(Some(())) => {}
                Ok(None) => is_over.set(true),
                Err(panic) => {
                    failures.borrow_mut().push(format!("{number}: {}", message(&*panic)));
                    subject = Subject::new(h, &format!("after{number}")).await;
                }
            }
        }
    };
    join_all((0..lanes(h)).map(lane)).await;
    let failures = failures.take();
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), tried.get(), failures.join("\n"));
    assert!(tried.get() > least, "there were only {}", tried.get());
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it has no message")
}
