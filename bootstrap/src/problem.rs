//! What went wrong, for whom, and what to do: the one error type every command ends with.

use garboard_inventory::{Diagnostic, Diagnostics};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Exit codes; see the table in `docs/exit-codes.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// Done, or already converged.
    Done = 0,
    /// Failed; a re-run is safe.
    Failed = 1,
    /// Wrong usage or an invalid inventory.
    Usage = 2,
    /// Refused by preflight; nothing was changed.
    Refused = 3,
    /// `plan`: changes pending; `reset --verify`: something is left.
    Pending = 4,
    /// Needs a person; the text says what.
    NeedsPerson = 5,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// One failure, told completely.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// What the command's exit code becomes; of several problems the highest wins.
    pub exit: Exit,
    /// The host, when it is one host's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The step, when one was at work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// What happened, in one sentence.
    pub message: String,
    /// Why, outermost first.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub causes: Vec<String>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl Problem {
    /// A problem with only a message.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, host: None, step: None, message: message.into(), causes: Vec::new(), help: None }
    }

    /// From an error and its sources.
    pub fn from_error(exit: Exit, error: &dyn std::error::Error) -> Self {
        let mut problem = Self::new(exit, error.to_string());
        let mut source = error.source();
        while let Some(cause) = source {
            problem.causes.push(cause.to_string());
            source = cause.source();
        }
        problem
    }

    /// Of this host.
    #[must_use]
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }

    /// In this step.
    #[must_use]
    pub fn step(mut self, step: impl Into<String>) -> Self {
        self.step = Some(step.into());
        self
    }

    /// With a cause.
    #[must_use]
    pub fn cause(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// With the way out.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// What a command that did not do its work ends with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// The exit code of all of them together: the highest.
    pub fn exit(&self) -> Exit {
        self.0.iter().map(|problem| problem.exit).max().unwrap_or(Exit::Failed)
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl From<Diagnostics> for Problems {
    /// Each with its place before the message, as compilers do it, for programs.
    fn from(diagnostics: Diagnostics) -> Self {
        let problem = |one: &Diagnostic| {
            let message = match one.line {
                0 => format!("{}: {}", one.file, one.message),
                line => format!("{}:{line}:{}: {}", one.file, one.column, one.message),
            };
            Problem { help: one.help.clone(), ..Problem::new(Exit::Usage, message) }
        };
        Self(diagnostics.iter().map(problem).collect())
    }
}

/// Joins all problems; an empty list is success.
pub fn none_of(problems: Vec<Problem>) -> Result<(), Problems> {
    if problems.is_empty() { Ok(()) } else { Err(Problems(problems)) }
}

/// How a command ends that did not do its work.
#[derive(Debug)]
pub enum Ended {
    /// With these problems, still to be shown.
    Problems(Problems),
    /// Everything was shown already.
    Said(Exit),
    /// The inventory or a playbook is invalid: what is wrong with it, all at once.
    Inventory(Diagnostics),
}

impl<T: Into<Problems>> From<T> for Ended {
    fn from(problems: T) -> Self {
        Self::Problems(problems.into())
    }
}

#[cfg(test)]
mod tests {
    use super::{Exit, Problem, Problems};

    #[test]
    fn the_highest_exit_code_of_several_problems_wins() {
        let problems = [Exit::Failed, Exit::NeedsPerson, Exit::Refused].map(|exit| Problem::new(exit, "x"));
        assert_eq!(Problems(problems.to_vec()).exit(), Exit::NeedsPerson);
    }
}
