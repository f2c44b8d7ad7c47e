//! Runs another program: argv only, its own words in the error.

use std::process::{Command, Stdio};

/// Why another program did not do its work.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProgramError {
    /// It could not be started.
    #[error("`{program}` cannot be started")]
    Start { program: String, source: std::io::Error },
    /// It ended with an error.
    #[error("`{program}` ended with {status}:\n{tail}")]
    Failed { program: String, status: std::process::ExitStatus, tail: String },
}

/// What the program wrote on stdout, trimmed.
pub(super) fn output(command: &mut Command) -> Result<String, ProgramError> {
    let program = name(command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|source| ProgramError::Start { program: program.clone(), source })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    Err(ProgramError::Failed { program, status: output.status, tail: tail(&output.stderr) })
}

/// Program and first argument, enough to know what was run.
pub(super) fn name(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().take(1).map(|word| word.to_string_lossy().into_owned()));
    words.join(" ")
}

/// The last lines a person needs; Go's downloads come first and are no help.
pub(super) fn tail(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("go: downloading")).collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failure_carries_the_programs_own_words() {
        let error = output(Command::new("ls").arg("/no/such/folder")).unwrap_err().to_string();
        assert!(error.contains("`ls /no/such/folder`") && error.contains("No such file"), "{error}");
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = output(&mut Command::new("no-such-program")).unwrap_err().to_string();
        assert_eq!(error, "`no-such-program` cannot be started");
    }
}
