//! Two programs replace one container at the same time, and want it to be different things.

use kolla_container_core::state::EngineKind;
use kolla_container_testkit::Harness;
use serde_json::json;

use crate::lanes::until_it_is_over;
use crate::program::Ran;
use crate::proxy::{Moment, Proxy, nth_look, nth_write};
use crate::subject::Subject;

/// How many requests change something at least.
const WRITES: usize = 5;

/// How many requests look at least.
const LOOKS: usize = 10;

/// How often two programs are let go at the same moment. Podman, which takes its time, is asked less often.
fn rounds(h: &Harness) -> usize {
    if h.runtime().engine().kind == EngineKind::Podman { 4 } else { 16 }
}

pub(crate) async fn one_that_is_held_up_at_any_write_and_another_one_lose_nothing(h: &Harness) {
    until_it_is_over(h, WRITES, async |subject, nth| held_up(subject, nth, nth_write(nth, Moment::Before)).await).await;
}

pub(crate) async fn one_that_is_held_up_at_any_look_and_another_one_lose_nothing(h: &Harness) {
    until_it_is_over(h, LOOKS, async |subject, nth| held_up(subject, nth, nth_look(nth)).await).await;
}

pub(crate) async fn of_two_that_make_the_new_container_at_the_same_moment_one_wins(h: &Harness) {
    let rounds = rounds(h);
    until_it_is_over(h, rounds, async |subject, nth| {
        if nth > rounds {
            return None;
        }
        at_one_moment(subject, nth).await;
        Some(())
    })
    .await;
}

pub(crate) async fn the_one_that_loses_says_that_another_run_is_at_work(h: &Harness) {
    let mut subject = Subject::new(h, "web").await;
    let said = at_one_moment(&mut subject, 1).await;
    assert!(said.contains("another run"), "{said}");
}

/// One is held up where `rule` says, meanwhile another one runs from its beginning to its end.
async fn held_up(
    subject: &mut Subject<'_>,
    nth: usize,
    rule: impl FnMut(&str) -> Option<Moment> + Send + 'static,
) -> Option<()> {
    let before = subject.alone().await;
    let data = format!("before-{nth}");
    subject.write(&before.id, &data).await;
    let slow = subject.other(json!({"environment": {"WHO": "slow"}}));
    let fast = subject.other(json!({"environment": {"WHO": "fast"}}));

    let program = subject.program();
    let mut proxy = Proxy::start(&program.socket(), rule).unwrap();
    let mut running = program.at(proxy.address()).begin("apply", &slow, &[]).await;
    let held = tokio::select! {
        held = proxy.held() => held,
        _ = running.ended() => return None,
    };
    let at = format!("held at {}", held.request);
    let other = program.run("apply", &fast, &[]).await;
    subject.assert_nothing_is_lost(&before, &at).await;
    held.go();
    let one = running.output().await;

    assert!(has_won(&one) || has_won(&other), "{at}: {} {}", one.failures(), other.failures());
    // It was the last to do something.
    subject.becomes(if has_won(&one) { slow } else { fast });
    let after = subject.alone().await;
    subject.assert_data(&after.id, &data).await;
    Some(())
}

/// Two are held where they are about to make the new container, and let go together; answers what the loser says.
async fn at_one_moment(subject: &mut Subject<'_>, nth: usize) -> String {
    let before = subject.alone().await;
    let data = format!("before-{nth}");
    subject.write(&before.id, &data).await;
    let wanted = ["one", "two"].map(|who| subject.other(json!({"environment": {"WHO": who}})));

    let creates = |request: &str| request.contains("/containers/create").then_some(Moment::Before);
    let program = subject.program();
    let mut proxies = [(); 2].map(|()| Proxy::start(&program.socket(), creates).unwrap());
    let one = program.at(proxies[0].address()).begin("apply", &wanted[0], &[]).await;
    let two = program.at(proxies[1].address()).begin("apply", &wanted[1], &[]).await;
    let [proxy_one, proxy_two] = &mut proxies;
    let (held_one, held_two) = tokio::join!(proxy_one.held(), proxy_two.held());
    if nth.is_multiple_of(2) {
        held_one.go();
        held_two.go();
    } else {
        held_two.go();
        held_one.go();
    }
    let (one, two) = tokio::join!(one.output(), two.output());

    assert!(has_won(&one) != has_won(&two), "{} {}", one.failures(), two.failures());
    let [wanted_one, wanted_two] = wanted;
    let (winner, loser) = if has_won(&one) { (wanted_one, two) } else { (wanted_two, one) };
    subject.becomes(winner);
    let after = subject.alone().await;
    subject.assert_data(&after.id, &data).await;
    loser.failures()
}

/// Whether a run has won; one that has not has met another one.
fn has_won(ran: &Ran) -> bool {
    match ran.code {
        Some(0) => true,
        Some(1) => {
            let said = ran.failures();
            assert!(said.contains("another run") || said.contains("in conflict with something else"), "{said}");
            false
        }
        _ => panic!("{ran:?}"),
    }
}
