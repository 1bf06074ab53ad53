//! The program on real engines: `testbed/run` starts them, and sets `KOLLA_TEST_DOCKER`, `KOLLA_TEST_PODMAN` and
//! `KOLLA_TEST_SYSTEMD`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests: what is not as it should be fails them"
)]

mod ansible;
mod between;
mod engines;
mod kill;
mod lanes;
mod main_job;
mod program;
mod proxy;
mod pulling;
mod subject;
mod supervised;
mod together;

use std::process::ExitCode;

use kolla_container_testkit::{Case, Outcome, trials};

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

/// What is told of each engine.
fn stories() -> Vec<Case> {
    stories! {
        kill:
            a_replacement_killed_before_any_write_is_made_good
            a_replacement_killed_during_any_write_is_made_good
            an_undo_killed_before_any_write_is_made_good
            an_undo_killed_during_any_write_is_made_good
            a_stop_under_way_is_over_before_the_old_container_is_left_to_run
            a_stop_under_way_of_one_that_removes_itself_costs_no_data
            a_new_container_that_is_being_stopped_is_not_taken_for_one_that_is_well;
        together:
            one_that_is_held_up_at_any_write_and_another_one_lose_nothing
            of_two_that_make_the_new_container_at_the_same_moment_one_wins
            the_one_that_loses_says_that_another_run_is_at_work;
        main_job:
            three_containers_are_planned_applied_planned_again_and_removed
            documents_say_which_engine_it_was_and_what_was_done
            a_changed_line_is_one_change_that_is_applied
            a_joined_container_follows_when_the_other_one_is_replaced
            what_is_exported_needs_nothing_to_be_done
            the_engine_is_found_through_its_variable_and_by_who_answers
            who_is_no_engine_is_told_apart_from_one
            somebody_elses_container_is_judged_by_what_it_is
            somebody_elses_container_in_the_way_of_a_replacement_is_left_alone
            ctrl_c_puts_the_old_container_back
            ctrl_c_twice_drops_everything_and_the_next_run_puts_it_right;
        pulling:
            many_images_are_pulled_and_those_that_fail_are_named
            a_password_is_read_and_shown_nowhere
            kolla_ansibles_module_pulls_as_whoever_has_logged_in
            a_new_version_is_pulled_before_the_plan_where_that_is_asked_for;
    }
}

/// What is told of Docker only, which is the faster one: what a kill after a write or at a look leaves behind is what
/// one before the next write leaves behind, too.
fn more_cuts() -> Vec<Case> {
    stories! {
        kill:
            a_replacement_killed_after_any_write_is_made_good
            a_replacement_killed_at_any_look_is_made_good
            an_undo_killed_after_any_write_is_made_good
            an_undo_killed_at_any_look_is_made_good;
        together:
            one_that_is_held_up_at_any_look_and_another_one_lose_nothing;
    }
}

/// What is told of Podman only, which does not report everything.
fn unreported() -> Vec<Case> {
    stories! {
        main_job:
            what_was_stated_and_cannot_be_exported_is_named;
    }
}

/// What is told of a machine with systemd.
fn with_systemd() -> Vec<Case> {
    stories! {
        supervised:
            five_services_are_kept_under_units_from_the_first_run_to_the_last
            a_supervised_replacement_killed_at_any_write_is_made_good;
        ansible:
            a_service_is_deployed_reconfigured_stopped_and_destroyed
            a_bootstrap_tells_how_it_ended_and_volumes_and_images_are_dealt_with
            a_signal_puts_back_what_was_begun
            the_unit_of_the_python_module_is_taken_over
            facts_are_the_engines_own_documents
            a_check_writes_nothing_and_says_what_would_be
            what_ansible_writes_otherwise_is_read_the_same
            no_secret_is_in_the_answer_of_a_failing_call;
    }
}

fn main() -> ExitCode {
    let mut arguments = libtest_mimic::Arguments::from_args();
    arguments.test_threads.get_or_insert(THREADS);
    let mut all = trials(&engines::docker(), [stories(), more_cuts()].concat());
    all.extend(trials(&engines::podman(), [stories(), unreported(), between::cases()].concat()));
    for subject in [engines::systemd_with_docker(), engines::systemd_with_podman()] {
        all.extend(trials(&subject, with_systemd()));
    }
    libtest_mimic::run(&arguments, all).exit_code()
}
