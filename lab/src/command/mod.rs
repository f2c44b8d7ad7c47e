//! `garboard lab …`: the commands, one file each where there is more to one than a call.

mod arguments;
mod fault;
mod kind;
mod observe;
mod print;
mod traffic;

use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::process::ExitCode;
use std::time::Duration;

pub use arguments::{Command, Lab, OutputFormat, Target};

use crate::machine::Machine;
use crate::{Places, Result, Shape};

/// How long a connection into a lab may take.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

/// Carries out one command. Data goes to standard output, all else to standard error.
///
/// Not to be called inside an asynchronous runtime: some commands become another program.
///
/// # Errors
/// As the command's own.
pub fn run(lab: Lab, output: OutputFormat) -> anyhow::Result<ExitCode> {
    let places = Places::from_environment()?;
    Ok(dispatch(&places, lab.command, output)?)
}

fn dispatch(places: &Places, command: Command, output: OutputFormat) -> Result<ExitCode> {
    let open = |name: &str| crate::Lab::open(places, name);
    match command {
        Command::Up { name, control_planes, workers, edge, os, machine, mirror, raise_limits } => {
            let (os, machine) = machine.resolve(os)?;
            let shape = Shape { control_planes, workers, edge, os, machine };
            if raise_limits {
                crate::limits::raise(&name)?;
            }
            let lab = crate::Lab::up(places, &name, shape, mirror, &progress)?;
            print::summary(&lab.summary()?, output)?;
        }
        Command::Down { name } => crate::Lab::down(places, &name)?,
        Command::Status { name: Some(name) } => print::summary(&open(&name)?.summary()?, output)?,
        Command::Status { name: None } => print::all(places, output)?,
        Command::Exec { target, command } => {
            let (lab, host) = target_of(places, &target)?;
            let error = crate::exec::on_host(&lab, host, &command)?.exec();
            return Err(error.into());
        }
        Command::Run { name, from, command } => match crate::exec::run(&open(&name)?, from, &command)? {},
        Command::Traffic { name } => return traffic::run(&open(&name)?, output),
        Command::Reboot { target } => {
            target_of(places, &target).and_then(|(lab, host)| lab.reboot(host))?;
        }
        Command::PowerCut { target } => {
            target_of(places, &target).and_then(|(lab, host)| lab.power_cut(host))?;
        }
        Command::PowerOn { target } => {
            target_of(places, &target).and_then(|(lab, host)| lab.power_on(&[host.to_owned()]))?;
        }
        Command::Net(net) => {
            target_of(places, &net.target)
                .and_then(|(lab, host)| lab.net(host, &fault::from_arguments(&net)))?;
        }
        Command::Router { name, public } => open(&name)?.set_public_address(public)?,
        Command::Hash { target, list } => {
            let (lab, host) = target_of(places, &target)?;
            print::state(&lab.state(host)?, list, output)?;
        }
        Command::Observe { name, host, seconds_limit, until_stdin_closes } => {
            observe::observe(&open(&name)?, &host, Duration::from_secs(seconds_limit), until_stdin_closes)?;
        }
        Command::Replace { name, host } => open(&name)?.replace(&host)?,
        Command::Connect { name, host, port } => {
            let address = SocketAddr::new(crate::connect::resolve(places, &name, &host)?, port);
            crate::connect::join(&crate::connect(&name, address, CONNECT_DEADLINE)?)?;
        }
        Command::Supervise { name, host } => crate::supervisor::supervise(places, &name, &host)?,
        Command::Boot { name, host } => match boot(places, &name, &host)? {},
        Command::Enter { name, host, command } => {
            return crate::exec::enter(&open(&name)?, &host, &command);
        }
        Command::Serve { name } => crate::mirror_service::serve(places, &name)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn boot(places: &Places, lab: &str, host: &str) -> Result<std::convert::Infallible> {
    let one = crate::Lab::open(places, lab)?.host(host)?.clone();
    match one.machine {
        Machine::Container => crate::host::boot(places, lab, host),
        Machine::Vm(vm) => crate::vm::boot(places, lab, &one, vm),
    }
}

fn target_of<'a>(places: &Places, target: &'a Target) -> Result<(crate::Lab, &'a str)> {
    let (lab, host) = target.names();
    Ok((crate::Lab::open(places, lab)?, host))
}

fn progress(line: &str) {
    // Nobody may be left to read it; the work goes on.
    let _ = writeln!(std::io::stderr(), "{line}");
}
