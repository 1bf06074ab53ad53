//! How far an apply is, for whoever waits: bars on a terminal, lines elsewhere. Always on the standard error.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use kolla_container_core::apply::{ContainerReport, Event, Listener};
use kolla_container_core::{ContainerName, Plan};

use examples::console;

/// Shows how far an apply is.
#[derive(Debug)]
pub(crate) enum Progress {
    Bars(Bars),
    Lines(Lines),
}

impl Progress {
    /// For the standard error of this process, whatever it is.
    pub(crate) fn of(plan: &Plan) -> Self {
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
        let total = plan.containers.iter().filter(|container| !container.is_empty()).count();
        if std::io::stderr().is_terminal() && !is_dumb {
            let widest = plan.containers.iter().map(|container| container.name.as_str().len()).max();
            Self::Bars(Bars::new(total, widest.unwrap_or_default()))
        } else {
            Self::Lines(Lines { total, done: AtomicUsize::new(0) })
        }
    }

    /// Says something besides.
    pub(crate) fn say(&self, line: &str) {
        match self {
            Self::Bars(bars) => bars.say(line),
            Self::Lines(_) => console::say(line),
        }
    }

    /// Takes away what would be in the way of the summary.
    pub(crate) fn finish(&self) {
        if let Self::Bars(bars) = self {
            bars.overall.finish_and_clear();
            let _ = bars.all.clear();
        }
    }
}

impl Listener for Progress {
    fn event(&self, event: &Event<'_>) {
        match self {
            Self::Bars(bars) => bars.event(event),
            Self::Lines(lines) => lines.event(event),
        }
    }
}

/// A bar for all, and above it a line for each container that is under way.
#[derive(Debug)]
pub(crate) struct Bars {
    all: MultiProgress,
    overall: ProgressBar,
    /// What the line of a container looks like.
    template: String,
    under_way: Mutex<BTreeMap<ContainerName, ProgressBar>>,
}

impl Bars {
    fn new(total: usize, widest: usize) -> Self {
        let all = MultiProgress::new();
        let overall = all.add(ProgressBar::new(total.try_into().unwrap_or(u64::MAX)));
        overall.set_style(style("[{bar:30}] {pos} of {len} containers, {elapsed}").progress_chars("=> "));
        overall.enable_steady_tick(Duration::from_millis(200));
        let template = format!("  {{prefix:{}!}}  {{wide_msg}}", widest.clamp(1, 40));
        Self { all, overall, template, under_way: Mutex::default() }
    }

    fn say(&self, line: &str) {
        if self.all.println(line).is_err() {
            console::say(line);
        }
    }

    /// What is being done to a container now.
    fn show(&self, container: &ContainerName, what: String) {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let bar = under_way.entry(container.clone()).or_insert_with(|| {
            let bar = self.all.insert_before(&self.overall, ProgressBar::no_length());
            bar.set_style(style(&self.template));
            bar.set_prefix(container.to_string());
            bar
        });
        bar.set_message(what);
    }

    fn done(&self, report: &ContainerReport) {
        if is_counted(report) {
            self.overall.inc(1);
        }
        let bar = self.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&report.name);
        if let Some(bar) = bar {
            bar.finish_and_clear();
            self.all.remove(&bar);
        }
        if !report.is_success() {
            self.say(&line(report));
        }
    }

    fn event(&self, event: &Event<'_>) {
        match event {
            Event::StepStarted { container, step, number, of } => self.show(container, format!("{number}/{of} {step}")),
            Event::Pull { container, image, progress } => {
                let part = match progress.current().saturating_mul(100).checked_div(progress.total()) {
                    Some(percent) => format!("{percent} %"),
                    None => progress.status().to_owned(),
                };
                let (here, layers) = progress.layers_here();
                self.show(container, format!("pull {}: {part}, {here} of {layers} layers", image.familiar()));
            }
            Event::StepFailed { container, step, .. } => self.show(container, format!("failed: {step}")),
            Event::Undoing { container, action } => self.show(container, format!("putting back: {action}")),
            Event::ContainerDone { report } => self.done(report),
            _ => {}
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// A line for each container that was dealt with.
#[derive(Debug)]
pub(crate) struct Lines {
    total: usize,
    done: AtomicUsize,
}

impl Lines {
    fn event(&self, event: &Event<'_>) {
        if let Event::ContainerDone { report } = event
            && is_counted(report)
        {
            let done = self.done.fetch_add(1, Ordering::Relaxed).saturating_add(1);
            console::say(&format!("[{done}/{}] {}", self.total, line(report)));
        }
    }
}

/// Whether there was anything to do about it.
fn is_counted(report: &ContainerReport) -> bool {
    !report.steps.is_empty() || !report.is_success()
}

fn line(report: &ContainerReport) -> String {
    match &report.outcome {
        Ok(()) => {
            let took: Duration = report.steps.iter().map(|step| step.took).sum();
            format!("{}: {} in {:.1} s", report.name, report.effect, took.as_secs_f64())
        }
        Err(error) => format!("{}: failed: {error}", report.name),
    }
}
