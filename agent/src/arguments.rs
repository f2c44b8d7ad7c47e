//! The few arguments of this program; the CLI writes them, people only ask for facts and the version.

use garboard_agent::pipe::Target;
use garboard_protocol::request::FactsQuery;

/// Shown with a wrong command line.
pub(crate) const USAGE: &str = "usage: garboard-agent connect --run RUN --owner OWNER
       garboard-agent serve --run RUN --owner OWNER
       garboard-agent pipe ADDRESS:PORT | unix:PATH
       garboard-agent facts [--tcp PORT]... [--udp PORT]... [--disk PATH]...
       garboard-agent digest | --version";

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Arguments {
    /// Be the bridge.
    Connect { run: String, owner: String },
    /// Be the executor.
    Serve { run: String, owner: String },
    /// Join the channel to a service.
    Pipe { target: Target },
    /// Print facts.
    Facts { query: FactsQuery },
    /// Print the digest of this program.
    Digest,
    /// Print version and digest.
    Version,
}

impl Arguments {
    /// Reads them.
    pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let arguments: Vec<String> = arguments.collect();
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["connect", rest @ ..] => {
                let (run, owner) = holder(rest)?;
                Ok(Self::Connect { run, owner })
            }
            ["serve", rest @ ..] => {
                let (run, owner) = holder(rest)?;
                Ok(Self::Serve { run, owner })
            }
            ["pipe", target] => Target::parse(target).map(|target| Self::Pipe { target }).ok_or_else(|| {
                format!(
                    "`{target}` is neither an IP address with a port nor `unix:` and a path; names are not resolved here"
                )
            }),
            ["facts", rest @ ..] => query(rest).map(|query| Self::Facts { query }),
            ["digest"] => Ok(Self::Digest),
            ["--version" | "-V"] => Ok(Self::Version),
            [] => Err("a command is missing".to_owned()),
            other => Err(format!("`{}` is no command line of mine", other.join(" "))),
        }
    }
}

fn holder(words: &[&str]) -> Result<(String, String), String> {
    let ["--run", run, "--owner", owner] = words else {
        return Err("`--run RUN --owner OWNER` are needed, in this order".to_owned());
    };
    let is_name = |text: &str| {
        (1..=64).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
    };
    // It becomes a part of a unit's name.
    if !is_name(run) {
        return Err(format!("`{run}` is no name of a run: 1 to 64 letters, digits, `-`, `_` or `.`"));
    }
    Ok(((*run).to_owned(), (*owner).to_owned()))
}

fn query(words: &[&str]) -> Result<FactsQuery, String> {
    let mut query = FactsQuery::default();
    let port = |text: &str| text.parse().map_err(|_| format!("`{text}` is no port"));
    for pair in words.chunks(2) {
        match pair {
            ["--tcp", text] => query.tcp_ports.push(port(text)?),
            ["--udp", text] => query.udp_ports.push(port(text)?),
            ["--disk", path] => query.disk_paths.push((*path).to_owned()),
            other => return Err(format!("`{}` is no question about facts", other.join(" "))),
        }
    }
    Ok(query)
}

#[cfg(test)]
mod tests {
    use super::Arguments;

    fn parse(line: &str) -> Result<Arguments, String> {
        Arguments::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn a_name_instead_of_an_address_is_refused_by_pipe() {
        assert!(parse("pipe 127.0.0.1:6443").is_ok());
        assert!(parse("pipe [::1]:6443").is_ok());
        assert!(parse("pipe localhost:6443").unwrap_err().contains("neither an IP address"));
        assert!(parse("pipe unix:/run/a.sock").is_ok());
        assert!(parse("pipe unix:a.sock").is_err());
    }

    #[test]
    fn a_run_whose_name_does_not_fit_a_unit_is_refused() {
        assert!(parse("serve --run 20261121-a1b2 --owner pi@laptop").is_ok());
        for run in ["a/b", "a;b", "%i", "ä"] {
            assert!(parse(&format!("serve --run {run} --owner me")).is_err(), "{run} was taken");
        }
    }
}
