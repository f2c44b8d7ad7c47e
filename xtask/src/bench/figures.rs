//! Figures of whole processes, and their table.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use serde_json::Value;

/// For GNU time: wall, user and system seconds, peak memory in KiB.
pub(super) const FORMAT: &str = "figures %e %U %S %M";

/// One run of a command.
#[derive(Debug, Clone, Default)]
pub(super) struct Measured {
    /// Seconds.
    pub(super) wall: f64,
    /// Seconds, user and system.
    cpu: f64,
    /// MB, the largest single process.
    memory: f64,
    /// MB sent to each host, in the order of their names.
    sent: Vec<f64>,
    /// Seconds inside `kubeadm init`, and inside the longest `kubeadm join`.
    waits: Option<(f64, f64)>,
}

/// Runs it and reads its figures, and the events it printed if it printed any.
pub(super) fn measure(command: &mut Command) -> anyhow::Result<Measured> {
    let output = command.output().context("cannot run `time`")?;
    let errors = String::from_utf8_lossy(&output.stderr);
    let printed = String::from_utf8_lossy(&output.stdout);
    let failures: Vec<&str> = printed.lines().filter(|line| line.contains("\"failed\"")).collect();
    let told = failures.join("\n");
    anyhow::ensure!(output.status.success(), "{command:?} ended with {}:\n{told}\n{errors}", output.status);
    let line = errors.lines().rev().find_map(|line| line.strip_prefix("figures "));
    let numbers: Vec<f64> =
        line.unwrap_or_default().split(' ').filter_map(|number| number.parse().ok()).collect();
    let [wall, user, system, memory] = numbers[..] else {
        anyhow::bail!("`time` printed no figures:\n{errors}");
    };
    let mut measured =
        Measured { wall, cpu: user + system, memory: memory * 1024.0 / 1e6, ..Measured::default() };
    measured.events(&printed);
    Ok(measured)
}

impl Measured {
    /// MB, the largest single process.
    pub(super) fn memory(&self) -> f64 {
        self.memory
    }

    fn events(&mut self, text: &str) {
        let (mut init, mut join) = (0.0_f64, 0.0_f64);
        for event in text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
            let number = |key: &str| event.get(key).and_then(Value::as_f64).unwrap_or_default();
            let word = |key: &str| event.get(key).and_then(Value::as_str).unwrap_or_default();
            match (word("event"), word("step")) {
                ("host_finished", _) if word("host") != "cluster" => {
                    self.sent.push(number("bytes_sent") / 1e6);
                }
                ("step_finished", "control-plane/2") => init = number("milliseconds") / 1e3,
                ("step_finished", "worker/4") => join = join.max(number("milliseconds") / 1e3),
                _ => {}
            }
        }
        self.waits = (init > 0.0).then_some((init, join));
    }
}

/// The middle one.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Rows, as they come.
#[derive(Default)]
pub(super) struct Figures {
    floor: f64,
    rows: String,
}

impl Figures {
    /// `ssh host true`.
    pub(super) fn floor(&mut self, seconds: f64) {
        self.floor = seconds;
    }

    /// Runs of one kind; their median.
    pub(super) fn row(&mut self, name: &str, runs: &[Measured]) {
        let of = |figure: fn(&Measured) -> f64| median(runs.iter().map(figure).collect());
        let waits: Vec<(f64, f64)> = runs.iter().filter_map(|run| run.waits).collect();
        let floor = if waits.is_empty() {
            format!("`ssh host true` {:.2} s", self.floor)
        } else {
            let init = median(waits.iter().map(|wait| wait.0).collect());
            let join = median(waits.iter().map(|wait| wait.1).collect());
            format!("init {init:.1} s + join {join:.1} s")
        };
        let sent = runs.first().map(|run| {
            let hosts: Vec<String> = run.sent.iter().map(|sent| format!("{sent:.1}")).collect();
            hosts.join(" / ")
        });
        let row = format!(
            "| {name} | {:.2} | {:.2} | {:.0} | {} | {floor} | {} |",
            of(|run| run.wall),
            of(|run| run.cpu),
            of(|run| run.memory),
            sent.unwrap_or_default(),
            runs.len(),
        );
        // Said at once: a later measurement that fails does not take it along.
        crate::stopwatch::say(&row);
        let _ = writeln!(self.rows, "{row}");
    }

    /// The table, in Markdown.
    pub(super) fn table(&self, agent_megabytes: f64) -> String {
        let kubespray = "kubespray on the same kind of bench: cold 218 s, second run 198 s, reset 65 s, controller CPU 174 s.";
        format!(
            "| what | wall, s | CPU, s | peak memory, MB | sent, MB a host | floor | runs |\n|---|---|---|---|---|---|---|\n{}\n\
             Agent: {:.2} MB. {kubespray}\n",
            self.rows, agent_megabytes,
        )
    }
}

/// Size of the agent for this machine's architecture as it is embedded, in MB.
#[expect(clippy::cast_precision_loss, reason = "shown with two digits")]
pub(super) fn agent_megabytes(folder: &Path) -> anyhow::Result<f64> {
    // Built for musl where Rust has it, else with this machine's own libc.
    for libc in ["musl", "gnu"] {
        let target = format!("{}-unknown-linux-{libc}", std::env::consts::ARCH);
        let path = folder.join(target).join("agent/garboard-agent");
        if path.is_file() {
            return Ok(fs_err::metadata(path)?.len() as f64 / 1e6);
        }
    }
    anyhow::bail!("there is no agent below `{}`", folder.display())
}
