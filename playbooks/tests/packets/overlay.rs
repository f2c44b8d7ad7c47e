//! A pod network between two hosts.

use crate::namespace::Namespace;

/// A taken edge host, and one at home with a pod; both in a pod network of VXLAN. Behind the one at home there is another machine.
pub(crate) struct Overlay {
    pub(crate) edge: Namespace,
    pub(crate) inside: Namespace,
    pub(crate) pod: Namespace,
    pub(crate) beyond: Namespace,
}

impl Overlay {
    pub(crate) fn new() -> Self {
        let made = Self {
            edge: Namespace::new(),
            inside: Namespace::new(),
            pod: Namespace::new(),
            beyond: Namespace::new(),
        };
        let Self { edge, inside, pod, beyond } = &made;
        edge.connect(("eth0", &["192.168.0.10/16"]), inside, ("eth0", &["192.168.1.12/16"]));
        inside.connect(("cni0", &["10.244.1.1/24"]), pod, ("eth0", &["10.244.1.5/24"]));
        inside.connect(("eth1", &["172.20.0.1/24"]), beyond, ("eth0", &["172.20.0.2/24"]));
        pod.run("ip route add default via 10.244.1.1");
        beyond.run("ip route add default via 172.20.0.1");
        let ends = [
            (edge, "192.168.0.10", "192.168.1.12", "10.244.3.0"),
            (inside, "192.168.1.12", "192.168.0.10", "10.244.1.0"),
        ];
        for (host, own, other, address) in ends {
            host.run(&format!(
                "ip link add flannel.1 type vxlan id 1 local {own} remote {other} dstport 8472 dev eth0"
            ));
            host.run(&format!("ip address add {address}/16 dev flannel.1"));
            host.run("ip link set flannel.1 up");
        }
        // An address that is not its own: of a pod on another node.
        edge.run("ip address add 10.244.9.9/16 dev flannel.1");
        edge.run("ip route add 10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink");
        edge.run("ip route add 172.20.0.0/24 via 10.244.1.0 dev flannel.1 onlink");
        inside.serve(&[22, 6443, 10250]);
        pod.serve(&[53, 80]);
        beyond.serve(&[80]);
        made
    }
}
