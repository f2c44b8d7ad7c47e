//! From a login to a running agent, on this machine: its agents are small shell scripts.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use garboard::deploy::{Agent, DeployError, Deployed, Login, StoreCause, SudoPassword, deploy};
use garboard::problem::Exit;
use garboard::secrets::Secrets;
use garboard::ssh::{Connection, Local, SshError, Stream, Target, Transport as _};
use garboard_protocol::Digest;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

type Rewrite = Box<dyn Fn(usize, &str) -> String + Send + Sync>;

/// This machine, where the n-th command can be another one than it should be.
pub(crate) struct Host {
    inner: Box<dyn Connection>,
    pub(crate) folder: tempfile::TempDir,
    opened: AtomicUsize,
    rewrite: Rewrite,
}

impl Host {
    pub(crate) async fn new() -> Self {
        Self::rewriting(|_, command| command.to_owned()).await
    }

    async fn rewriting(rewrite: impl Fn(usize, &str) -> String + Send + Sync + 'static) -> Self {
        let inner = Local.connect(&Target::default()).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        Self { inner, folder, opened: AtomicUsize::new(0), rewrite: Box::new(rewrite) }
    }

    fn agents(&self) -> PathBuf {
        self.folder.path().join("it's the agents' folder")
    }

    fn opened(&self) -> usize {
        self.opened.load(Ordering::SeqCst)
    }

    async fn deploy(&self, agents: &[Agent]) -> Result<Deployed, DeployError> {
        self.deploy_with(agents, SudoPassword { secrets: &Secrets::default(), reference: None }).await
    }

    pub(crate) async fn deploy_with(
        &self,
        agents: &[Agent],
        sudo: SudoPassword<'_>,
    ) -> Result<Deployed, DeployError> {
        let (folder, owner) = (self.agents(), "Zoë O'Neil@laptop");
        let login = Login { agents, folder: folder.to_str().unwrap(), run: "run-1", owner, sudo };
        deploy(self, &login, &|sent, total| assert!(sent <= total)).await
    }
}

#[async_trait]
impl Connection for Host {
    async fn open(&self, command: &str) -> Result<Stream, SshError> {
        let number = self.opened.fetch_add(1, Ordering::SeqCst);
        self.inner.open(&(self.rewrite)(number, command)).await
    }

    fn bytes_sent(&self) -> u64 {
        self.inner.bytes_sent()
    }

    fn bytes_received(&self) -> u64 {
        self.inner.bytes_received()
    }

    fn login(&self) -> &'static str {
        "root@here"
    }

    async fn close(&self) {}
}

/// Says how it was called, then echoes. Larger than a pipe holds.
pub(crate) fn script() -> Vec<u8> {
    let mut text = String::from("#!/bin/sh\necho \"$#:$1:$2:$3:$4:$5\"\nexec cat\n");
    text.push_str(&"# filling\n".repeat(30_000));
    text.into_bytes()
}

fn machine() -> &'static str {
    // As `uname -m` says it.
    std::env::consts::ARCH
}

pub(crate) fn agent() -> Agent {
    Agent::new(machine(), script())
}

pub(crate) async fn runs(mut deployed: Deployed) {
    deployed.stream.write_all(b"frames").await.unwrap();
    deployed.stream.shutdown().await.unwrap();
    let mut said = String::new();
    deployed.stream.read_to_string(&mut said).await.unwrap();
    assert_eq!(said, "5:connect:--run:run-1:--owner:Zoë O'Neil@laptop\nframes");
}

