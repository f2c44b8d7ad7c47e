//! Programs on a host, and programs in a lab's network.

use std::path::Path;
use std::process::{Command, ExitCode};

use clap::ValueEnum;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use crate::vm::guest::{Ended, Guest};
use crate::{Error, Lab, Places, Result, home, namespace};

/// The search path of a login on a Debian host.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A command that runs `argv` in all namespaces and cgroups of a host's first process.
pub(crate) fn on_host(lab: &Lab, host: &str, argv: &[String]) -> Result<Command> {
    lab.leader(host)?;
    // Re-executed, because cgroups are joined by a whole process and this one may have other things to do.
    let mut command = Command::new(&lab.places.program);
    command.args(["lab", "enter", lab.name(), host, "--"]).args(argv);
    set_places(&mut command, &lab.places);
    Ok(command)
}

/// Gives a process of ours the same folders.
pub(crate) fn set_places(command: &mut Command, places: &Places) {
    let parent = |folder: &Path| folder.parent().unwrap_or(folder).to_owned();
    command.env("XDG_STATE_HOME", parent(&places.state)).env("XDG_CACHE_HOME", parent(&places.cache));
}

/// Becomes the program on the host, which comes back only when that fails; or runs it on a virtual machine, and gives its exit code.
pub(crate) fn enter(lab: &Lab, host: &str, argv: &[String]) -> Result<ExitCode> {
    use std::os::unix::process::CommandExt as _;
    if lab.host(host)?.machine.vm().is_some() {
        return pass_through(lab, host, argv);
    }
    let leader = lab.leader(host)?;
    crate::cgroup::join_process(leader.pid)?;
    let term = std::env::var_os("TERM").unwrap_or_else(|| "linux".into());
    let source = Command::new("nsenter")
        .arg(format!("--target={}", leader.pid))
        .args(["--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd", "--"])
        .args(argv)
        .env_clear()
        .env("PATH", PATH)
        .env("HOME", "/root")
        .env("USER", "root")
        .env("LANG", "C.UTF-8")
        .env("TERM", term)
        .exec();
    Err(Error::Spawn { command: "nsenter".into(), source })
}

/// Runs a program on a virtual machine to its end, by the agent there.
pub(crate) fn on_vm(lab: &Lab, host: &str, argv: &[String], input: &[u8]) -> Result<Ended> {
    lab.leader(host)?;
    // What systemd and its tools say to each other takes longer there than they allow for.
    let environment = [
        ("SYSTEMD_BUS_TIMEOUT", "300s"),
        ("PATH", PATH),
        ("HOME", "/root"),
        ("USER", "root"),
        ("LANG", "C.UTF-8"),
        ("TERM", "linux"),
    ]
    .map(|(name, value)| format!("{name}={value}"));
    Guest::of(&lab.places.host(lab.name(), host)).run(argv, &environment, input)
}

/// Passes standard input, both outputs and the exit code of a program on a virtual machine through; each as a whole.
fn pass_through(lab: &Lab, host: &str, argv: &[String]) -> Result<ExitCode> {
    use std::io::{IsTerminal as _, Read as _, Write as _};
    let mut input = Vec::new();
    // Nobody's typing can be passed on: the program gets its input before it starts.
    if !std::io::stdin().is_terminal() {
        std::io::stdin().read_to_end(&mut input)?;
    }
    let ended = on_vm(lab, host, argv, &input)?;
    std::io::stdout().write_all(&ended.stdout)?;
    std::io::stderr().write_all(&ended.stderr)?;
    std::io::stdout().flush()?;
    Ok(ExitCode::from(u8::try_from(ended.code).unwrap_or(u8::MAX)))
}

/// Where a program of this machine runs that is none of a host's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Standpoint {
    /// The lab's own network: where the laptop is
    #[default]
    Laptop,
    /// The internet behind a home's router, with the address of a client there
    Internet,
    /// The router of a home itself
    Router,
}

/// Becomes the program in the lab's network; comes back only when that fails.
pub(crate) fn run(lab: &Lab, from: Standpoint, argv: &[String]) -> Result<std::convert::Infallible> {
    use std::os::unix::process::CommandExt as _;
    let mut paths: Vec<std::path::PathBuf> =
        lab.record.mirror.iter().map(|mirror| mirror.join("bin")).filter(|folder| folder.is_dir()).collect();
    paths.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_else(|| PATH.into())));
    let path = std::env::join_paths(paths).map_err(|error| Error::Refused {
        message: format!("a folder of the mirror cannot be on PATH: {error}"),
    })?;
    let name = lab.name();
    if from != Standpoint::Laptop && lab.record.home.is_none() {
        return Err(Error::Refused {
            message: format!(
                "lab `{name}` has no home around its hosts, and so neither router nor internet; `garboard lab up NAME --edge` makes one that has"
            ),
        });
    }
    // The program is looked up with the new PATH, also by this very process.
    let mut command = Command::new("env");
    command.arg("--").args(argv).env("PATH", path);
    match from {
        Standpoint::Laptop => {
            namespace::enter(&namespace::of_lab(name))?;
            command.env("KUBECONFIG", lab.places.state.join(name).join("kubeconfig"));
        }
        Standpoint::Internet => {
            namespace::enter(&namespace::of_internet(name))?;
            resolve_by(&home::resolver_file(&lab.places, name))?;
        }
        Standpoint::Router => namespace::enter(&namespace::of_router(name))?,
    }
    let source = command.exec();
    Err(Error::Spawn { command: argv.join(" "), source })
}

/// Gives this process, and what it becomes, a resolver of its own in place of the machine's.
fn resolve_by(file: &Path) -> Result<()> {
    unshare(CloneFlags::CLONE_NEWNS).map_err(Error::system("make a mount namespace"))?;
    let none: Option<&str> = None;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_SLAVE, none)
        .map_err(Error::system("detach the mounts"))?;
    // Often a link to where a service keeps it.
    let machines = fs_err::canonicalize("/etc/resolv.conf")?;
    mount(Some(file), &machines, none, MsFlags::MS_BIND, none).map_err(Error::system(format!(
        "put `{}` in the place of `{}`",
        file.display(),
        machines.display()
    )))
}
