//! The mesh's part of the loop: its ports are open only while the client that asked is there.

use garboard_protocol::event::{Body, Failure, FailureKind};
use garboard_protocol::limits::{MESH_MILLISECONDS, MESH_PORTS, MESH_SECONDS, MESH_TARGETS};
use garboard_protocol::mesh::{Listen, Listener, ListenerState, Probe, Protocol};
use tokio::task::JoinSet;

use super::Executor;
use super::connection::refusal;
use super::input::Input;
use super::queue::Asked;
use crate::facts;
use crate::mesh::{Listeners, probe};
use crate::system::Look;

/// What is open and what is asked. Dropped, ports are closed and probes end.
#[derive(Default)]
pub(super) struct Mesh {
    listeners: Option<Listeners>,
    /// Ports among them that are somebody else's.
    served: Vec<Listener>,
    tasks: JoinSet<()>,
    unanswered: Vec<Asked>,
}

impl Executor {
    pub(super) fn mesh_listen(&mut self, asked: Asked, listen: &Listen) {
        if let Some(why) = too_much(listen) {
            return self.answer(asked, Body::Failed(refusal(why)));
        }
        if self.mesh.listeners.is_some() {
            return self.answer(
                asked,
                Body::Failed(refusal("the ports of a mesh are open already; close them first")),
            );
        }
        let (listeners, mut states) = Listeners::open(listen);
        self.mesh.listeners = Some(listeners);
        self.mesh.served = states.iter().filter(|state| is_foreign(state)).cloned().collect();
        let system = self.bench.services.host.system.clone();
        self.answer_later(asked, async move {
            let named = tokio::task::spawn_blocking(move || {
                name_holders(system.look(), &mut states);
                states
            });
            match named.await {
                Ok(listeners) => Body::MeshListening { listeners },
                Err(error) => Body::Failed(super::work::died(&error)),
            }
        });
    }

    pub(super) fn mesh_probe(&mut self, asked: Asked, wanted: Probe) {
        if wanted.targets.len() > MESH_TARGETS || wanted.milliseconds > MESH_MILLISECONDS {
            let why = format!(
                "at most {MESH_TARGETS} ports are probed at once, each for {MESH_MILLISECONDS} ms at most"
            );
            return self.answer(asked, Body::Failed(refusal(why)));
        }
        self.answer_later(asked, async move { Body::MeshProbed { answers: probe(wanted).await } });
    }

    pub(super) fn mesh_close(&mut self, asked: Asked) {
        let Some(listeners) = self.mesh.listeners.take() else {
            return self.answer(asked, Body::MeshClosed { heard: Vec::new(), served: Vec::new() });
        };
        let mut served = std::mem::take(&mut self.mesh.served);
        let system = self.bench.services.host.system.clone();
        self.answer_later(asked, async move {
            let ports = listeners.tcp_ports();
            // Before they are closed, which ends half-open connections too.
            let looked = tokio::task::spawn_blocking(move || {
                let half_open = Listeners::half_open(system.look(), &ports);
                for listener in &mut served {
                    listener.state = ListenerState::Vacant;
                }
                name_holders(system.look(), &mut served);
                (half_open, served)
            });
            let looked = looked.await;
            let mut heard = listeners.close().await;
            match looked {
                Ok((half_open, served)) => {
                    heard.extend(half_open);
                    heard.sort();
                    heard.dedup();
                    Body::MeshClosed { heard, served }
                }
                Err(error) => Body::Failed(super::work::died(&error)),
            }
        });
    }

    /// Ends the mesh for a client that is there: its ports are closed, and what it asked is answered.
    pub(super) fn mesh_cancel(&mut self) {
        for asked in std::mem::take(&mut self.mesh).unanswered {
            let failure = Failure { kind: FailureKind::Cancelled, ..refusal("the run was cancelled") };
            self.answer(asked, Body::Failed(failure));
        }
    }

    /// Ends the mesh of a client that is gone.
    pub(super) fn mesh_drop(&mut self) {
        self.mesh = Mesh::default();
    }

    /// The answer to a request of the mesh is there.
    pub(super) fn mesh_answered(&mut self, asked: Asked, body: Body) {
        self.mesh.unanswered.retain(|other| *other != asked);
        while self.mesh.tasks.try_join_next().is_some() {}
        self.answer(asked, body);
    }

    fn answer_later(&mut self, asked: Asked, answer: impl Future<Output = Body> + Send + 'static) {
        let sender = self.sender.clone();
        self.mesh.unanswered.push(asked);
        self.mesh.tasks.spawn(async move {
            let body = answer.await;
            // A loop that is gone needs no answer.
            let _ = sender.send(Input::MeshAnswered { asked, body }).await;
        });
    }
}

fn too_much(listen: &Listen) -> Option<String> {
    (listen.ports.len() > MESH_PORTS || listen.seconds > MESH_SECONDS)
        .then(|| format!("at most {MESH_PORTS} ports are opened, for {MESH_SECONDS} s at most"))
}

fn is_foreign(listener: &Listener) -> bool {
    matches!(listener.state, ListenerState::Served { .. } | ListenerState::Vacant)
}

/// Who serves what is served, as far as `/proc` tells.
fn name_holders(look: &dyn Look, listeners: &mut [Listener]) {
    let foreign: Vec<&mut Listener> = listeners.iter_mut().filter(|listener| is_foreign(listener)).collect();
    if foreign.is_empty() {
        return;
    }
    let of = |protocol| {
        let ports = foreign.iter().filter(|listener| listener.port.protocol == protocol);
        ports.map(|listener| listener.port.number).collect::<Vec<u16>>()
    };
    let holders = facts::holders(look, &of(Protocol::Tcp), &of(Protocol::Udp));
    for listener in foreign {
        let holder = holders.iter().find(|holder| {
            let protocol = if holder.protocol == "tcp" { Protocol::Tcp } else { Protocol::Udp };
            (protocol, holder.port) == (listener.port.protocol, listener.port.number)
        });
        if let Some(holder) = holder {
            listener.state = ListenerState::Served { process: holder.process.clone(), pid: holder.pid };
        }
    }
}
