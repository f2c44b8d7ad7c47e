//! What the client asks of the agent.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::mesh;
use crate::owned::Owned;
use crate::reset::{Keepsake, ResetOptions};
use crate::step::{Blob, QueuedStep, StepId};

/// A request.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Request {
    /// Chosen by the client, unique within the run, whoever asks; every event that answers it carries it. A `Queue` or `Reset`
    /// that comes once more with the same id, because its client was lost and cannot know, is the one that is there already.
    pub id: u64,
    /// What is asked.
    pub body: Body,
}

/// Every request of this version.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// Always first. Ends with `Welcome`.
    Hello(Hello),
    /// Observe the host. Ends with `Facts`.
    Facts(FactsQuery),
    /// Probe these steps, writing nothing. One `Probed` each, then `Done`.
    Probe {
        /// Any number.
        steps: Vec<QueuedStep>,
    },
    /// Announces blobs. Ends with `Blobs`: how much of each is already there. Chunks may follow at once.
    Blobs {
        /// With their sizes.
        blobs: Vec<Blob>,
    },
    /// What the software installed by this run makes by itself; kept with the baseline from the first change on. Ends with `Done`.
    Owns {
        /// From the playbooks.
        owned: Vec<Owned>,
    },
    /// Append steps to the queue. `Started` and `Finished` for each that runs; `Done` when all ended well, `Failed`
    /// at the first that did not (the rest of the queue is dropped).
    Queue {
        /// In order. A step whose blobs have not arrived yet waits for them.
        steps: Vec<QueuedStep>,
    },
    /// The admin client certificate of a control plane. Ends with `Admin`.
    Admin,
    /// Give the host back. `Started`/`Finished` for each part, one `Keepsake`, ends with `Reset`.
    Reset(ResetOptions),
    /// Compare with what was before us. Ends with `Reset` (the leftovers it found). Writes nothing.
    Verify {
        /// What reset handed over; `None`: use what is on the host.
        keepsake: Option<Keepsake>,
    },
    /// Open ports for the mesh, refused while those of another are open. Ends with `MeshListening`. They are closed by `MeshClose`,
    /// `Cancel` and `End`, when their time is over, and when the client is gone. Writes nothing.
    MeshListen(mesh::Listen),
    /// Probe ports of other hosts. Ends with `MeshProbed`. Writes nothing.
    MeshProbe(mesh::Probe),
    /// Close the mesh's ports. Ends with `MeshClosed` once they are.
    MeshClose,
    /// The host can be reached with what the step has changed: see `Unconfirmed`. Only a connection that is younger than the change
    /// counts. Ends with `Done`.
    Confirm {
        /// Which.
        id: StepId,
    },
    /// Finish the running step, drop the queue. Ends with `Done`.
    Cancel,
    /// Orderly end: ends with `Done`, then the executor exits. Removes all it brought when nothing was changed on this host
    /// and the host carries no state of ours.
    End,
}

/// The client introduces itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Name of the run; the executor of the same run is taken over, one of another run is refused.
    pub run: String,
    /// Who, for the message another run gets: `user@laptop`.
    pub owner: String,
    /// The agent the client believes it talks to.
    pub agent: Digest,
    /// The same client comes back: number of the last event its earlier connection has seen. Later ones are replayed, and what
    /// it had queued stays queued. `None`: another invocation of the run takes over, and what has not begun is dropped.
    pub seen: Option<u64>,
    /// How long the executor stays, with nothing left to do, when this client is lost, in seconds.
    pub linger_seconds: u64,
}

/// What to look at beyond the usual facts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactsQuery {
    /// TCP ports whose holder is wanted.
    pub tcp_ports: Vec<u16>,
    /// UDP ports whose holder is wanted.
    pub udp_ports: Vec<u16>,
    /// Paths whose file system's free space is wanted.
    pub disk_paths: Vec<String>,
    /// Where the latency of `fdatasync(2)` is wanted. The one thing here that writes: into a file without a name, gone when its
    /// measure is taken.
    pub sync_latency_path: Option<String>,
}
