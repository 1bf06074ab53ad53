//! The program on a real engine: `testbed/run` starts one, and sets `KOLLA_TEST_DOCKER`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests: what is not as it should be fails them"
)]

mod kill;
mod lanes;
mod main_job;
mod program;
mod proxy;
mod subject;
mod together;

use std::process::ExitCode;
use std::sync::Arc;

use kolla_container_core::state::Features;
use kolla_container_core::{Error, ErrorKind, Runtime};
use kolla_container_docker::{Connection, Docker};
use kolla_container_testkit::{Case, Live, Outcome, Subject, trials};

/// Where the engine listens.
const ENGINE: &str = "KOLLA_TEST_DOCKER";

/// More than there are processors: the program waits for the engine most of the time.
const THREADS: usize = 8;

/// The story `run`, told by its name.
macro_rules! stories {
    ($($group:ident: $($run:ident)+;)+) => {
        vec![$($(
            Case::new(concat!(stringify!($group), "::", stringify!($run)), |h| {
                Box::pin(async move {
                    $group::$run(h).await;
                    Outcome::Passed
                })
            }),
        )+)+]
    };
}

fn main() -> ExitCode {
    let mut arguments = libtest_mimic::Arguments::from_args();
    arguments.test_threads.get_or_insert(THREADS);
    let docker: Arc<dyn Subject> = Arc::new(Live {
        name: "docker",
        variable: ENGINE,
        connect: |address| {
            Box::pin(async move {
                let refused = |error| Error::new(ErrorKind::Rejected, "read the address", &address).caused_by(error);
                let connection: Connection = address.parse().map_err(refused)?;
                Ok(Arc::new(Docker::connect(&connection).await?) as Arc<dyn Runtime>)
            })
        },
        lacks: Features::all(),
    });
    let stories = stories! {
        kill:
            a_replacement_killed_before_any_write_is_made_good
            a_replacement_killed_during_any_write_is_made_good
            a_replacement_killed_after_any_write_is_made_good
            a_replacement_killed_at_any_look_is_made_good
            an_undo_killed_before_any_write_is_made_good
            an_undo_killed_during_any_write_is_made_good
            an_undo_killed_after_any_write_is_made_good
            an_undo_killed_at_any_look_is_made_good;
        together:
            one_that_is_held_up_at_any_write_and_another_one_lose_nothing
            one_that_is_held_up_at_any_look_and_another_one_lose_nothing
            of_two_that_make_the_new_container_at_the_same_moment_one_wins
            the_one_that_loses_says_that_another_run_is_at_work;
        main_job:
            three_containers_are_planned_applied_planned_again_and_removed
            documents_say_which_engine_it_was_and_what_was_done
            a_changed_line_is_one_change_that_is_applied
            a_joined_container_follows_when_the_other_one_is_replaced
            what_is_exported_needs_nothing_to_be_done
            the_engine_is_found_through_docker_host
            who_is_no_engine_is_told_apart_from_one
            somebody_elses_container_is_judged_by_what_it_is
            somebody_elses_container_in_the_way_of_a_replacement_is_left_alone
            ctrl_c_puts_the_old_container_back
            ctrl_c_twice_drops_everything_and_the_next_run_puts_it_right;
    };
    libtest_mimic::run(&arguments, trials(&docker, stories)).exit_code()
}
