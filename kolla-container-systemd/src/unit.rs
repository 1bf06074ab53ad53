//! The text of a unit.
//!
//! Pure. No value can add a setting: each is escaped by the rules of the setting that it is in.

use kolla_container_core::spec::RestartPolicy;
use kolla_container_core::state::EngineKind;
use kolla_container_core::{Service, TimeSpan};

use crate::config::{Config, Scope};

/// The second line of each file that is ours.
pub(crate) const OURS: &str = "# Written by kolla-container, which replaces what is changed here: use a drop-in.";

/// How long an engine lets a container stop unless something else is stated.
const STOP_TIMEOUT: TimeSpan = TimeSpan::from_secs(10);

/// What the engine's command may take on top of that, before systemd kills it.
const TO_STOP: u64 = 30;

/// The unit of `service`, and its drop-ins, one below the other, each with its name in a comment, as `systemctl cat`
/// prints them.
pub(crate) fn render(service: &Service, config: &Config) -> String {
    let unit = config.unit_name(&service.container);
    let mut files = vec![file(&unit, &main(service, config, &unit))];
    let mut drop_ins: Vec<_> = config.drop_ins.iter().map(|(name, text)| (drop_in(&unit, name), text)).collect();
    // As they are read, and as systemd reads them.
    drop_ins.sort();
    files.extend(drop_ins.iter().map(|(name, text)| file(name, &with_end(text))));
    files.join("\n")
}

/// The name of a drop-in, from the folder of the units.
pub(crate) fn drop_in(unit: &str, name: &str) -> String {
    format!("{unit}.d/{name}.conf")
}

/// What is written into a file of that name.
pub(crate) fn file(name: &str, text: &str) -> String {
    format!("# {name}\n{OURS}\n{text}")
}

fn with_end(text: &str) -> String {
    format!("{}\n", text.trim_end())
}

/// The files that a text consists of, by their names from the folder of the units.
pub(crate) fn files<'a>(unit: &'a str, text: &'a str) -> Vec<(&'a str, &'a str)> {
    let mut files = Vec::new();
    let (mut name, mut rest) = (unit, text);
    while let Some((at, next)) = next_file(unit, rest) {
        let (this, others) = rest.split_at(at);
        files.push((name, this.strip_suffix('\n').unwrap_or(this)));
        (name, rest) = (next, others);
    }
    files.push((name, rest));
    files
}

/// Where the next drop-in begins, after an empty line, and its name.
fn next_file<'a>(unit: &str, text: &'a str) -> Option<(usize, &'a str)> {
    text.match_indices("\n\n# ").find_map(|(at, _)| {
        let line = text.get(at + 4..)?.lines().next()?;
        let second = text.get(at + 4 + line.len() + 1..)?.lines().next()?;
        let is_drop_in = line.strip_prefix(unit).is_some_and(|rest| rest.starts_with(".d/"));
        (is_drop_in && second == OURS).then_some((at + 2, line))
    })
}

fn main(service: &Service, config: &Config, unit: &str) -> String {
    let Service { container, engine, .. } = service;
    let program = config.program.clone().unwrap_or_else(|| format!("/usr/bin/{engine}"));
    let program = word(&program);
    let mut text = Text::default();
    unit_section(&mut text, service, config, unit);
    text.section("Service");
    for (name, value) in &config.environment {
        text.set("Environment", &word(&format!("{name}={value}")));
    }
    text.set("ExecStart", &format!("{program} start -a {container}"));
    text.set("ExecStop", &format!("{program} stop -t {} {container}", grace(service)));
    restart_settings(&mut text, service);
    install_section(&mut text, config);
    text.0
}

/// What it is, what is started before, and how often it is started.
pub(crate) fn unit_section(text: &mut Text, service: &Service, config: &Config, unit: &str) {
    let Service { engine, start_limit, .. } = service;
    text.section("Unit").set("Description", &specifiers(&format!("{engine} {unit}")));
    for before in engines(*engine, config.scope).iter().copied().chain(config.after.iter().map(String::as_str)) {
        text.set("After", before).set("Wants", before);
    }
    text.set("PartOf", &config.target_name())
        .set("StartLimitIntervalSec", &start_limit.interval.as_duration().as_secs().to_string())
        .set("StartLimitBurst", &start_limit.burst.to_string());
}

