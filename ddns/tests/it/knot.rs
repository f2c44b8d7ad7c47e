//! A real Knot DNS on loopback, with a folder of its own (Debian's package `knot`).

use std::net::{TcpListener, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hickory_proto::op::{Message, MessageType, OpCode, Query};
use hickory_proto::rr::{Name, RData, RecordType};
use tempfile::TempDir;

use crate::service::started;

const PROGRAM: &str = "/usr/sbin/knotd";
/// Of both keys.
pub(crate) const SECRET: &str = "Z2FyYm9hcmQtdGVzdC1rZXktZ2FyYm9hcmQtdGVzdA==";

pub(crate) struct Knot {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl Knot {
    /// Serves `example.org`; the key `updater` may write there, `reader` may not.
    pub(crate) fn start() -> Self {
        assert!(
            std::path::Path::new(PROGRAM).exists(),
            "`{PROGRAM}` is missing; `apt-get install knot` brings it"
        );
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        fs_err::write(
            at("example.org.zone"),
            "$ORIGIN example.org.\n$TTL 60\n@ SOA ns1 admin 1 60 60 3600 60\n@ NS ns1\nns1 A 192.0.2.1\n\
             other A 192.0.2.7\nhome TXT kept\n",
        )
        .unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (run, storage, zone) = (at("run"), at("storage"), at("example.org.zone"));
        for path in [&run, &storage] {
            fs_err::create_dir(path).unwrap();
        }
        fs_err::write(
            at("knot.conf"),
            format!(
                "server:\n    rundir: {run}\n    listen: 127.0.0.1@{port}\n    udp-workers: 1\n    tcp-workers: 1\n    \
                 background-workers: 1\nlog:\n  - target: stderr\n    any: info\ndatabase:\n    storage: {storage}\n\
                 key:\n  - id: updater\n    algorithm: hmac-sha256\n    secret: {SECRET}\n  - id: reader\n    \
                 algorithm: hmac-sha256\n    secret: {SECRET}\nacl:\n  - id: update\n    key: updater\n    \
                 action: update\n  - id: read\n    key: reader\n    action: transfer\nzone:\n  - domain: example.org\n    \
                 file: {zone}\n    acl: [update, read]\n"
            ),
        )
        .unwrap();
        let log = fs_err::File::create(at("log")).unwrap();
        let mut command = Command::new(PROGRAM);
        command.args(["-c", &at("knot.conf")]).stdout(Stdio::null()).stderr(log.into_parts().0);
        let child = started(&mut command, folder.path(), folder.path().join("log").as_path());
        let knot = Self { child, port, _folder: folder };
        assert_eq!(knot.addresses("other.example.org"), ["192.0.2.7"]);
        knot
    }

    pub(crate) fn server(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn addresses(&self, name: &str) -> Vec<String> {
        self.ask(name, RecordType::A).iter().map(ToString::to_string).collect()
    }

    pub(crate) fn texts(&self, name: &str) -> Vec<String> {
        self.ask(name, RecordType::TXT).iter().map(ToString::to_string).collect()
    }

    pub(crate) fn serial(&self) -> u32 {
        match &self.ask("example.org", RecordType::SOA)[..] {
            [RData::SOA(soa)] => soa.serial,
            other => panic!("{other:?}"),
        }
    }

    fn ask(&self, name: &str, kind: RecordType) -> Vec<RData> {
        let mut message = Message::new(7, MessageType::Query, OpCode::Query);
        message.add_query(Query::query(Name::from_ascii(format!("{name}.")).unwrap(), kind));
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        socket.send_to(&message.to_vec().unwrap(), ("127.0.0.1", self.port)).unwrap();
        let mut answer = [0; 4096];
        let length = socket.recv(&mut answer).unwrap();
        let answer = Message::from_vec(&answer[..length]).unwrap();
        answer.answers.into_iter().map(|record| record.data).collect()
    }
}

impl Drop for Knot {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
