//! `cargo xtask bench agent`: size, start and memory of both agents. The one for the other architecture runs under user
//! emulation: its time and memory are the emulator's as well, and the table says so.

use std::fmt::Write as _;
use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use flate2::read::ZlibDecoder;

use super::figures::{self, measure, median};
use crate::agents::{self, Agent};
use crate::stopwatch::say;

/// Calls of each agent and of the floor; they take turns, so that what else the machine does falls on all alike.
pub(super) fn table(rounds: usize) -> anyhow::Result<String> {
    let agents = agents::all()?;
    let mut rows = agents.iter().map(Row::of).collect::<anyhow::Result<Vec<_>>>()?;
    let mut floor = Vec::new();
    for round in 0..rounds {
        say(&format!("      round {} of {rounds}", round + 1));
        floor.push(milliseconds(took(&mut Command::new("true"))?));
        for row in &mut rows {
            row.measure()?;
        }
    }
    let floor = median(floor);
    let mut text = "| agent for | size, bytes | compressed, bytes | unpacked in, ms | `facts`, ms | times `true` | peak memory, MB | runs |\n\
                    |---|---|---|---|---|---|---|---|\n"
        .to_owned();
    for row in rows {
        let facts = median(row.facts);
        let emulated = if row.emulated { ", emulated" } else { "" };
        writeln!(
            text,
            "| {}{emulated} | {} | {} | {:.1} | {facts:.1} | {:.1} | {:.1} | {rounds} |",
            row.agent.architecture,
            row.agent.bytes().len(),
            row.packed.len(),
            median(row.unpacked),
            facts / floor,
            median(row.memory),
        )?;
    }
    writeln!(text, "\n`facts`: from its start to its end, medians. `true` of this machine: {floor:.1} ms.")?;
    Ok(text)
}

struct Row<'a> {
    agent: &'a Agent,
    emulated: bool,
    packed: Vec<u8>,
    unpacked: Vec<f64>,
    facts: Vec<f64>,
    /// MB; where it is emulated, the emulator's too.
    memory: Vec<f64>,
}

impl<'a> Row<'a> {
    fn of(agent: &'a Agent) -> anyhow::Result<Self> {
        Ok(Self {
            agent,
            emulated: agent.architecture != std::env::consts::ARCH,
            packed: agents::packed(agent)?,
            unpacked: Vec::new(),
            facts: Vec::new(),
            memory: Vec::new(),
        })
    }

    fn measure(&mut self) -> anyhow::Result<()> {
        let begun = Instant::now();
        let mut program = Vec::new();
        ZlibDecoder::new(&self.packed[..]).read_to_end(&mut program)?;
        self.unpacked.push(milliseconds(begun.elapsed()));
        anyhow::ensure!(program == self.agent.bytes(), "what was unpacked is another program");
        self.facts.push(milliseconds(took(&mut self.call(None))?));
        self.memory.push(measure(&mut self.call(Some(figures::FORMAT)))?.memory());
        Ok(())
    }

    /// `facts`, below GNU time if a format is given.
    fn call(&self, format: Option<&str>) -> Command {
        let mut words: Vec<String> = Vec::new();
        if let Some(format) = format {
            words.extend(["time", "--quiet", "--format", format].map(str::to_owned));
        }
        if self.emulated {
            words.push(format!("qemu-{}-static", self.agent.architecture));
        }
        words.push(self.agent.path.display().to_string());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).arg("facts");
        command
    }
}

/// From its start to its end; it has to end well.
fn took(command: &mut Command) -> anyhow::Result<Duration> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let begun = Instant::now();
    let status = command.status()?;
    let took = begun.elapsed();
    anyhow::ensure!(status.success(), "{command:?} ended with {status}");
    Ok(took)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