/// When and how fast it is started again, and how long it may take to stop.
pub(crate) fn restart_settings(text: &mut Text, service: &Service) {
    // Clamped where core has refused the container before.
    let delay = service.restart_delay().map_or(1, |delay| delay.as_duration().as_secs());
    text.set("TimeoutStopSec", &(grace(service) + TO_STOP).to_string())
        .set("Restart", policy(service.restart))
        .set("RestartSec", &delay.to_string())
        .set("SuccessExitStatus", "143");
}

/// With what it starts.
pub(crate) fn install_section(text: &mut Text, config: &Config) {
    let wanted_by = match config.scope {
        Scope::System => "multi-user.target",
        Scope::User => "default.target",
    };
    text.section("Install").set("WantedBy", wanted_by);
}

/// How long the container may take to stop, in whole seconds.
fn grace(service: &Service) -> u64 {
    let grace = service.stop_timeout.unwrap_or(STOP_TIMEOUT).as_duration();
    grace.as_secs() + u64::from(grace.subsec_nanos() > 0)
}

/// The target that the units are a part of, as a file.
pub(crate) fn target(config: &Config) -> String {
    let name = config.target_name();
    let mut text = Text::default();
    text.section("Unit").set("Description", &specifiers(&format!("containers of {name}")));
    install_section(&mut text, config);
    file(&name, &text.0)
}

/// What is started before; a user's service manager knows nothing of the machine's units.
fn engines(engine: EngineKind, scope: Scope) -> &'static [&'static str] {
    match (engine, scope) {
        (EngineKind::Docker, _) => &["docker.service"],
        (EngineKind::Podman, Scope::System) => &["network-online.target"],
        _ => &[],
    }
}

fn policy(restart: RestartPolicy) -> &'static str {
    match restart {
        RestartPolicy::No => "no",
        RestartPolicy::OnFailure(_) => "on-failure",
        RestartPolicy::Always | RestartPolicy::UnlessStopped => "always",
    }
}

/// How a unit starts its container.
pub(crate) fn start_lines(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.starts_with("ExecStart=")).collect()
}

/// A unit that is being written.
#[derive(Default)]
pub(crate) struct Text(pub(crate) String);

impl Text {
    pub(crate) fn section(&mut self, name: &str) -> &mut Self {
        let gap = if self.0.is_empty() { "" } else { "\n" };
        self.0.extend([gap, "[", name, "]\n"]);
        self
    }

    pub(crate) fn set(&mut self, key: &str, value: &str) -> &mut Self {
        self.0.extend([key, "=", value, "\n"]);
        self
    }
}

/// A text in which nothing stands for something else, on one line.
fn specifiers(text: &str) -> String {
    text.replace('%', "%%").replace(char::is_control, " ")
}

/// One argument of a command, in which no variable of systemd's is looked up.
pub(crate) fn argument(text: &str) -> String {
    word(text).replace('$', "$$")
}

/// One word of a command, or one variable of an environment.
fn word(text: &str) -> String {
    let is_plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.' | '=' | ':' | ',' | '@' | '+');
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    let escaped: String = text.chars().map(escaped).collect();
    format!("\"{escaped}\"")
}

fn escaped(c: char) -> String {
    match c {
        '"' | '\\' => format!("\\{c}"),
        '%' => "%%".to_owned(),
        '\n' => "\\n".to_owned(),
        '\t' => "\\t".to_owned(),
        c if c.is_control() => {
            let mut bytes = [0; 4];
            c.encode_utf8(&mut bytes).bytes().map(|byte| format!("\\x{byte:02x}")).collect::<Vec<_>>().concat()
        }
        c => c.to_string(),
    }
}
