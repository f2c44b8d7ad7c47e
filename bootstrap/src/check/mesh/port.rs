//! The ports hosts of a cluster need of each other.

use garboard_inventory::Role;
use garboard_protocol::mesh::{Port, Protocol};

/// Which hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Hosts {
    All,
    ControlPlanes,
}

/// A port, and who needs it of whom.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct MeshPort {
    pub(super) port: Port,
    pub(super) purpose: &'static str,
    /// On a member a program of the cluster holds it, or will again: it is never opened there.
    pub(super) has_owner: bool,
    from: Hosts,
    to: Hosts,
}

/// By <https://kubernetes.io/docs/reference/networking/ports-and-protocols/> and flannel's own documentation of its VXLAN
/// backend. The kubelet is asked by the API servers (logs, exec) and by metrics-server, which may run on any host. Of the
/// range of node ports (30000 to 32767) one stands for all: the last, so that a rule that ends too early shows.
pub(super) const PORTS: [MeshPort; 6] = [
    MeshPort {
        port: tcp(6443),
        purpose: "the Kubernetes API",
        has_owner: true,
        from: Hosts::All,
        to: Hosts::ControlPlanes,
    },
    MeshPort {
        port: tcp(2379),
        purpose: "etcd",
        has_owner: true,
        from: Hosts::ControlPlanes,
        to: Hosts::ControlPlanes,
    },
    MeshPort {
        port: tcp(2380),
        purpose: "etcd among its members",
        has_owner: true,
        from: Hosts::ControlPlanes,
        to: Hosts::ControlPlanes,
    },
    MeshPort { port: tcp(10250), purpose: "kubelet", has_owner: true, from: Hosts::All, to: Hosts::All },
    MeshPort {
        port: tcp(32767),
        purpose: "node ports 30000-32767",
        has_owner: false,
        from: Hosts::All,
        to: Hosts::All,
    },
    MeshPort {
        port: Port { protocol: Protocol::Udp, number: 8472 },
        purpose: "the pod network, VXLAN",
        has_owner: true,
        from: Hosts::All,
        to: Hosts::All,
    },
];

const fn tcp(number: u16) -> Port {
    Port { protocol: Protocol::Tcp, number }
}

impl MeshPort {
    /// Whether a worker of the public tier needs it, too: the API and the pod network.
    pub(super) fn is_for_every_tier(&self) -> bool {
        matches!(
            self.port,
            Port { protocol: Protocol::Tcp, number: 6443 } | Port { protocol: Protocol::Udp, number: 8472 }
        )
    }

    /// Whether a host of role `from` must reach it on one of role `to`.
    pub(super) fn is_needed(&self, from: Role, to: Role) -> bool {
        self.from.hold(from) && self.to.hold(to)
    }
}

impl Hosts {
    fn hold(self, role: Role) -> bool {
        self == Self::All || role == Role::ControlPlane
    }
}
