//! A host in memory that steps and reset can work on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use garboard_agent::engine::{Engine, Host};
use garboard_agent::guard::Guard;
use garboard_agent::store::Layout;
use garboard_agent::system::fake::Fake;
use garboard_agent::system::{Command, System};
use garboard_agent::{reset, steps};
use garboard_protocol::event::{Body, Failure};
use garboard_protocol::step::Outputs;
use garboard_protocol::{Change, Observation, Owned, QueuedStep, Step, StepId};

use crate::programs::{World, load, run};

pub(crate) struct Machine {
    pub(crate) fake: Arc<Fake>,
    pub(crate) world: Arc<Mutex<World>>,
}

impl Machine {
    pub(crate) fn new() -> Self {
        let fake = Arc::new(Fake::with(&[
            ("/etc/hosts", "127.0.0.1 localhost\n127.0.1.1 debian"),
            ("/etc/hostname", "debian\n"),
            ("/etc/machine-id", "0123456789abcdef0123456789abcdef\n"),
            ("/proc/sys/kernel/hostname", "debian\n"),
            ("/proc/sys/net/ipv4/ip_forward", "0\n"),
            ("/proc/sys/vm/overcommit_memory", "0\n"),
            ("/proc/self/mountinfo", ""),
            ("/proc/filesystems", "nodev\toverlay\n"),
            ("/proc/swaps", "Filename Type Size Used Priority\n"),
            ("/etc/fstab", "/dev/sda1 / ext4 defaults 0 1\n/dev/sda2 none swap sw 0 0\n"),
            ("/usr/local/bin/mine", "#!/bin/sh\n"),
        ]));
        for folder in [
            "/etc/systemd/system/multi-user.target.wants",
            "/etc/sysctl.d",
            "/etc/modules-load.d",
            "/usr/local/bin",
            "/var/lib",
            "/run",
            "/sys/class/net/lo",
            "/sys/class/net/eth0",
        ] {
            fake.put_directory(folder);
        }
        Self::of(fake)
    }

    /// The same programs on another host.
    pub(crate) fn of(fake: Arc<Fake>) -> Self {
        let world = Arc::new(Mutex::new(World::default()));
        let memory = Arc::clone(&world);
        fake.script(move |fake, command| run(fake, &mut memory.lock().unwrap(), command));
        Self { fake, world }
    }

    pub(crate) fn host(&self) -> Host {
        let system: Arc<dyn System> = Arc::<Fake>::clone(&self.fake);
        Host {
            system,
            layout: Layout::host(),
            kinds: steps::kind,
            snapshot: reset::snapshot::take,
            note_places: reset::snapshot::note_places,
        }
    }

    pub(crate) fn engine(&self) -> Engine {
        Engine::load(self.host(), "run").unwrap()
    }

    /// Runs steps; gives what each changed, and its outputs.
    pub(crate) fn run(&self, steps: &[Step]) -> Result<Vec<(Vec<Change>, Outputs)>, Box<Failure>> {
        self.run_owning(steps, &[])
    }

    pub(crate) fn run_owning(
        &self,
        steps: &[Step],
        owned: &[Owned],
    ) -> Result<Vec<(Vec<Change>, Outputs)>, Box<Failure>> {
        let mut engine = self.engine();
        engine.add_owned(owned.to_vec());
        let finished = Mutex::new(Vec::new());
        let say = |body| {
            if let Body::Finished { changes, outputs, .. } = body {
                finished.lock().unwrap().push((changes, outputs));
            }
        };
        for (number, step) in steps.iter().enumerate() {
            engine.run(&QueuedStep { id: StepId(format!("test/{number}")), step: step.clone() }, &say)?;
        }
        engine.finish().unwrap();
        Ok(finished.into_inner().unwrap())
    }

    /// Runs a step whose change waits for a confirmation; `unconfirmed` is called when it does.
    pub(crate) fn run_guarded(
        &self,
        step: &Step,
        guard: &Arc<Guard>,
        unconfirmed: impl Fn(&StepId),
    ) -> Result<(), Box<Failure>> {
        let mut engine = self.engine();
        engine.guarded_by(Arc::clone(guard));
        let say = |body| {
            if let Body::Unconfirmed { id, .. } = body {
                unconfirmed(&id);
            }
        };
        engine.run(&QueuedStep { id: StepId("test/0".into()), step: step.clone() }, &say)?;
        engine.finish().unwrap();
        Ok(())
    }

    /// The timers come due.
    pub(crate) fn time_passes(&self) {
        let mut world = self.world.lock().unwrap();
        for words in std::mem::take(&mut world.timers).into_values().flatten() {
            let program = words[0].rsplit('/').next().unwrap();
            let command = Command::new(program, words[1..].iter().cloned());
            run(&self.fake, &mut world, &command).expect("a program that is there").unwrap();
        }
    }

    /// What only the memory holds is gone, and what the boot loads is loaded.
    pub(crate) fn boots(&self) {
        let mut world = self.world.lock().unwrap();
        (world.tables, world.rules, world.timers) = (BTreeSet::new(), BTreeMap::new(), BTreeMap::new());
        world.sshd.boots(&self.fake);
        for path in self.fake.tree().keys().map(|path| path.to_string_lossy().into_owned()) {
            if path.starts_with("/run/garboard-guard") {
                self.fake.take(&path);
            }
            if path.starts_with("/etc/garboard/nft.d/")
                && path.rsplit_once('.').is_some_and(|(_, ending)| ending == "nft")
            {
                load(&mut world, &self.fake.content(&path).unwrap());
            }
        }
    }

    pub(crate) fn probe(&self, step: &Step) -> Observation {
        self.engine().probe(&QueuedStep { id: StepId("test/0".into()), step: step.clone() }).unwrap()
    }

    /// All that is on the host but what is ours alone and what names times.
    pub(crate) fn state(&self) -> BTreeMap<String, String> {
        let tree =
            self.fake.tree().into_iter().map(|(path, what)| (path.to_string_lossy().into_owned(), what));
        tree.filter(|(path, _)| !path.starts_with("/var/lib/garboard") && !path.starts_with("/run/garboard"))
            .collect()
    }

    pub(crate) fn put_blob(&self, content: &[u8]) -> garboard_protocol::step::Blob {
        let digest = garboard_protocol::Digest::of(content);
        self.fake.put(&format!("/var/lib/garboard/blobs/sha256/{}", digest.hex()), content, 0o600);
        garboard_protocol::step::Blob { digest, size: content.len() as u64 }
    }
}
