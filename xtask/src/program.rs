//! Runs other programs: argv only, success or a clear error with the program's own words.

use std::process::{Command, ExitStatus, Stdio};

/// Why another program did not do its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProgramError {
    /// It could not be started.
    #[error("`{program}` cannot be started")]
    Start { program: String, source: std::io::Error },
    /// It ended with an error, which it told on stderr.
    #[error("`{program}` ended with {status}:\n{tail}")]
    Failed { program: String, status: ExitStatus, tail: String },
    /// It ended with an error after it had shown everything to the person who watches.
    #[error("`{program}` ended with {status}")]
    Ended { program: String, status: ExitStatus },
}

/// Runs it with the caller's terminal.
pub(crate) fn run(command: &mut Command) -> Result<(), ProgramError> {
    let program = whole(command);
    let status =
        command.status().map_err(|source| ProgramError::Start { program: program.clone(), source })?;
    if status.success() { Ok(()) } else { Err(ProgramError::Ended { program, status }) }
}

/// What the program wrote on stdout, trimmed; stderr is only kept for the error.
pub(crate) fn output(command: &mut Command) -> Result<String, ProgramError> {
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

/// What the program wrote on stdout, trimmed; its stderr goes to the person who watches.
pub(crate) fn output_with_progress(command: &mut Command) -> Result<String, ProgramError> {
    let program = whole(command);
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|source| ProgramError::Start { program: program.clone(), source })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    Err(ProgramError::Ended { program, status: output.status })
}

/// Program and first argument, enough to know what was run.
pub(crate) fn name(command: &Command) -> String {
    words(command).take(2).collect::<Vec<_>>().join(" ")
}

/// The last lines a person needs; Go's downloads come first and are no help.
pub(crate) fn tail(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("go: downloading")).collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

fn whole(command: &Command) -> String {
    words(command).collect::<Vec<_>>().join(" ")
}

fn words(command: &Command) -> impl Iterator<Item = String> {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy().into_owned())
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

    #[test]
    fn a_program_that_ends_badly_is_an_error_with_its_whole_command_line() {
        let error = run(Command::new("false").args(["a", "b"])).unwrap_err().to_string();
        assert!(error.starts_with("`false a b` ended with "), "{error}");
        let error = output_with_progress(Command::new("false").arg("a")).unwrap_err().to_string();
        assert!(error.starts_with("`false a` ended with "), "{error}");
    }
}
