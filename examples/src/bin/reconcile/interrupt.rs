//! Ctrl-C: the first one asks to stop, the second one drops everything.

use std::io;

use kolla_container_core::StopSignal;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::progress::Progress;

const STOPPING: &str = "stopping: the current step ends, then what was begun is put back; \
                        press Ctrl-C again to drop everything";

/// The wishes of whoever started the program that it ends. A request to terminate counts as Ctrl-C.
#[derive(Debug)]
pub(crate) struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupts {
    /// From now on they are told to [`twice`](Self::twice), instead of ending the program.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Gives `stop` at the first one, and returns at the second one.
    pub(crate) async fn twice(mut self, stop: &StopSignal, progress: &Progress) {
        self.next().await;
        progress.say(STOPPING);
        stop.stop();
        self.next().await;
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use kolla_container_core::Plan;

    use super::*;

    fn send(signal: &str) {
        let sent = std::process::Command::new("kill").args([signal, &std::process::id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    #[tokio::test]
    async fn the_first_asks_to_stop_and_the_second_drops_everything() {
        let stop = StopSignal::new();
        let (interrupts, given) = (Interrupts::listen().unwrap(), stop.clone());
        let twice = tokio::spawn(async move { interrupts.twice(&given, &Progress::of(&Plan::default())).await });
        assert!(!stop.is_given());

        send("-INT");
        stop.given().await;
        assert!(!twice.is_finished());

        send("-TERM");
        twice.await.unwrap();
    }
}
