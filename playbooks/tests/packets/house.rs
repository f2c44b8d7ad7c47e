//! A house: what an edge host stands between.

use crate::namespace::Namespace;

/// As kube-proxy has it: a `NodePort` and a service's address that lead to a pod.
const KUBE_PROXY: &str = "
table ip kube-proxy {
	chain nat-prerouting {
		type nat hook prerouting priority dstnat
		tcp dport 30080 dnat to 10.244.3.5:80
		ip daddr 10.96.0.10 tcp dport 80 dnat to 10.244.3.5:80
	}
}
table ip6 kube-proxy {
	chain nat-prerouting {
		type nat hook prerouting priority dstnat
		tcp dport 30080 dnat to [fd00:244::5]:80
	}
}
";

/// The internet, home with a control plane and a laptop, an edge host between them, and a pod on it.
pub(crate) struct House {
    pub(crate) internet: Namespace,
    pub(crate) home: Namespace,
    pub(crate) edge: Namespace,
    pub(crate) pod: Namespace,
}

impl House {
    pub(crate) fn new() -> Self {
        let made = Self {
            internet: Namespace::new(),
            home: Namespace::new(),
            edge: Namespace::new(),
            pod: Namespace::new(),
        };
        let Self { internet, home, edge, pod } = &made;
        edge.connect(
            ("eth0", &["203.0.113.10/24", "2001:db8:1::10/64"]),
            internet,
            ("eth0", &["203.0.113.9/24", "2001:db8:1::9/64"]),
        );
        let at_home =
            ["192.168.1.11/24", "192.168.1.12/24", "192.168.1.5/24", "192.168.1.50/24", "fd00:1::50/64"];
        edge.connect(("eth1", &["192.168.1.10/24", "fd00:1::10/64"]), home, ("eth0", &at_home));
        edge.connect(
            ("cni0", &["10.244.3.1/24", "fd00:244::1/64"]),
            pod,
            ("eth0", &["10.244.3.5/24", "fd00:244::5/64"]),
        );
        for host in [internet, home] {
            let gateway = if std::ptr::eq(host, internet) {
                ("203.0.113.10", "2001:db8:1::10")
            } else {
                ("192.168.1.10", "fd00:1::10")
            };
            host.run(&format!("ip route add default via {}", gateway.0));
            host.run(&format!("ip -6 route add default via {}", gateway.1));
        }
        pod.run("ip route add default via 10.244.3.1");
        pod.run("ip -6 route add default via fd00:244::1");
        edge.feed("nft --file -", KUBE_PROXY);
        edge.serve(&[22, 443, 6443, 10250]);
        pod.serve(&[80]);
        home.serve(&[445, 6443]);
        made
    }
}
