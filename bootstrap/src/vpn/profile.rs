//! A profile: the one file a client needs.

use std::fmt::Write as _;

use garboard_inventory::{OpenVpn, Secret};

use super::SERVER_NAME;

/// What goes into a profile.
pub struct Profile<'a> {
    /// Of which cluster it is.
    pub cluster: &'a str,
    /// Whose it is.
    pub user: &'a str,
    /// What the inventory says.
    pub openvpn: &'a OpenVpn,
    /// The authority's certificate, PEM.
    pub authority: &'a str,
    /// The user's certificate, PEM.
    pub certificate: &'a str,
    /// The user's key, PEM.
    pub key: &'a Secret,
    /// The user's tls-crypt-v2 key.
    pub tls_crypt_key: &'a Secret,
}

impl Profile<'_> {
    /// Its text. Every option is one that stock clients know: OpenVPN 2.5 and later, OpenVPN Connect, Tunnelblick, and
    /// `NetworkManager`.
    pub fn render(&self) -> Secret {
        let OpenVpn { remote, port, .. } = self.openvpn;
        let (user, cluster) = (self.user, self.cluster);
        let mut text = format!(
            "# The VPN of {cluster}, for {user} alone: whoever has this file comes in. See openvpn(8).
client
dev tun
proto udp
remote {remote} {port}
nobind
resolv-retry infinite
persist-key
persist-tun
auth-nocache
remote-cert-tls server
verify-x509-name {SERVER_NAME} name
tls-version-min 1.3
data-ciphers AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305
verb 3
"
        );
        let blocks = [
            ("ca", self.authority),
            ("cert", self.certificate),
            ("key", self.key.expose()),
            ("tls-crypt-v2", self.tls_crypt_key.expose()),
        ];
        for (name, pem) in blocks {
            // Into a String: that cannot fail.
            let _ = write!(text, "<{name}>\n{}\n</{name}>\n", pem.trim_end());
        }
        Secret::new(text)
    }
}

#[cfg(test)]
mod tests {
    use garboard_inventory::{OpenVpn, Secret};

    use super::Profile;

    #[test]
    fn a_profile_is_one_file_with_all_a_client_needs() {
        let openvpn = OpenVpn {
            remote: "home.example.org".to_owned(),
            port: 11940,
            network: "10.8.0.0/24".parse().unwrap(),
            routes: vec!["192.168.1.0/24".parse().unwrap()],
            dns: Vec::new(),
            users: vec!["alice".to_owned()],
            user_routes: std::collections::BTreeMap::new(),
            passphrase: None,
        };
        let profile = Profile {
            cluster: "homelab",
            user: "alice",
            openvpn: &openvpn,
            authority: "AUTHORITY\n",
            certificate: "CERTIFICATE\n",
            key: &Secret::new("KEY\n"),
            tls_crypt_key: &Secret::new("TLS-CRYPT\n"),
        };
        insta::assert_snapshot!("profile", profile.render().expose());
    }
}