fn files(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs_err::read_dir(folder) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn an_absent_agent_is_sent_once_and_found_from_then_on() {
    let host = Host::new().await;
    let agents = [agent()];
    let first = host.deploy(&agents).await.unwrap();
    assert_eq!((first.pushed, first.agent, host.opened()), (script().len() as u64, agents[0].digest, 3));
    runs(first).await;
    let folder = fs_err::metadata(host.agents()).unwrap();
    assert_eq!(folder.permissions().mode() & 0o777, 0o700);
    assert_eq!(files(&host.agents()), [format!("agent-{}", agents[0].digest.hex())]);

    let second = host.deploy(&agents).await.unwrap();
    assert_eq!((second.pushed, host.opened()), (0, 4));
    let mut again = second.program().start(&host, &["pipe", "127.0.0.1:6443"]).await.unwrap();
    again.shutdown().await.unwrap();
    let mut said = String::new();
    again.read_to_string(&mut said).await.unwrap();
    assert_eq!(said, "2:pipe:127.0.0.1:6443:::\n");
    runs(second).await;
}

#[tokio::test]
async fn what_a_login_prints_first_is_passed_over() {
    let host =
        Host::rewriting(|_, command| format!("echo welcome; printf 'to this machine '; {command}")).await;
    runs(host.deploy(&[agent()]).await.unwrap()).await;
}

#[tokio::test]
async fn an_agent_damaged_on_the_host_is_not_run_but_sent_again() {
    let host = Host::new().await;
    let agents = [agent()];
    runs(host.deploy(&agents).await.unwrap()).await;
    let path = host.agents().join(format!("agent-{}", agents[0].digest.hex()));
    let mut content = script();
    content[11] ^= 1;
    fs_err::write(&path, content).unwrap();
    let again = host.deploy(&agents).await.unwrap();
    assert_eq!(again.pushed, script().len() as u64);
    runs(again).await;
}

#[tokio::test]
async fn an_agent_damaged_on_the_way_is_sent_again_once() {
    let host = Host::rewriting(|number, command| match number {
        1 => format!("tr f g | {command}"),
        _ => command.to_owned(),
    })
    .await;
    runs(host.deploy(&[agent()]).await.unwrap()).await;
    assert_eq!(host.opened(), 5);
}

#[tokio::test]
async fn an_agent_damaged_on_the_way_twice_is_given_up_and_removed_unrun() {
    let host = Host::new().await;
    let ran = host.folder.path().join("ran");
    let bytes = format!("#!/bin/sh\ntouch '{}'\n", ran.display()).into_bytes();
    let lying = Agent { digest: Digest::of(b"something else"), ..Agent::new(machine(), bytes.clone()) };
    let error = host.deploy(&[lying]).await.unwrap_err();
    match &error {
        DeployError::Damaged { expected, found } => {
            assert_eq!((*expected, found), (Digest::of(b"something else"), &Digest::of(&bytes).hex()));
        }
        other => panic!("{other}"),
    }
    assert_eq!((host.opened(), files(&host.agents())), (4, Vec::<String>::new()));
    assert!(!ran.exists());
}

#[tokio::test]
async fn a_cut_transfer_leaves_nothing_that_could_run() {
    let host = Host::rewriting(|number, command| match number {
        1 => format!("head -c 1000 | {command}"),
        3 => format!("head -c 2000 | {command}"),
        _ => command.to_owned(),
    })
    .await;
    let error = host.deploy(&[agent()]).await.unwrap_err();
    assert!(matches!(error, DeployError::Damaged { .. }), "{error}");
    assert_eq!(files(&host.agents()), Vec::<String>::new());
}

#[tokio::test]
async fn a_machine_without_an_agent_is_named() {
    let host = Host::new().await;
    let error = host.deploy(&[Agent::new("riscv64", script())]).await.unwrap_err();
    assert!(matches!(error, DeployError::Architecture { .. }), "{error}");
    assert_eq!(error.exit(), Exit::Refused);
    assert!(error.to_string().contains(machine()) && error.to_string().contains("riscv64"));
    assert!(!host.agents().exists());
}

#[tokio::test]
async fn a_full_a_read_only_and_a_noexec_file_system_are_named() {
    assert!(nix::unistd::Uid::effective().is_root(), "mounts, in a namespace of their own, need root");
    for (options, expected) in
        [("size=64k", StoreCause::NoSpace), ("ro", StoreCause::ReadOnly), ("noexec", StoreCause::NoExecute)]
    {
        let host = Host::rewriting(move |_, command| {
            let inside = "mount -t tmpfs -o \"$1\" none \"$2\" && exec sh -c \"$3\"";
            let quoted = command.replace('\'', r"'\''");
            format!("unshare --mount sh -c '{inside}' sh {options} /mnt '{quoted}'")
        })
        .await;
        let sudo = SudoPassword { secrets: &Secrets::default(), reference: None };
        let login = Login { agents: &[agent()], folder: "/mnt/garboard", run: "r", owner: "o", sudo };
        let error = deploy(&host, &login, &|_, _| {}).await.unwrap_err();
        match error {
            DeployError::Store { cause, .. } => assert_eq!(cause, expected, "{options}"),
            other => panic!("{options}: {other}"),
        }
    }
}

/// Commands as `nobody`, with this in the place of sudo.
pub(crate) async fn as_nobody(sudo: Option<&str>) -> Host {
    let tools = tempfile::tempdir().unwrap();
    fs_err::set_permissions(tools.path(), PermissionsExt::from_mode(0o755)).unwrap();
    if let Some(script) = sudo {
        let path = tools.path().join("sudo");
        fs_err::write(&path, script).unwrap();
        fs_err::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
    }
    for tool in ["sh", "id", "uname", "tr", "cat", "mkdir", "chmod", "sha256sum", "mv", "rm", "true"] {
        let found = ["/usr/bin", "/bin"].map(|folder| Path::new(folder).join(tool));
        let found = found.into_iter().find(|path| path.exists()).unwrap();
        std::os::unix::fs::symlink(found, tools.path().join(tool)).unwrap();
    }
    let path = tools.path().to_str().unwrap().to_owned();
    let host = Host::rewriting(move |_, command| {
        // Kept as long as the host is.
        let _ = &tools;
        let quoted = command.replace('\'', r"'\''");
        format!(
            "PATH={path} exec /usr/bin/setpriv --reuid=65534 --regid=65534 --clear-groups sh -c '{quoted}'"
        )
    })
    .await;
    fs_err::set_permissions(host.folder.path(), PermissionsExt::from_mode(0o777)).unwrap();
    host
}

#[tokio::test]
async fn a_login_without_a_shell_is_told_in_its_own_words() {
    let host =
        Host::rewriting(|_, _| "echo 'This account is currently not available.' >&2; exit 1".to_owned())
            .await;
    let error = host.deploy(&[agent()]).await.unwrap_err();
    assert!(matches!(error, DeployError::Shell { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("exit code 1") && text.contains("not available"), "{text}");
}
